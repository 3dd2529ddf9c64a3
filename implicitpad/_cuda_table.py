"""The index map of a geometry's axes as one int32 table in device memory."""

from __future__ import annotations

import functools
from typing import Any

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
