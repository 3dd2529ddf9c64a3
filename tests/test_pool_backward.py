"""Gradients of pooling: against central differences, for every mode, and as adjoints."""

from __future__ import annotations

import numpy as np
from comparison import assert_identical
from hypothesis import given
from hypothesis import strategies as st
from pooling import Problem, Side, problems
from strategies import FLOATS, LAYOUTS, lay_out, numbers

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


@st.composite
def small_windows(draw):
    """Windows of 2 and 3, 1 or 2 apart, over 2-D planes: what the vectorised gradients are for."""
    sides = []
    for longest in (12, 70):
        size, kernel = draw(st.integers(1, longest)), draw(st.sampled_from([2, 3]))
        stride, before = draw(st.sampled_from([1, 2])), draw(st.sampled_from([0, 0, 1, 2, 5, -1]))
        before = max(before, 1 - size)
        after = draw(st.integers(0, 3)) + max(0, kernel - before - size)
        mode = draw(st.sampled_from(["constant", "constant", "replicate"]))
        sides.append(Side(size, kernel, stride, 1, before, after, mode, False))
    if draw(st.booleans()):  # side by side
        sides = [Side(2 * side.size, 2, 2, 1, 0, 0, side.mode, False) for side in sides]
    dtype = draw(st.sampled_from(["float32", "float64"]))
    shape = (2, 3, *(side.size for side in sides))
    values = numbers(draw(st.integers(0, 99)), shape, dtype, "small integers", draw(st.booleans()))
    fill = draw(st.sampled_from([None, 0.5])) if "constant" in {s.mode for s in sides} else None
    return Problem(lay_out(values, draw(st.sampled_from(LAYOUTS))), tuple(sides), fill)


@given(problem=small_windows() | problems(dtypes=FLOATS))
def test_indices_say_what_the_search_finds(instruction_set, problem):
    values, indices = problem.max(return_indices=True)
    upstream = np.random.default_rng(0).standard_normal(values.shape).astype(values.dtype)
    found = backward(problem, "max", upstream)
    told = backward(problem, "max", upstream, indices=indices)
    assert_identical(found.input, told.input)
    if found.fill_value is not None:
        assert_identical(found.fill_value, told.fill_value)


@given(problem=small_windows())
def test_gradients_of_maxima_are_added_window_by_window(instruction_set, problem):
    places = problem.max_reference()[1]
    upstream = np.random.default_rng(0).standard_normal(places.shape).astype(problem.input.dtype)
    want = np.zeros((6, problem.input[0, 0].size), problem.input.dtype)
    for plane, index, grad in zip(
        want, places.reshape(6, -1), upstream.reshape(6, -1), strict=True
    ):
        np.add.at(plane, index[index >= 0], grad[index >= 0])
    got = backward(problem, "max", upstream)
    assert_identical(got.input, want.reshape(problem.input.shape))
    if problem.fill_value is not None:
        np.testing.assert_allclose(got.fill_value, upstream[places < 0].sum(), atol=1e-4)


@given(problem=small_windows(), include=st.booleans())
def test_gradients_of_means_are_shares_of_the_windows(instruction_set, problem, include):
    include = include or problem.fill_value is not None
    include = include or {side.mode for side in problem.sides} != {"constant"}
    with np.errstate(all="ignore"):
        count = problem.mean_reference(include)[2]
    upstream = np.random.default_rng(0).standard_normal(problem.max().shape)
    upstream = upstream.astype(problem.input.dtype)
    want = np.zeros((6, problem.input[0, 0].size))
    for _, index in problem.taps():
        inside = index.ravel() >= 0
        with np.errstate(all="ignore"):
            shares = (upstream / count).reshape(6, -1)
        for plane, share in zip(want, shares, strict=True):
            np.add.at(plane, index.ravel()[inside], share[inside])
    got = backward(problem, "avg", upstream, count_include_pad=include).input
    assert got.dtype == problem.input.dtype
    np.testing.assert_allclose(got, want.reshape(problem.input.shape), atol=2e-5)


@given(problem=small_windows() | problems(dtypes=FLOATS), seed=st.integers(0, 99))
def test_any_indices_are_safe(instruction_set, problem, seed):
    """Wrong ones may lose gradients, but write nothing outside, nor more than there is."""
    rng = np.random.default_rng(seed)
    shape = problem.max().shape
    size = np.prod([side.size for side in problem.sides])
    indices = rng.integers(-2 * size - 2, 2 * size + 2, shape)
    indices[rng.random(shape) < 0.2] = rng.choice([2**63 - 1, -(2**63), 2**32 + 1, 2**31])
    upstream = np.ones(shape).astype(problem.input.dtype)
    got = backward(problem, "max", upstream, indices=indices).input.astype(np.float64)
    assert (got >= 0).all()
    assert got.sum() <= upstream.size


def test_strided_and_broadcast_indices_are_read():
    x = np.random.default_rng(0).standard_normal((2, 3, 9, 12))
    values, indices = ip.max_pool2d(x, 3, 2, 1, return_indices=True)
    want = ip.max_pool2d_backward(values, x, 3, 2, 1).input
    for layout in LAYOUTS:
        if layout != "broadcast":
            got = ip.max_pool2d_backward(values, x, 3, 2, 1, indices=lay_out(indices, layout))
            assert_identical(got.input, want)
