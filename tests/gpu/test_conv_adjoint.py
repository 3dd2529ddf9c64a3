"""Transposed convolution and gradients on the device against sums over explicit windows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
from gpu_problems import UNDERFLOW, UNIT_ROUNDOFF, Problem, problem, values

from implicitpad import _cuda_adjoint, _cuda_conv, _reference
from implicitpad._geometry_transpose import transpose_geometry
from implicitpad._reference import NUMPY_MODES

CASES = {
    **{mode: ((2, 4, 5, 4), (6, 2, 3, 2), {"padding": ((4, 6), (2, 5)), "groups": 2,
              "stride": (1, 2), "dilation": (2, 1), "padding_mode": mode}) for mode in NUMPY_MODES},
    "scalar": ((2, 3, 9), (4, 3, 3), {"padding": ((3, 1),), "fill_value": 2.0, "stride": 2}),
    "per-channel": ((1, 2, 3, 4, 2), (3, 2, 2, 2, 2), {"padding": 1, "fill_value": [1.0, -2.0]}),
    "unbatched": ((3, 6, 5), (4, 3, 3, 3), {"padding": ((-1, 2), (1, -1)), "fill_value": 1.5}),
    "gaps": ((1, 2, 11, 7), (2, 2, 1, 2), {"stride": (3, 4)}),
}  # fmt: skip


@dataclass
class Gradients:
    """The sums of a case in float64: the gradients, and how much was added up for each."""

    p: Problem
    v: np.ndarray

    def sums(self, x, w, v, fill):
        geometry = self.p.geometry
        if not geometry.batched:
            x, v = x[None], v[None]
        n, groups, rank = x.shape[0], geometry.groups, self.p.rank
        places = np.arange(x.size).reshape(x.shape)
        places = _reference.explicit_pad(places, geometry.axes, np.array(-1))
        places = _reference.windows(places, geometry.axes)  # (N, C, *out, *kernel)
        padded = np.append(x.reshape(-1), 0)[places]
        fill = np.broadcast_to(fill, x.shape[1]).reshape(-1, *(1,) * (2 * rank))
        seen = np.where(places < 0, fill, padded).reshape(n, groups, -1, *places.shape[2:])
        v = v.reshape(n, groups, -1, *v.shape[2:])
        w = w.reshape(groups, -1, *w.shape[1:])
        out, kernel = "xyz"[:rank], "uvw"[:rank]
        weight = np.einsum(f"ngc{out}{kernel},ngo{out}->goc{kernel}", seen, v)
        taken = np.einsum(f"goc{kernel},ngo{out}->ngc{out}{kernel}", w, v).reshape(places.shape)
        input = np.zeros(x.size)
        np.add.at(input, places[places >= 0], taken[places >= 0])
        fills = np.where(places < 0, taken, 0).sum(axis=(0, *range(2, places.ndim)))
        return {
            "input": input.reshape(self.p.x.shape),
            "weight": weight.reshape(self.p.w.shape),
            "bias": v.sum(axis=(0, *range(3, v.ndim))).reshape(-1),
            "fill": fills.sum() if geometry.fill.ndim == 0 else fills,
        }

    def check(self, name, got):
        """Higham's bound for sums of at most as many terms as were ever added for one element."""
        arrays = [a.astype(np.float64) for a in (self.p.x, self.p.w, self.v, self.p.geometry.fill)]
        want, magnitude = self.sums(*arrays)[name], self.sums(*map(np.abs, arrays))[name]
        terms = 2 * self.v.size * int(np.prod(self.p.w.shape[1:]))
        kind, stored = self.p.geometry.compute.name, self.p.geometry.dtype.name
        unit = UNIT_ROUNDOFF[kind] + UNIT_ROUNDOFF["float64"]
        error = terms * unit / (1 - terms * unit) * magnitude
        bound = error + UNIT_ROUNDOFF[stored] * (magnitude + error) + UNDERFLOW[stored]
        assert got.shape == np.shape(want)
        assert (np.abs(got.astype(np.float64) - want) <= bound).all()


def run(device, p, v):
    geometry = p.geometry
    packed = _cuda_conv.pack(device, device.asarray(p.w), None, geometry.compute)
    v = device.asarray(v)
    found = {
        "input": _cuda_adjoint.input_gradient(device, geometry, v, packed),
        "weight": _cuda_adjoint.weight_gradient(device, geometry, v, device.asarray(p.x)),
        "bias": _cuda_adjoint.bias_gradient(device, geometry, v),
        "fill": _cuda_adjoint.fill_gradient(device, geometry, v, packed),
    }
    for array in found.values():
        assert array.dtype == geometry.dtype
    return {name: device.asnumpy(array) for name, array in found.items()}


TYPES = [(case, "float32") for case in CASES] + [
    *product(("constant", "reflect", "scalar"), ("float16", "bfloat16", "float64"))
]


@pytest.mark.parametrize(("case", "dtype"), TYPES)
def test_gradients(device, case, dtype):
    x, w, options = CASES[case]
    p = problem(1, x, w, dtype, bias=False, **options)
    v = values(np.random.default_rng(2), p.geometry.out_shape, dtype)
    gradients, got = Gradients(p, v), run(device, p, v)
    for name, array in got.items():
        gradients.check(name, array)


