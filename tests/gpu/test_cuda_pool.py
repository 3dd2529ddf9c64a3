"""Pooling on the device against a plain loop over windows, and against the CPU."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from gpu_problems import UNDERFLOW, UNIT_ROUNDOFF, values

import implicitpad
from implicitpad import _cuda_pool, _reference
from implicitpad._geometry_pool import avg_pool_geometry, max_pool_geometry

SHAPES = {
    "signal": ((2, 3, 19), 3, {"padding": ((2, 5),)}),
    "image": ((2, 3, 7, 8), (3, 2), {"padding": ((1, 4), (-1, 2)), "stride": (2, 1)}),
    "volume": ((1, 2, 4, 3, 5), (2, 3, 1), {"padding": 1, "dilation": (1, 2, 3)}),
    "unbatched": ((3, 6, 5), 2, {}),
    "ceil": ((1, 2, 7, 8), 3, {"padding": (1, 0), "stride": (2, 3), "ceil_mode": True}),
    "modes": ((1, 2, 5, 4), 3, {"padding": 4, "padding_mode": ("reflect", "circular"),
              "stride": 2}),
}  # fmt: skip
MAX = {"stride": None, "padding": 0, "dilation": 1, "ceil_mode": False, "return_indices": True,
       "fill_value": None, "padding_mode": "constant"}  # fmt: skip
MEAN = {"stride": None, "padding": 0, "dilation": 1, "ceil_mode": False, "fill_value": None,
        "count_include_pad": True, "divisor_override": None,
        "padding_mode": "constant"}  # fmt: skip
FLOATS = ("float16", "bfloat16", "float32", "float64")
INTEGERS = tuple(f"{sign}int{bits}" for sign, bits in product(("", "u"), (8, 16, 32, 64)))


def windows(geometry, x):
    """Every window as an array of (value, place in the plane), -1 for padding, absent left out."""
    rank = len(geometry.axes)
    plane = np.arange(int(np.prod(x.shape[-rank:]))).reshape(x.shape[-rank:])
    for at in np.ndindex(*geometry.out_shape):
        taps = []
        for axis, q in zip(geometry.axes, at[-rank:], strict=True):
            places = q * axis.stride + axis.dilation * np.arange(axis.kernel)
            reach = _reference.explicit_pad(
                np.arange(axis.size), [axis], np.array(-1)
            )  # the source of every virtual position
            taps.append(reach[places[places < axis.virtual]])
        window = []
        for place in product(*taps):
            inside = min(place) >= 0
            channel = x[at[:-rank]]
            window.append((channel[place] if inside else None, plane[place] if inside else -1))
        yield at, window


CASES = [*product(SHAPES, ["float32"]), *product(["image", "ceil"], FLOATS + INTEGERS)]
LARGEST = [(*case, fill) for case in CASES for fill in (None, 1) if case[0] != "modes" or not fill]
COUNTING = [{}, {"count_include_pad": False}, {"divisor_override": -3}]
AVERAGES = [
    (*case, counting)
    for case, counting in product(CASES, COUNTING)
    if case[1] in FLOATS and (case[0] != "modes" or counting.get("count_include_pad", True))
]


@pytest.mark.parametrize(("shape", "dtype", "fill"), LARGEST)
def test_largest(device, shape, dtype, fill):
    x_shape, kernel, options = SHAPES[shape]
    x = values(np.random.default_rng(1), x_shape, dtype)
    geometry = max_pool_geometry(
        "max_pool", x.ndim - 2 + (shape == "unbatched"), x, kernel,
        **(MAX | options | {"fill_value": fill}),
    )  # fmt: skip
    found, index = _cuda_pool.pool(device, geometry, device.asarray(x), True)
    found, index = device.asnumpy(found), device.asnumpy(index)
    assert found.dtype == x.dtype
    for at, window in windows(geometry, x):
        real = [value for value, _ in window if value is not None]
        best = max(real, default=geometry.fill[()])
        place = next((p for value, p in window if value is not None and value == best), -1)
        if fill is not None and len(real) < len(window) and not best >= fill:
            best, place = fill, -1
        assert (found[at], index[at]) == (best, place)


@pytest.mark.parametrize(("shape", "dtype", "counting"), AVERAGES)
def test_mean(device, shape, dtype, counting):
    x_shape, kernel, options = SHAPES[shape]
    x = values(np.random.default_rng(2), x_shape, dtype)
    geometry = avg_pool_geometry(
        "avg_pool", x.ndim - 2 + (shape == "unbatched"), x, kernel,
        **(MEAN | options | counting),
    )  # fmt: skip
    found = device.asnumpy(_cuda_pool.pool(device, geometry, device.asarray(x))[0])
    assert found.dtype == x.dtype
    kind = "float64" if dtype == "float64" else "float32"
    for at, window in windows(geometry, x):
        real = np.array([float(value) for value, _ in window if value is not None])
        number = geometry.divisor or (len(window) if geometry.count_pad else len(real))
        if not number:
            assert np.isnan(found[at])
            continue
        terms = len(window) + 2
        unit = UNIT_ROUNDOFF[kind] + UNIT_ROUNDOFF["float64"]
        magnitude = np.abs(real).sum() / abs(number)
        error = terms * unit / (1 - terms * unit) * magnitude
        bound = error + UNIT_ROUNDOFF[dtype] * (magnitude + error) + UNDERFLOW[dtype]
        assert abs(float(found[at]) - real.sum() / number) <= bound


def test_nan_and_infinities_are_as_on_the_cpu(device):
    rng = np.random.default_rng(3)
    x = rng.choice([np.nan, np.inf, -np.inf, 0.0, 1.0, 2.0], (2, 3, 9, 8)).astype(np.float32)
    for options in ({}, {"fill_value": [0.0, np.inf, -np.inf]}):
        options = {"padding": 2, "stride": 2} | options
        geometry = max_pool_geometry("max_pool2d", 2, x, 3, **(MAX | options))
        found, index = _cuda_pool.pool(device, geometry, device.asarray(x), True)
        want = implicitpad.max_pool2d(x, 3, return_indices=True, **options)
        np.testing.assert_array_equal(device.asnumpy(found), want[0])
        np.testing.assert_array_equal(device.asnumpy(index), want[1])


def test_channels_last_is_read_in_place(device):
    x = np.random.default_rng(4).standard_normal((2, 5, 6, 7)).astype(np.float32)
    last = device.asarray(x.transpose(0, 2, 3, 1).copy()).transpose(0, 3, 1, 2)
    geometry = max_pool_geometry("max_pool2d", 2, x, 3, **(MAX | {"padding": 1}))
    found = device.asnumpy(_cuda_pool.pool(device, geometry, last)[0])
    np.testing.assert_array_equal(found, implicitpad.max_pool2d(x, 3, padding=1))
