"""The comparisons themselves: each must fail on a wrong result."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from comparison import assert_identical, assert_within, error_bound
from strategies import Problem, numbers

from implicitpad._geometry import Axis

RIGHT = np.array([1.0, -0.0, np.nan, np.inf], np.float32)


@pytest.mark.parametrize(
    "wrong",
    [
        np.nextafter(RIGHT, 2, dtype=np.float32),
        np.array([1.0, 0.0, np.nan, np.inf], np.float32),
        np.array([1.0, -0.0, 0.0, np.inf], np.float32),
        np.array([1.0, -0.0, np.nan, -np.inf], np.float32),
        RIGHT.astype(np.float64),
        RIGHT[:3],
        RIGHT[None],
    ],
)
def test_identity_fails_on_any_difference(wrong):
    assert_identical(RIGHT, RIGHT.copy())
    with pytest.raises(AssertionError):
        assert_identical(wrong, RIGHT)


def problem():
    axes = (Axis(9, 3, 1, 1, 2, 2, "constant"), Axis(12, 3, 1, 1, 1, 0, "circular"))
    input, weight = numbers(1, (4, 9, 12), "float32"), numbers(2, (3, 4, 3, 3), "float32")
    return Problem(input, weight, numbers(3, (3,), "float32"), axes, fill_value=0.5)


def test_bound_is_small():
    """A wrong tap is hundreds of bounds away."""
    bound, want = error_bound(problem()), problem().reference()
    assert (bound > 0).all()
    assert bound.max() < 5e-3
    assert abs(want).max() > 1


@pytest.mark.parametrize(
    "wrong",
    [
        replace(problem(), fill_value=0.501),
        replace(problem(), bias=None),
        replace(problem(), axes=(problem().axes[0], replace(problem().axes[1], mode="replicate"))),
        replace(problem(), weight=problem().weight[:, :, ::-1]),
        replace(problem(), input=problem().input + np.eye(1, 12, 5, dtype=np.float32) / 100),
    ],
)
def test_bound_fails_on_a_slightly_different_problem(wrong):
    right = problem()
    assert_within(right.conv(), right.reference(), error_bound(right))
    with pytest.raises(AssertionError):
        assert_within(wrong.reference().astype(np.float32), right.reference(), error_bound(right))


@pytest.mark.parametrize(
    ("got", "want"), [(np.nan, 1.0), (np.inf, 1.0), (1.0, np.nan), (1.0, np.inf), (-np.inf, np.inf)]
)
def test_bound_fails_on_another_kind_of_number(got, want):
    with pytest.raises(AssertionError):
        assert_within(np.float32([got]), np.float64([want]), np.array([0.5]))
    with pytest.raises(AssertionError):
        assert_within(np.float32([got]), np.float64([want]), np.array([np.nan]))


def test_bound_lets_a_type_overflow_where_its_range_ends():
    assert_within(np.array([np.inf], np.float16), np.array([65530.0]), np.array([1.0]))
    with pytest.raises(AssertionError):
        assert_within(np.array([np.inf], np.float16), np.array([65000.0]), np.array([1.0]))
