"""How results are compared: bit for bit, or within a bound derived from the arithmetic."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from implicitpad import _reference


def assert_identical(got, want):
    """Same shape, dtype and bits, but that any NaN equals any NaN."""
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    if got.dtype.kind in "iu":
        np.testing.assert_array_equal(got, want)
        return
    got, want = got.astype(np.float64), want.astype(np.float64)  # exact, and keeps the sign of zero
    same = (got == want) & (np.signbit(got) == np.signbit(want)) | np.isnan(got) & np.isnan(want)
    assert same.all(), f"{(~same).sum()} of {same.size} differ: {got[~same]} is not {want[~same]}"


# Binary digits of the significand, and the smallest normal exponent.
FLOATS = {
    "bfloat16": (8, -126),
    "float16": (11, -14),
    "float32": (24, -126),
    "float64": (53, -1022),
}

# |A^T| (|G| g . |B^T| d) of Winograd's F(2, 3), solved for what each element of a window is
# multiplied with; the larger of its two outputs. Rows: elements of the window; columns: taps.
WINOGRAD = np.array([[1, 1, 2], [1, 1, 1], [2, 1, 1]])


def error_bound(problem):
    """Largest error of summing in the computing type, in any order, and rounding the result.

    A sum of k products with k + 1 roundings errs by at most gamma_k = k u / (1 - k u) of the sum
    of the magnitudes; the bias takes two more. F(2, 3) multiplies each element with sums of
    taps, so that the magnitudes are larger, and rounds ten times more in its transforms. Numbers
    below the normal range lose up to half the smallest subnormal at each product; dot products of
    bfloat16 take them for zero.
    """
    geometry, weight = problem.geometry(), abs(problem.weight.astype(np.float64))
    terms, roundings = int(np.prod(weight.shape[1:])), 2
    rows, columns = ((1, 1), *((axis.kernel, axis.stride) for axis in geometry.axes))[-2:]
    if columns == (3, 1) and rows in ((1, 1), (3, 1)):
        with np.errstate(invalid="ignore"):
            weight = weight @ WINOGRAD.T
            if rows == (3, 1):
                weight = WINOGRAD @ weight
        roundings += 10
    unit, smallest = rounding(geometry.compute)
    if geometry.dtype == "bfloat16":
        largest = [
            np.nanmax(abs(a.astype(np.float64)), initial=1, where=np.isfinite(a.astype(np.float64)))
            for a in (problem.input, problem.weight)
        ]
        smallest = 2.0**-126 * max(largest)
    gamma = (terms + roundings) * unit / (1 - (terms + roundings) * unit)
    absolute = replace(geometry, fill=abs(geometry.fill))
    bias = None if problem.bias is None else abs(problem.bias)
    sizes = _reference.conv(absolute, abs(problem.input), weight, bias)
    with np.errstate(invalid="ignore"):
        bound = gamma * sizes + (terms + roundings) * 36 * smallest / 2
        if geometry.out_dtype != geometry.compute:
            unit, smallest = rounding(geometry.out_dtype)
            bound = bound + unit * (sizes + bound) + smallest / 2
    return bound


def rounding(dtype):
    """Largest relative error of rounding to a type, and its smallest subnormal."""
    digits, exponent = FLOATS[np.dtype(dtype).name]
    return 2.0**-digits, 2.0 ** (exponent - digits + 1)


def assert_within(got, want, bound):
    """|got - want| <= bound; NaN where NaN is wanted, and infinities where they or more are."""
    assert got.shape == want.shape
    digits, exponent = FLOATS[got.dtype.name]
    largest = (2 - 2.0 ** (1 - digits)) * 2.0 ** (1 - exponent)
    got = got.astype(np.float64)
    with np.errstate(invalid="ignore"):
        right = (got == want) | (abs(got - want) <= bound) & np.isfinite(want)
        right |= np.isinf(got) & (np.sign(got) == np.sign(want)) & (abs(want) + bound >= largest)
    right |= np.isnan(got) & np.isnan(want)
    assert right.all(), (
        f"{(~right).sum()} of {right.size} beyond the bound: {got[~right]} is not {want[~right]} "
        f"within {np.broadcast_to(bound, got.shape)[~right]}"
    )