@pytest.mark.parametrize("mode", NUMPY_MODES)
def test_the_gradient_for_the_input_is_the_adjoint(device, mode):
    """<A x, v> = <x, A* v>, where the fill is 0."""
    p = problem(3, (1, 3, 6, 5), (4, 3, 3, 3), "float64", bias=False, padding=4, padding_mode=mode)
    v = values(np.random.default_rng(4), p.geometry.out_shape, "float64")
    forward, backward = np.vdot(p.run(device), v), np.vdot(p.x, run(device, p, v)["input"])
    np.testing.assert_allclose(forward, backward, rtol=1e-12)


def test_the_comparison_fails_on_a_wrong_gradient(device):
    p = problem(5, (1, 3, 6, 5), (4, 3, 3, 3), bias=False, padding=1)
    v = values(np.random.default_rng(6), p.geometry.out_shape, "float32")
    wrong = run(device, p, v)["weight"]
    wrong[0, 0, 0, 0] += 0.01
    with pytest.raises(AssertionError):
        Gradients(p, v).check("weight", wrong)


TRANSPOSED = {
    "doubling": ((2, 4, 3, 4), (4, 3, 4, 4), {"stride": 2, "padding": 1}),
    "grouped": ((1, 6, 5), (6, 2, 3), {"groups": 2, "dilation": 2, "stride": 3,
                "output_padding": 1}),
    "beyond": ((1, 2, 3, 2, 2), (2, 2, 2, 2, 1), {"padding": ((-2, 0), (1, -1), (0, 0))}),
    "unbatched": ((3, 5, 4), (3, 4, 3, 2), {"stride": (1, 3), "dilation": (2, 1)}),
}  # fmt: skip
TRANSPOSED_TYPES = [(case, "float32") for case in TRANSPOSED] + [
    *product(("doubling", "grouped"), ("float16", "bfloat16", "float64", "int8", "uint16", "int32"))
]


def transposed(geometry, x, w, bias):
    """Add every input's window into an array, then crop or extend it."""
    groups, axes = geometry.groups, geometry.axes
    x = x if geometry.batched else x[None]
    n, rank = x.shape[0], len(axes)
    sizes = [(a.size - 1) * a.stride + a.extent for a in axes]
    full = np.zeros((n, geometry.out_channels, *sizes), x.dtype)
    x, w = x.reshape(n, groups, -1, *x.shape[2:]), w.reshape(groups, -1, *w.shape[1:])
    for k in np.ndindex(*(axis.kernel for axis in axes)):
        starts = [j * a.dilation for j, a in zip(k, axes, strict=True)]
        at = [slice(i, i + (a.size - 1) * a.stride + 1, a.stride)
              for i, a in zip(starts, axes, strict=True)]  # fmt: skip
        part = np.einsum("ngcq,gco->ngoq", x.reshape(n, groups, x.shape[2], -1), w[(..., *k)])
        full[(slice(None), slice(None), *at)] += part.reshape(n, -1, *x.shape[3:])
    for at, axis in enumerate(axes, 2):
        places = np.arange(axis.first, axis.first + axis.out)
        known = (places >= 0) & (places < full.shape[at])
        full = np.take(full, np.where(known, places, 0), axis=at)
        full *= known.reshape(-1, *(1,) * (full.ndim - at - 1))
    full = full + bias.reshape(-1, *(1,) * rank)
    return full if geometry.batched else full[0]


@pytest.mark.parametrize(("case", "dtype"), TRANSPOSED_TYPES)
def test_transposed_convolution(device, case, dtype):
    x_shape, w_shape, options = TRANSPOSED[case]
    steps = {"stride": 1, "padding": 0, "output_padding": 0, "groups": 1, "dilation": 1} | options
    rng = np.random.default_rng(7)
    x, w = values(rng, x_shape, dtype), values(rng, w_shape, dtype)
    geometry = transpose_geometry("conv_transpose", len(w_shape) - 2, x, w, None, **steps)
    bias = values(rng, (geometry.out_channels,), geometry.out_dtype)
    packed = _cuda_conv.pack(device, device.asarray(w), device.asarray(bias), geometry.compute)
    y = device.asnumpy(_cuda_adjoint.conv_transpose(device, geometry, device.asarray(x), packed))
    assert y.dtype == geometry.out_dtype
    if geometry.compute.kind != "f":
        exact = transposed(geometry, *(a.astype(np.int64) for a in (x, w, bias)))
        np.testing.assert_array_equal(y, exact.astype(y.dtype))
        return
    arrays = [a.astype(np.float64) for a in (x, w, bias)]
    want, magnitude = transposed(geometry, *arrays), transposed(geometry, *map(np.abs, arrays))
    terms = int(np.prod(w_shape)) + 1
    unit = UNIT_ROUNDOFF[geometry.compute.name] + UNIT_ROUNDOFF["float64"]
    error = terms * unit / (1 - terms * unit) * magnitude
    bound = error + UNIT_ROUNDOFF[dtype] * (magnitude + error) + UNDERFLOW[dtype]
    assert (np.abs(y.astype(np.float64) - want) <= bound).all()
