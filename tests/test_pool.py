"""Pooling: against the plain reference, against explicit padding, against PyTorch and SciPy."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from comparison import assert_identical
from hypothesis import given
from hypothesis import strategies as st
from pooling import Problem, gamma, problems
from strategies import FLOATS

import implicitpad as ip
from implicitpad._reference import explicit_pad


@given(problem=problems())
def test_maxima_and_indices_are_the_references(instruction_set, problem):
    want, place = problem.max_reference()
    values, indices = problem.max(return_indices=True)
    for got in (problem.max(), values):
        assert got.dtype == problem.input.dtype
        assert got.shape == want.shape
        np.testing.assert_array_equal(got, want)
    assert indices.dtype == np.int64
    np.testing.assert_array_equal(indices, place)


@given(problem=problems(dtypes=FLOATS), divisor=st.sampled_from([None, 3, -2]))
def test_means_are_the_references(instruction_set, problem, divisor):
    check_mean(problem, True, divisor)


@given(problem=problems(dtypes=FLOATS, modes=("constant",), fills=("none",)))
def test_means_of_elements_are_the_references(instruction_set, problem):
    check_mean(problem, False, None)


def check_mean(problem, count_include_pad, divisor):
    got = problem.avg(count_include_pad=count_include_pad, divisor_override=divisor)
    with np.errstate(all="ignore"):
        total, size, count = problem.mean_reference(count_include_pad)
        count = divisor or count
        want = total / count
        bound = (
            gamma(got.dtype, np.prod([side.kernel for side in problem.sides])) * size / abs(count)
        )
        bound += np.finfo(np.float16).smallest_subnormal if got.dtype == np.float16 else 0
        assert got.shape == want.shape
        assert got.dtype == problem.input.dtype
        got = got.astype(np.float64)
        close = abs(got - want) <= bound
        same = (got == want) | (np.isnan(got) & np.isnan(want)) | close
    assert same.all(), f"{got[~same]} is not {want[~same]}"


def explicitly(problem):
    """The call on an explicit copy of the padded input, which needs no padding."""
    fill = np.asarray(0 if problem.fill_value is None else problem.fill_value)
    padded = explicit_pad(problem.input, problem.sides, fill.astype(problem.input.dtype))
    return Problem(padded, problem.sides, None), {"padding": 0, "padding_mode": "constant"}


def outputs_agree(problem, got, want):
    """ceil_mode counts from the end of the input, so that the copy may have more outputs."""
    leads = problem.input.ndim - problem.rank
    assert all(a <= b for a, b in zip(got.shape, want.shape, strict=True))
    assert_identical(got, want[(slice(None),) * leads + tuple(map(slice, got.shape[leads:]))])


@given(problem=problems())
def test_maximum_is_that_of_the_explicit_copy(instruction_set, problem):
    if problem.fill_value is None and any(side.mode == "constant" for side in problem.sides):
        lowest = -np.inf
        if problem.input.dtype.kind in "iu":
            lowest = np.iinfo(problem.input.dtype).min
        problem.fill_value = lowest
    copy, unpadded = explicitly(problem)
    outputs_agree(problem, problem.max(), copy.max(**unpadded))


@given(problem=problems(dtypes=FLOATS))
def test_mean_is_that_of_the_explicit_copy_bit_for_bit(instruction_set, problem):
    copy, unpadded = explicitly(problem)
    # hanging windows have other numbers of elements in the copy, whose input ends elsewhere
    divisor = 3 if problem.sides[0].ceil else None
    got = problem.avg(divisor_override=divisor)
    outputs_agree(problem, got, copy.avg(divisor_override=divisor, **unpadded))


@given(problem=problems(), seed=st.integers(0, 9))
def test_threads_do_not_change_bits(problem, seed):
    wide = np.repeat(np.repeat(problem.input, 5, axis=-1), 3, axis=-1 - problem.rank)
    sides = (*problem.sides[:-1], replace(problem.sides[-1], size=wide.shape[-1]))
    fill = problem.fill_value
    fill = np.repeat(fill, 3) if isinstance(fill, np.ndarray) else fill
    problem = Problem(wide, sides, fill)
    before, found = ip.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            ip.set_num_threads(threads)
            found.append(problem.max(return_indices=True))
    finally:
        ip.set_num_threads(before)
    for values, indices in found[1:]:
        assert_identical(values, found[0][0])
        assert_identical(indices, found[0][1])


def test_bands_and_blocks_do_not_change_bits(instruction_set):
    x = np.random.default_rng(0).standard_normal((1, 1, 700, 9000), dtype=np.float32)
    before = ip.get_num_threads()
    try:
        found = []
        for threads in (1, 2):
            ip.set_num_threads(threads)
            found.append(
                (
                    ip.avg_pool2d(x, (4, 5), 3, padding=7, padding_mode="reflect"),
                    *ip.max_pool2d(x, (4, 5), (2, 1), padding=4, return_indices=True),
                )
            )
    finally:
        ip.set_num_threads(before)
    for one, two in zip(*found, strict=True):
        assert_identical(one, two)
    part = ip.avg_pool2d(x[..., 8000:], (4, 5), 3, padding=((7, 7), (0, 7)), padding_mode="reflect")
    assert_identical(found[0][0][..., -20:], part[..., -20:])


def test_planes_beyond_two_to_the_31_have_their_indices(instruction_set):
    x = np.broadcast_to(np.float32(1.5), (1, 50000, 50000))
    values, indices = ip.max_pool2d(x, 2, 49990, return_indices=True)
    np.testing.assert_array_equal(values, [[[1.5, 1.5], [1.5, 1.5]]])
    last = 49990 * 50000
    np.testing.assert_array_equal(indices, [[[0, 49990], [last, last + 49990]]])


def test_fill_wins_only_where_it_is_larger():
    x = np.array([[[1.0, 3.0]]])
    values, indices = ip.max_pool2d(
        x, 1, 1, padding=((0, 0), (1, 1)), fill_value=2.0, return_indices=True
    )
    np.testing.assert_array_equal(values, [[[2, 1, 3, 2]]])
    np.testing.assert_array_equal(indices, [[[-1, 0, 1, -1]]])
    values, indices = ip.max_pool2d(
        x, (1, 2), 1, padding=((0, 0), (1, 1)), fill_value=3.0, return_indices=True
    )
    np.testing.assert_array_equal(values, [[[3, 3, 3]]])
    np.testing.assert_array_equal(indices, [[[-1, 1, 1]]])


def test_windows_in_the_padding_have_no_mean_of_elements():
    got = ip.avg_pool1d(np.ones((1, 1)), 2, 1, padding=2, count_include_pad=False)
    np.testing.assert_array_equal(got, [[np.nan, 1, 1, np.nan]])


@given(problem=problems())
def test_input_is_left_alone(problem):
    before = problem.input.tobytes()
    problem.max(return_indices=True)
    assert problem.input.tobytes() == before


@pytest.mark.parametrize("shape", [(0, 3, 5, 5), (2, 3, 0, 5)])
def test_empty_inputs_give_what_the_padding_gives(shape):
    got = ip.max_pool2d(np.zeros(shape, np.float32), 3, 1, padding=2)
    assert got.shape == (shape[0], 3, shape[2] + 2, 7)
    assert (got[..., 0, 0] == -np.inf).all()


def test_extra_memory_does_not_depend_on_the_padding():
    x = np.ones((1, 1, 500, 500), np.float32)
    peaks = []
    for padding in (0, 2000):
        result = ip.max_pool2d(x, 3, 3, padding=padding)
        tracemalloc.start()
        ip.max_pool2d(x, 3, 3, padding=padding)
        peaks.append(tracemalloc.get_traced_memory()[1] - result.nbytes)
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 200_000  # the tables of two axes; the padded copy would take 80 MB


def test_small_planes_pooled_as_one_keep_apart(instruction_set):
    x = np.random.default_rng(0).standard_normal((3, 5, 12, 9), dtype=np.float32)
    for pool in (ip.max_pool2d, ip.avg_pool2d):
        for options in ({}, {"padding": ((0, 0), (1, 1)), "fill_value": 2.0}):
            together = pool(x, (2, 3), (3, 2), **options)
            for n, c in np.ndindex(3, 5):
                alone = pool(x[n, c][None], (2, 3), (3, 2), **options)[0]
                assert_identical(together[n, c], alone)


def test_calls_with_equal_arguments_of_other_kinds_are_still_refused():
    x = np.ones((1, 4, 4), np.float32)
    ip.max_pool2d(x, (1, 2))
    for kernel in (True, 1.0, (True, 2), (1.0, 2)):
        with pytest.raises(TypeError):
            ip.max_pool2d(x, kernel)
    below, above = (
        ip.max_pool1d(np.zeros((1, 0)), 1, padding=1, fill_value=v) for v in (-0.0, 0.0)
    )
    assert np.signbit(below).all()
    assert not np.signbit(above).any()
