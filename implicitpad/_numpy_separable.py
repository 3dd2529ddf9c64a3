"""Filters that are a column times a row: two passes instead of one, where precision allows it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _conv_cpu
from ._numpy import conv_plan, whole

if TYPE_CHECKING:
    from ._geometry import ConvGeometry

    Array = np.ndarray[Any, np.dtype[Any]]

SMALLEST = 7  # rows and columns from which on two passes are faster than one


def plan(geometry: ConvGeometry, axes: tuple[Any, ...], terms: Array, direct: bool) -> Any:
    """A plan of two passes; None unless both are over planes and `terms` are of rank 1."""
    depth, down, along = axes
    virtual = (along.out - 1) * along.stride + along.extent
    if along.size == 0 or along.before < 0 or along.before + along.size > virtual:
        return None
    if not are_of_rank_1(terms):
        return None
    first = conv_plan(geometry, (depth, down, whole(along.size)), True, False, False)
    filters, dtype = geometry.out_channels, geometry.dtype.name
    second = _conv_cpu.ConvPlan(
        (whole(depth.out), whole(down.out), replace(along, size=virtual, before=0, after=0)),
        geometry.batch,
        filters,
        filters,
        filters,
        dtype,
        dtype,
        geometry.out_dtype.name,
        direct,
        False,
        False,
        1,
    )
    if first.layout != "plane" or second.layout != "plane":
        return None
    columns = _conv_cpu.index_table(along.size, along.before, virtual, along.mode)
    first.then(second, columns, along.before)
    return first


def are_of_rank_1(terms: Array) -> bool:
    """Whether each filter (K, 1, [1,] rows, columns) is a column times a row, but for rounding.

    The cross through the largest tap is compared with all others: no singular values are needed.
    """
    rows, columns = terms.shape[-2:]
    if terms.dtype.kind != "f" or min(rows, columns) < SMALLEST:
        return False
    if terms.ndim < 4 or terms[0].size != rows * columns:
        return False
    taps = terms.reshape(-1, rows, columns).astype(np.float64)
    every = np.arange(len(taps))
    row, column = np.divmod(abs(taps).reshape(len(taps), -1).argmax(1), columns)
    largest = taps[every, row, column][:, None]
    if not np.isfinite(taps).all() or not largest.all():
        return False
    cross = taps[every, :, column][:, :, None] * (taps[every, row] / largest)[:, None]
    allowed = 2 * np.finfo(terms.dtype).eps * abs(largest[:, 0])
    return bool((abs(cross - taps).max((1, 2)) <= allowed).all())
