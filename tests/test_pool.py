"""Pooling: against the plain reference, against explicit padding, against PyTorch and SciPy."""

from __future__ import annotations

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
        bound = gamma(got.dtype, np.prod([side.kernel for side in problem.sides])) * size / abs(count)
        bound += np.finfo(np.float16).smallest_subnormal if got.dtype == np.float16 else 0
        assert got.shape == want.shape
        assert got.dtype == problem.input.dtype
        got = got.astype(np.float64)
        close = abs(got - want) <= bound
        same = (got == want) | (np.isnan(got) & np.isnan(want)) | close
    assert same.all(), f"{got[~same]} is not {want[~same]}"
