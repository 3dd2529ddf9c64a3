"""The same problems on the reference, the CPU and the device, through the library's dispatch."""

from __future__ import annotations

import numpy as np
import pytest
from gpu_problems import UNDERFLOW, Problem, problem, values
from hypothesis import given, settings
from pooling import gamma, problems
from test_cuda_pool import FLOATS, MAX, MEAN

import implicitpad
from implicitpad import _cuda_pool, _cuda_pool_gradient
from implicitpad._geometry_pool import avg_pool_geometry, max_pool_geometry
from implicitpad._reference import NUMPY_MODES

DTYPES = (
    "float32",
    "float32",
    "float64",
    "float16",
    "bfloat16",
    "int8",
    "uint8",
    "int32",
    "uint16",
)


def random_problem(seed: int) -> Problem:
    """Any rank, groups, modes, widths, strides, dilations and types; the output is never empty."""
    rng = np.random.default_rng(seed)
    rank = int(rng.integers(1, 4))
    groups = int(rng.choice([1, 1, 1, 2, 3]))
    in_group, out_group = (int(rng.choice([1, 2, 3, 8, 17])) for _ in range(2))
    modes = tuple(str(mode) for mode in rng.choice(list(NUMPY_MODES), rank))
    kernel = rng.integers(1, {1: 9, 2: 5, 3: 3}[rank], rank)
    dilation, stride = rng.integers(1, 4, rank), rng.integers(1, 4, rank)
    extent = dilation * (kernel - 1) + 1
    size = rng.integers(1, {1: 60, 2: 12, 3: 6}[rank], rank)
    before = rng.integers(-np.minimum(2, size - 1), 10, rank)
    after = np.maximum(rng.integers(0, 10, rank), extent - size - before)
    batch = [int(rng.integers(1, 3))] if rng.random() < 0.8 else []
    dtype = str(rng.choice(DTYPES))
    options = {
        "padding": tuple((int(b), int(a)) for b, a in zip(before, after, strict=True)),
        "stride": tuple(stride.tolist()),
        "dilation": tuple(dilation.tolist()),
        "groups": groups,
        "padding_mode": modes,
    }
    if set(modes) == {"constant"}:
        channels = groups * in_group
        options["fill_value"] = rng.integers(1, 5, channels) if rng.random() < 0.5 else 3
    x_shape = (*batch, groups * in_group, *size.tolist())
    w_shape = (groups * out_group, in_group, *kernel.tolist())
    return problem(seed, x_shape, w_shape, dtype, bias=bool(rng.random() < 0.5), **options)


@pytest.mark.parametrize("seed", range(60))
def test_cpu_and_device_agree_with_the_reference(device, seed):
    p = random_problem(seed)
    p.check(p.run(device))
    p.check(getattr(implicitpad, f"conv{p.rank}d")(p.x, p.w, p.bias, **p.options))


def pool_geometry(resolve, given, p):
    """Of a pooling problem; `given` are the arguments that all problems share."""
    options = dict(p.options)
    return resolve("pool", p.rank, p.input, options.pop("kernel_size"), **(given | options))


@settings(max_examples=24)
@given(p=problems())
def test_maxima_on_cpu_and_device_agree_with_the_reference(device, p):
    """Values and indices, also of NaN and infinities; gradients, with the bits of the CPU."""
    geometry = pool_geometry(max_pool_geometry, MAX, p)
    x = device.asarray(p.input)
    got = [device.asnumpy(part) for part in _cuda_pool.pool(device, geometry, x, True)]
    for ours, cpu, reference in zip(
        got, p.max(return_indices=True), p.max_reference(), strict=True
    ):
        np.testing.assert_array_equal(ours.astype(float), cpu.astype(float))
        np.testing.assert_array_equal(ours.astype(float), reference.astype(float))
    if p.input.dtype.kind not in "iu":
        grad = values(np.random.default_rng(0), geometry.out_shape, p.input.dtype)
        found = _cuda_pool_gradient.max_pool_backward(device, geometry, device.asarray(grad), x)
        backward = getattr(implicitpad, f"max_pool{p.rank}d_backward")
        want = backward(grad, p.input, **p.options).input
        np.testing.assert_array_equal(device.asnumpy(found[0]).astype(float), want.astype(float))


@settings(max_examples=24)
@given(p=problems(dtypes=FLOATS, special=False))
def test_means_on_cpu_and_device_agree_with_the_reference(device, p):
    """And their gradients with the CPU's: in every bit, unless a mode repeats elements."""
    geometry = pool_geometry(avg_pool_geometry, MEAN, p)
    x = device.asarray(p.input)
    got = device.asnumpy(_cuda_pool.pool(device, geometry, x)[0]).astype(np.float64)
    total, size, count = p.mean_reference()
    terms = int(np.prod([side.kernel for side in p.sides]))
    bound = gamma(p.input.dtype, terms) * size / count + UNDERFLOW[p.input.dtype.name]
    assert (np.abs(got - total / count) <= bound).all()
    assert (np.abs(got - p.avg().astype(np.float64)) <= 2 * bound).all()
    grad = values(np.random.default_rng(0), geometry.out_shape, p.input.dtype)
    found = _cuda_pool_gradient.avg_pool_backward(device, geometry, device.asarray(grad), x)
    backward = getattr(implicitpad, f"avg_pool{p.rank}d_backward")
    ours = device.asnumpy(found[0]).astype(np.float64)
    want = backward(grad, p.input, **p.options).input.astype(np.float64)
    once = all(side.mode == "constant" for side in p.sides)
    terms = 0 if once else grad.size * terms
    slack = 2 * gamma(p.input.dtype, terms) * np.abs(grad.astype(np.float64)).sum()
    assert (np.abs(ours - want) <= (0 if once else slack)).all()


def test_the_comparison_fails_on_a_wrong_result():
    p = problem(0, (1, 3, 5, 5), (4, 3, 3, 3), padding=1)
    right = p.expected().astype(np.float32)
    p.check(right)
    wrong = right.copy()
    wrong[0, 0, 0, 0] += 1e-3
    with pytest.raises(AssertionError, match="times the error bound"):
        p.check(wrong)


FAMILIES = {
    "direct": ((1, 3, 5, 6), (4, 3, 3, 3), {}),
    "planes": ((1, 3, 5, 6), (3, 1, 3, 3), {"groups": 3}),
    "few_channels": ((1, 3, 5, 6), (18, 3, 3, 3), {}),
    "gemm": ((1, 9, 5, 6), (10, 9, 3, 3), {}),
}


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("fill", [np.inf, -np.inf, np.nan])
def test_infinities_and_nan_behave_as_in_a_copy(device, family, fill, dtype):
    """As the fill, and in the data, also beside padding and beside lanes past the last channel."""
    x, w, options = FAMILIES[family]
    p = problem(12, x, w, dtype, padding=1, fill_value=fill, **options)
    p.w[1] = 0  # infinity times zero is NaN, but only where the infinity is
    p.check(p.run(device, family))
    p = problem(13, x, w, dtype, padding=1, fill_value=1.0, **options)
    p.x[0, 0, 2, 3] = fill
    p.x[0, -1, -1, -1] = np.inf
    p.check(p.run(device, family))


def test_subnormals_are_kept(device):
    p = problem(14, (1, 1, 4, 4), (1, 1, 1, 1), bias=False)
    p.x = (p.x * np.float32(1e-41)).astype(np.float32)
    p.w[...] = 1
    np.testing.assert_array_equal(p.run(device), p.x)
