"""Gradients of pooling on the device: the bits of the CPU where it sums in the order of windows."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from gpu_problems import UNDERFLOW, UNIT_ROUNDOFF, values
from test_cuda_pool import FLOATS, MAX, MEAN, SHAPES

import implicitpad
from implicitpad import _cuda_pool_gradient
from implicitpad._geometry_pool import avg_pool_geometry, max_pool_geometry

WIDE = {"padding": ((2, 3), (3, 1)), "stride": (1, 2)}
CASES: dict[str, Any] = {
    **{name: case for name, case in SHAPES.items() if name != "modes"},
    "crop": ((1, 2, 7, 8), 3, {"padding": ((-2, 1), (1, -3)), "stride": 1}),
    "gaps": ((1, 2, 11, 7), (1, 2), {"stride": (3, 4)}),
    "far": ((1, 2, 4, 5), 2, {"padding": 5, "stride": 1}),
    **{mode: ((1, 2, 4, 5), 3, WIDE | {"padding_mode": mode})
       for mode in ("replicate", "reflect", "symmetric", "circular")},
}  # fmt: skip
TYPED = [(case, "float32") for case in CASES] + [
    *product(("image", "ceil", "reflect"), ("float16", "bfloat16", "float64"))
]
CONSTANT = [pair for pair in TYPED if "padding_mode" not in CASES[pair[0]][2]]
MODES = [pair for pair in TYPED if pair not in CONSTANT]
COUNTING = [{}, {"count_include_pad": False}, {"divisor_override": -3}]


def inputs(case: str, dtype: str) -> tuple[int, np.ndarray, Any, dict[str, Any]]:
    """Rank, an input with equal elements, the kernel and the options of a case."""
    shape, kernel, options = CASES[case]
    x = np.random.default_rng(1).choice([0.0, -0.0, 1.0, 2.0], shape).astype(dtype)
    return len(shape) - (1 if case == "unbatched" else 2), x, kernel, options


def on_both(device, operation, rank, x, kernel, options, grad=None):
    """Gradients for (input, fill) on the device and on the CPU."""
    resolve, given = {"max": (max_pool_geometry, MAX), "avg": (avg_pool_geometry, MEAN)}[operation]
    geometry = resolve("pool", rank, x, kernel, **(given | options))
    if grad is None:
        grad = values(np.random.default_rng(2), geometry.out_shape, x.dtype)
    compute = getattr(_cuda_pool_gradient, f"{operation}_pool_backward")
    found = compute(device, geometry, device.asarray(grad), device.asarray(x))
    backward = getattr(implicitpad, f"{operation}_pool{rank}d_backward")
    return (
        [None if part is None else device.asnumpy(part) for part in found],
        backward(grad, x, kernel, **options),
        float(np.abs(grad.astype(np.float64)).sum()),
    )


def same_bits(ours, theirs):
    assert ours.dtype == theirs.dtype
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    np.testing.assert_array_equal(ours, theirs)
    numbers = ~np.isnan(theirs)
    np.testing.assert_array_equal(np.signbit(ours)[numbers], np.signbit(theirs)[numbers])


def same_fill(ours, theirs, total):
    """Summed in float64 in another order, then rounded: one place apart, or as much as cancels."""
    assert (ours is None) == (theirs is None)
    if ours is not None:
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        difference = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
        place = 2 * UNIT_ROUNDOFF[ours.dtype.name] * np.abs(theirs.astype(np.float64))
        assert (difference <= place + 1e-13 * total + UNDERFLOW[ours.dtype.name]).all()


@pytest.mark.parametrize(
    ("case", "dtype", "fill"),
    [(*pair, None) for pair in TYPED] + [(*pair, 1.0) for pair in CONSTANT],
)
def test_largest(device, case, dtype, fill):
    rank, x, kernel, options = inputs(case, dtype)
    ours, theirs, total = on_both(device, "max", rank, x, kernel, options | {"fill_value": fill})
    same_bits(ours[0], theirs.input)
    same_fill(ours[1], theirs.fill_value, total)


def test_indices_may_be_given_and_wrong_ones_are_nowhere(device):
    rng = np.random.default_rng(5)
    x, grad = (rng.standard_normal(shape).astype(np.float32)
               for shape in ((2, 3, 7, 6), (2, 3, 4, 3)))  # fmt: skip
    geometry = max_pool_geometry("max_pool2d", 2, x, 3, **(MAX | {"stride": 2, "padding": 1}))
    index = implicitpad.max_pool2d(x, 3, 2, 1, return_indices=True)[1]
    arrays = [device.asarray(array) for array in (grad, x, index)]
    found = _cuda_pool_gradient.max_pool_backward(device, geometry, *arrays)[0]
    want = implicitpad.max_pool2d_backward(grad, x, 3, 2, 1).input
    same_bits(device.asnumpy(found), want)
    index[0] = 2**62
    want[0] = 0
    arrays[2] = device.asarray(index)
    found = _cuda_pool_gradient.max_pool_backward(device, geometry, *arrays)[0]
    same_bits(device.asnumpy(found), want)


@pytest.mark.parametrize(
    ("case", "dtype", "counting"), [(*p, c) for p in CONSTANT for c in COUNTING]
)
def test_mean(device, case, dtype, counting):
    rank, x, kernel, options = inputs(case, dtype)
    ours, theirs, total = on_both(device, "avg", rank, x, kernel, options | counting)
    same_bits(ours[0], theirs.input)
    same_fill(ours[1], theirs.fill_value, total * np.prod(kernel) ** rank)


@pytest.mark.parametrize(("case", "dtype"), MODES)
def test_mean_under_a_boundary_mode(device, case, dtype):
    """An element that a tap reads several times: NumPy adds those in pairs, the device in order."""
    rank, x, kernel, options = inputs(case, dtype)
    ours, theirs, total = on_both(device, "avg", rank, x, kernel, options)
    assert ours[1] is theirs.fill_value is None
    kind = "float64" if dtype == "float64" else "float32"
    bound = x.size * UNIT_ROUNDOFF[kind] * total + UNIT_ROUNDOFF[dtype] * 2 * np.abs(ours[0])
    assert (np.abs(ours[0].astype(np.float64) - theirs.input.astype(np.float64)) <= bound).all()


@pytest.mark.parametrize("operation", ["max", "avg"])
def test_a_fill_for_each_channel(device, operation):
    rank, x, kernel, options = inputs("image", "float32")
    options = options | {"fill_value": [0.5, 1.0, 3.0]}
    ours, theirs, total = on_both(device, operation, rank, x, kernel, options)
    same_bits(ours[0], theirs.input)
    same_fill(ours[1], theirs.fill_value, 9 * total)
    assert ours[1].shape == (3,)


@pytest.mark.parametrize("operation", ["max", "avg"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_nan_and_infinities_are_as_on_the_cpu(device, operation, dtype):
    """In the input the last NaN is the maximum; in the gradient they stay with their windows."""
    rng = np.random.default_rng(3)
    special = [np.nan, np.inf, -np.inf, 0.0, 1.0, 2.0]
    x = rng.choice(special, (2, 3, 9, 8)).astype(dtype)
    options = {"padding": 2, "stride": 2}
    grad = rng.choice([1.0, 2.0, np.inf, np.nan], (2, 3, 6, 5), p=[0.5, 0.4, 0.05, 0.05])
    for v in (None, grad.astype(dtype)):
        ours, theirs, _ = on_both(device, operation, 2, x, 3, options, v)
        same_bits(ours[0], theirs.input)


def test_an_input_without_elements(device):
    x = np.zeros((1, 2, 0, 3), np.float32)
    for operation in ("max", "avg"):
        options = {"padding": 2, "fill_value": 1.0}
        ours, theirs, total = on_both(device, operation, 2, x, 2, options)
        assert ours[0].shape == theirs.input.shape == x.shape
        same_fill(ours[1], theirs.fill_value, 4 * total)


def test_views_are_read_in_place(device):
    rng = np.random.default_rng(4)
    x, grad = (rng.standard_normal(shape).astype(np.float32)
               for shape in ((2, 7, 6, 3), (2, 6, 5, 3)))  # fmt: skip
    x, grad = x.transpose(0, 3, 1, 2), grad.transpose(0, 3, 1, 2)
    geometry = max_pool_geometry("max_pool2d", 2, x, 2, **(MAX | {"stride": 1}))
    arrays = (device.asarray(a.transpose(0, 2, 3, 1).copy()).transpose(0, 3, 1, 2)
              for a in (grad, x))  # fmt: skip
    found, fill = _cuda_pool_gradient.max_pool_backward(device, geometry, *arrays)
    assert fill is None
    want = implicitpad.max_pool2d_backward(grad, x, 2, 1).input
    same_bits(device.asnumpy(found), want)
