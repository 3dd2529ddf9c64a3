"""Gradients of pooling: against central differences, for every mode, and as adjoints."""

from __future__ import annotations

import numpy as np
from comparison import assert_identical
from hypothesis import given
from hypothesis import strategies as st
from pooling import problems

import implicitpad as ip
from implicitpad import _numpy_pool_gradient


def backward(problem, name, upstream, **changes):
    function = getattr(ip, f"{name}_pool{problem.rank}d_backward")
    return function(upstream, problem.input, **{**problem.options, **changes})


@given(problem=problems(dtypes=("float64",), special=False), include=st.booleans())
def test_mean_backward_is_the_adjoint(problem, include):
    constant = {side.mode for side in problem.sides} == {"constant"}
    if not include and constant:
        problem.fill_value = None
        changes = {"count_include_pad": False}
    else:
        changes = {}
    with np.errstate(all="ignore"):
        y = problem.avg(**changes)
        upstream = np.random.default_rng(0).standard_normal(y.shape)
        upstream[np.isnan(y)] = 0
        got = backward(problem, "avg", upstream, **changes)
        fill = 0 if problem.fill_value is None else problem.fill_value
        want = np.nansum(upstream * y)
    affine = 0 if got.fill_value is None else (got.fill_value * fill).sum()
    if not np.isnan(y).any():
        scale = 1 + abs(upstream).sum() * (1 + abs(problem.input).max())
        assert abs((got.input * problem.input).sum() + affine - want) <= 1e-12 * scale


@given(problem=problems(dtypes=("float64",), special=False))
def test_backward_agrees_with_central_differences(problem):
    rng = np.random.default_rng(0)
    distinct = rng.permutation(problem.input.size).reshape(problem.input.shape) * 1.0
    problem.input, step = distinct, 1e-3
    if problem.fill_value is not None:
        problem.fill_value = np.asarray(problem.fill_value) + 0.37
    upstream = rng.standard_normal(problem.max().shape)
    for name in ("max", "avg"):
        pool, got = getattr(problem, name), backward(problem, name, upstream)
        direction = rng.standard_normal(problem.input.shape)
        base, ends = problem.input, []
        for sign in (step, -step):
            problem.input = base + sign * direction
            y = pool()
            ends.append((upstream * np.where(np.isinf(y), 0, y)).sum())
        problem.input = base
        numeric = (ends[0] - ends[1]) / (2 * step)
        scale = abs(upstream).sum() * (1 + base.size)
        assert abs(numeric - (got.input * direction).sum()) <= 1e-9 * scale
        assert got.input.shape == problem.input.shape
        if problem.fill_value is not None and got.fill_value is not None:
            fill, ends = problem.fill_value, []
            for sign in (step, -step):
                problem.fill_value = fill + sign
                ends.append((upstream * pool()).sum())
            problem.fill_value = fill
            assert got.fill_value.shape == np.shape(fill)
            numeric = (ends[0] - ends[1]) / (2 * step)
            assert abs(numeric - got.fill_value.sum()) <= 1e-9 * scale


@given(problem=problems(dtypes=("float32", "float16", "bfloat16"), special=False))
def test_gradients_have_the_dtype_of_the_input(problem):
    upstream = np.ones(problem.max().shape).astype(problem.input.dtype)
    for name in ("max", "avg"):
        got = backward(problem, name, upstream)
        assert got.input.dtype == problem.input.dtype
        assert got.input.shape == problem.input.shape


def test_an_element_may_be_read_by_windows_that_are_not_neighbours():
    """Windows 0, 1, 2 read the elements (3, 0, 2), (1, 1, 4), (0, 3, 6)."""
    grad = np.array([[1.0, 10.0, 100.0]]) * 3
    got = ip.avg_pool1d_backward(
        grad, np.zeros((1, 7)), 3, 2, ((4, 0),), dilation=3, padding_mode="symmetric"
    ).input
    np.testing.assert_array_equal(got, [[101, 20, 1, 101, 10, 0, 100]])


@given(problem=problems(dtypes=("float32",)))
def test_threads_do_not_change_the_bits_of_gradients(problem):
    upstream = np.random.default_rng(0).standard_normal(problem.max().shape, dtype=np.float32)
    before, adds = ip.get_num_threads(), _numpy_pool_gradient.ADDS_PER_THREAD
    try:
        _numpy_pool_gradient.ADDS_PER_THREAD = 1
        for name in ("max", "avg"):
            found = []
            for threads in (1, 2):
                ip.set_num_threads(threads)
                found.append(backward(problem, name, upstream))
            assert_identical(found[0].input, found[1].input)
    finally:
        ip.set_num_threads(before)
        _numpy_pool_gradient.ADDS_PER_THREAD = adds
