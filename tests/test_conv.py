"""Convolution: the laws that define it, on every instruction set and with one and two threads."""

from __future__ import annotations

import numpy as np
import pytest
from comparison import assert_identical, assert_within, error_bound
from hypothesis import given
from strategies import FLOATS, INTEGERS, problems


@given(problem=problems())
def test_equals_explicit_padding_bit_for_bit(instruction_set, threads, problem):
    assert_identical(problem.conv(), problem.conv_of_padded())


@given(problem=problems(dtypes=FLOATS))
def test_agrees_with_the_reference_within_the_error_bound(instruction_set, threads, problem):
    assert_within(problem.conv(), problem.reference(), error_bound(problem))


@given(problem=problems(dtypes=INTEGERS))
def test_integers_are_exact(instruction_set, threads, problem):
    got, want = problem.conv(), problem.reference()
    np.testing.assert_array_equal(got.astype(want.dtype), want)
