"""Convolution as a matrix: adjointness, the dense and the sparse form, the offset."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from strategies import MODES, numbers, problems

import implicitpad as ip


def operator_of(problem):
    return ip.linear_operator(problem.weight, problem.input.shape, **problem.options)


@given(problem=problems(dtypes=("float64",), special=False))
def test_is_adjoint(instruction_set, threads, problem):
    A = operator_of(problem)
    x, y = numbers(1, A.shape[1:], "float64"), numbers(2, A.shape[:1], "float64")
    left, right = (A.matvec(x) * y).sum(), (x * A.rmatvec(y)).sum()
    # |y| |A| |x| is what the rounding of either side is relative to
    magnitudes = ip.linear_operator(abs(problem.weight), problem.input.shape, **problem.options)
    assert abs(left - right) <= 1e-12 * (abs(y) @ magnitudes.matvec(abs(x)) + 1e-300)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(4, 7, 6), (2, 4, 7, 6)])
def test_dense_sparse_and_scipy_forms_are_one_matrix(mode, shape):
    pytest.importorskip("scipy")
    weight = numbers(1, (6, 2, 3, 2), "float64")
    A = ip.linear_operator(weight, shape, (2, 1), ((9, 2), (1, 8)), (1, 2), 2, padding_mode=mode)
    dense, sparse, operator = A.to_dense(), A.to_sparse(), A.to_scipy()
    np.testing.assert_allclose(dense, sparse.toarray(), rtol=1e-13, atol=1e-13)
    x, y = numbers(2, (A.shape[1], 3), "float64"), numbers(3, (A.shape[0], 3), "float64")
    for product in (A @ x, operator @ x, sparse @ x):
        np.testing.assert_allclose(product, dense @ x, rtol=1e-11, atol=1e-11)
    for product in (A.rmatmat(y), operator.H @ y):
        np.testing.assert_allclose(product, dense.T @ y, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(A @ x[:, 0], dense @ x[:, 0], rtol=1e-11, atol=1e-11)


@given(problem=problems(dtypes=("float64",), special=False))
def test_matrix_and_offset_make_the_convolution(problem):
    A = operator_of(problem)
    problem.bias = None
    got = A.matvec(problem.input.reshape(-1)) + A.offset
    want = problem.conv().reshape(-1)
    scale = max(1.0, abs(want).max(initial=0), abs(A.offset).max(initial=0))
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-11 * scale * problem.weight.size)


def test_without_a_fill_the_offset_is_zero():
    for mode in MODES:
        A = ip.linear_operator(np.ones((1, 1, 3)), (1, 5), padding=2, padding_mode=mode)
        assert not A.offset.any()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.ones((2, 3)), (3, 5)), ValueError, "weight must have 1 to 3 spatial axes"),
        ((np.ones((2, 3, 3)), 5), TypeError, "input_shape must be a sequence"),
        ((np.ones((2, 3, 3)), (3, 5.0)), TypeError, "input_shape must be an int"),
        ((np.ones((2, 3, 3)), (2, 5)), ValueError, "weight has 3 input channels"),
        ((np.ones((2, 3, 3), int), (3, 5)), TypeError, "weight must hold floats"),
    ],
)
def test_bad_input_is_one_clear_error(arguments, error, message):
    with pytest.raises(error, match=message) as caught:
        ip.linear_operator(*arguments)
    assert str(caught.value).startswith("linear_operator: ")


def test_operands_of_the_wrong_shape_are_refused():
    A = ip.linear_operator(np.ones((1, 1, 3)), (1, 5))
    for method in (A.matvec, A.rmatvec, A.matmat, A.rmatmat):
        with pytest.raises(ValueError, match="the operand must have shape"):
            method(np.ones((4, 4, 4)))
