"""The index map of a geometry's axes as one int32 table in device memory."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ._cuda_device import Device, kernel
from ._cuda_params import I32, MODES, TABLE, structure, three

THREADS = 256


def lengths(axes: tuple[Any, ...]) -> tuple[int, ...]:
    """Virtual positions that the windows of each axis reach."""
    return three((axis.stride * (axis.out - 1) + axis.extent for axis in axes), 1)


def firsts(axes: tuple[Any, ...]) -> tuple[int, ...]:
    """Where the table of each axis begins."""
    depth, height, _ = lengths(axes)
    return (0, depth, depth + height)


@functools.lru_cache(maxsize=256)
def index_table(device: Device, axes: tuple[Any, ...]) -> Any:
    """Tables of all axes, one after the other; -1 means the fill value, -2 is past the padding.

    Made by a kernel, once per device and set of axes. The stream is waited for, so that the table
    may be read from any other stream.
    """
    length = lengths(axes)
    table = device.empty((sum(length),), I32)
    params = structure(
        TABLE,
        first=firsts(axes),
        length=length,
        extent=three((axis.virtual for axis in axes), 1),
        before=three((axis.before for axis in axes), 0),
        size=three((axis.size for axis in axes), 1),
        mode=three((MODES.index(axis.mode) for axis in axes), 0),
    )
    grid = (-(-max(length) // THREADS), 3)
    kernel(device, "index_table", "index_table")(grid, (THREADS,), (table, params))
    device.synchronize()
    return table


def inverse_table(
    lists: Sequence[tuple[np.ndarray, np.ndarray]], sizes: Sequence[int]
) -> tuple[np.ndarray, tuple[int, ...]]:
    """For every index of every axis, what reads it.

    ``lists[a]`` holds indices along axis a, negative ones for none, and what reads each. Returns
    one int32 array and where each axis begins in it: bounds of the lists first (``size + 1`` of
    them, as places in the array itself), then the lists one after the other, in the order given.
    """
    parts: list[np.ndarray] = []
    starts, end = [], 0
    for (source, reader), size in zip(lists, sizes, strict=True):
        order = np.argsort(source, kind="stable")
        inside = order[np.searchsorted(source[order], 0) :]
        counts = np.bincount(source[inside], minlength=size)
        bounds = end + size + 1 + np.concatenate([[0], np.cumsum(counts)])
        starts.append(end)
        parts += [bounds, reader[inside]]
        end += size + 1 + len(inside)
    return np.concatenate(parts).astype(np.int32), tuple(starts)
