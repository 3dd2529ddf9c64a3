"""Windows and pad: against NumPy's padding and its sliding windows."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from comparison import assert_identical
from hypothesis import given
from hypothesis import strategies as st
from pooling import problems

import implicitpad as ip
from implicitpad._reference import NUMPY_MODES, explicit_pad
from implicitpad._reference import windows as plain_windows


def without_pooling(problem):
    """(arguments of windows, all windows of the explicit copy)."""
    options = {name: value for name, value in problem.options.items() if name != "ceil_mode"}
    fill = np.asarray(0 if problem.fill_value is None else problem.fill_value)
    padded = explicit_pad(problem.input, problem.sides, fill.astype(problem.input.dtype))
    return options, plain_windows(padded, problem.sides)


@given(problem=problems(), block=st.integers(1, 50))
def test_windows_are_those_of_the_explicit_copy(problem, block):
    options, want = without_pooling(problem)
    windows = ip.windows(problem.input, **options)
    assert windows.shape == want.shape
    assert windows.ndim == want.ndim
    assert_identical(np.asarray(windows), want)
    assert len(windows) == np.prod(want.shape[: -problem.rank])
    last = tuple(range(-problem.rank, 0))
    for size in (None, block):
        seen = []

        def first(part, seen=seen):
            seen.append(np.prod(part.shape[: -problem.rank]))
            return part[(..., *(0,) * problem.rank)]

        got = windows.map(first, block=size)
        assert_identical(got, want[(..., *(0,) * problem.rank)])
        assert sum(seen) == len(windows)
        assert size is None or max(seen) <= size
    counts = windows.map(lambda window: window.size, each=True)
    assert (counts == np.prod([side.kernel for side in problem.sides])).all()
    assert last[0] == -problem.rank


@given(problem=problems(dtypes=("float64", "uint8")))
def test_iteration_yields_each_window_in_order(problem):
    options, want = without_pooling(problem)
    flat = want.reshape(-1, *want.shape[-problem.rank :])
    count = 0
    for got, expected in zip(ip.windows(problem.input, **options), flat, strict=True):
        assert_identical(got, expected)
        count += 1
    assert count == len(flat)


@given(problem=problems())
def test_pad_is_the_explicit_copy(problem):
    fill = np.asarray(0 if problem.fill_value is None else problem.fill_value)
    want = explicit_pad(problem.input, problem.sides, fill.astype(problem.input.dtype))
    options = {name: problem.options[name] for name in ("padding", "fill_value", "padding_mode")}
    before = problem.input.copy()
    got = ip.pad(problem.input, **options)
    assert_identical(got, want)
    got[...] = 1
    assert_identical(problem.input, before)


@pytest.mark.parametrize("mode", NUMPY_MODES)
@pytest.mark.parametrize("widths", [((0, 0), (1, 2)), ((9, 0), (3, 31))])
def test_pad_is_numpys(mode, widths):
    x = np.random.default_rng(0).integers(0, 99, (4, 7))
    np.testing.assert_array_equal(
        ip.pad(x, widths, padding_mode=mode), np.pad(x, widths, mode=NUMPY_MODES[mode])
    )


def test_an_int_leaves_batch_and_channels():
    x = np.ones((2, 3, 4, 5))
    assert ip.pad(x, 1).shape == (2, 3, 6, 7)
    assert ip.windows(x, 2).shape == (2, 3, 3, 4, 2, 2)


def test_results_have_the_type_asked_for():
    windows = ip.windows(np.arange(6.0).reshape(1, 6), (2,))
    assert windows.map(lambda block: block.sum(-1)).dtype == np.float64
    assert windows.map(lambda block: block.sum(-1), dtype="float32").dtype == np.float32
    assert np.asarray(windows, dtype="float32").dtype == np.float32


def test_map_does_not_build_the_padded_array():
    x = np.ones((1, 1, 600, 600))
    windows = ip.windows(x, 3, 8, padding=4000)
    tracemalloc.start()
    out = windows.map(lambda block: block.max(axis=(-2, -1)))
    peak = tracemalloc.get_traced_memory()[1] - out.nbytes
    tracemalloc.stop()
    assert peak < 100e6  # the padded array would take 592 MB
