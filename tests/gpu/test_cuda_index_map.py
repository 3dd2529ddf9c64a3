"""The index map on the device is numpy.pad, for every mode, size and position within reach."""

from __future__ import annotations

import numpy as np
import pytest

from implicitpad._cuda_table import index_table
from implicitpad._geometry import Axis
from implicitpad._reference import NUMPY_MODES


def expected(n: int, before: int, after: int, mode: str) -> np.ndarray:
    """Pad the positions themselves; -1 as the fill value marks the padding."""
    positions = np.arange(n)
    if mode == "constant":
        return np.pad(positions, (before, after), constant_values=-1)
    return np.pad(positions, (before, after), mode=NUMPY_MODES[mode])


@pytest.mark.parametrize("mode", NUMPY_MODES)
@pytest.mark.parametrize("n", range(1, 7))
def test_index_map_is_numpy_pad(device, mode, n):
    axis = Axis(n, 1, 1, 1, 3 * n, 3 * n + 1, mode)
    table = device.asnumpy(index_table(device, (axis,)))
    np.testing.assert_array_equal(table[2:], expected(n, 3 * n, 3 * n + 1, mode))
    np.testing.assert_array_equal(table[:2], 0)  # the axes that are missing


def test_axes_with_modes_of_their_own_share_a_table(device):
    axes = (
        Axis(3, 2, 2, 3, 4, 5, "reflect"),
        Axis(5, 1, 3, 1, -1, 8, "constant"),
        Axis(2, 3, 1, 1, 7, -1, "circular"),
    )
    parts = []
    for axis in axes:
        whole = expected(axis.size, max(axis.before, 0), max(axis.after, 0), axis.mode)
        start = max(-axis.before, 0)
        parts.append(whole[start : start + axis.stride * (axis.out - 1) + axis.extent])
    table = device.asnumpy(index_table(device, axes))
    np.testing.assert_array_equal(table, np.concatenate(parts))


def test_positions_near_the_integer_limit(device):
    """Twice the axis is more than an int32 holds."""
    n = 2**31 - 8
    first = device.asnumpy(index_table(device, (Axis(n, 1, 1, 1, 6, -(n - 3), "symmetric"),)))
    np.testing.assert_array_equal(first[2:], [5, 4, 3, 2, 1, 0, 0, 1, 2])
    last = device.asnumpy(index_table(device, (Axis(n, 1, 1, 1, -(n - 2), 4, "reflect"),)))
    np.testing.assert_array_equal(last[2:], [n - 2, n - 1, n - 2, n - 3, n - 4, n - 5])
