"""What the border holds: an array of the core's rank, (1 or N, C, P1, …), periodic in space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np


def refuse(function: str, why: str, fix: str) -> NoReturn:
    """Say what cannot stay implicit, and what can be done instead."""
    raise ValueError(f"{function}: {why}; {fix}.")


def as_fill(function: str, fill: Any, core: Any, rank: int) -> Any:
    """A given fill in the dtype and rank of `core`; an error where it would not be represented."""
    lead = core.shape[: core.ndim - rank]
    ones = (1,) * rank
    given = fill if hasattr(fill, "shape") else np.asarray(fill)
    if given.dtype.kind not in "biufcV":
        raise TypeError(
            f"{function}: fill must be a number or numbers, got {fill!r}; pass a number."
        )
    values = given
    if values.ndim == 0:
        values = np.broadcast_to(values, lead[-1:])
    if values.ndim == 1 or (values.ndim == 2 and len(lead) == 2):
        values = values.reshape(values.shape + ones)
    if values.ndim == core.ndim - 1 and len(lead) == 2:
        values = values[None]
    shared = len(lead) == 1 or (values.ndim == core.ndim and values.shape[0] in (1, lead[0]))
    if (
        values.ndim != core.ndim
        or values.shape[len(lead) - 1] != lead[-1]
        or not shared
        or 0 in values.shape[len(lead) :]
    ):
        raise ValueError(
            f"{function}: fill must be a number, or have shape ({lead[-1]},), (N, {lead[-1]}) or "
            f"the rank of the core with a period for each spatial axis, got shape {given.shape}; "
            f"core.shape={core.shape}; pass one value for each of the {lead[-1]} channels."
        )
    if values.dtype.kind == "c" and core.dtype.kind != "c":
        raise TypeError(
            f"{function}: a complex fill does not go with dtype {core.dtype}; pass fill.real."
        )
    with np.errstate(all="ignore"):
        cast = values.astype(core.dtype)
    if values.dtype != core.dtype:
        if core.dtype.kind in "biu":
            fits = bool((cast == values).all())
        else:
            fits = not bool((np.isfinite(values) & ~np.isfinite(cast)).any())
        if not fits:
            raise ValueError(
                f"{function}: fill {fill!r} does not fit dtype {core.dtype}; convert the core to a "
                "wider dtype first."
            )
    if cast is fill or np.may_share_memory(cast, given):
        cast = cast.copy()
    return np.asarray(cast, like=core)


def tiled(fill: Any, box: Sequence[tuple[int, int]]) -> Any:
    """The border's values on a box of positions; an axis of period 1 keeps length 1."""
    rank = len(box)
    for axis, (start, stop) in enumerate(box):
        place = axis - rank
        period = fill.shape[place]
        if period > 1:
            fill = np.take(fill, np.arange(start, stop, like=fill) % period, axis=place)
    return fill


def window(fill: Any, box: Sequence[tuple[int, int]], lead: tuple[int, ...]) -> Any:
    """`tiled` in full size, as a view where the fill is constant."""
    shape = lead + tuple([stop - start for start, stop in box])
    return np.broadcast_to(tiled(fill, box), shape)


def same_bits(a: Any, b: Any) -> Any:
    """Elementwise: equal in every bit that arithmetic can tell apart (NaN = NaN, but −0 ≠ 0)."""
    if a.dtype.kind == "c":
        return same_bits(a.real, b.real) & same_bits(a.imag, b.imag)
    if a.dtype.kind in "biu":
        return a == b
    return ((a == b) & (np.signbit(a) == np.signbit(b))) | ((a != a) & (b != b))


def equal_fills(a: Any, b: Any) -> bool:
    return a.shape == b.shape and bool(same_bits(a, b).all())


def bounds(array: Any, value: Any, rank: int, tolerance: float) -> list[tuple[int, int]]:
    """Start and stop, on each spatial axis, of what is not `value`; (0, 0) if nothing."""
    ends = [(0, 0)] * rank
    lead = array.shape[: array.ndim - rank]
    value = np.broadcast_to(value, lead + value.shape[-rank:])
    for place in np.ndindex(lead):  # one plane at a time: the mask stays small
        plane = array[place]
        if tolerance:
            with np.errstate(invalid="ignore"):
                differs = ~(_distance(plane, value[place]) <= tolerance)
            differs &= ~same_bits(plane, value[place])
        else:
            differs = ~same_bits(plane, value[place])
        for axis in range(rank):
            rows = np.flatnonzero(differs.any(axis=tuple(a for a in range(rank) if a != axis)))
            if len(rows):
                start, stop = int(rows[0]), int(rows[-1]) + 1
                old = ends[axis]
                ends[axis] = (min(old[0], start), max(old[1], stop)) if old[1] else (start, stop)
    return ends


def _distance(a: Any, b: Any) -> Any:
    """|a − b| without wrapping round in unsigned integers."""
    return np.maximum(a, b) - np.minimum(a, b) if a.dtype.kind in "iu" else np.abs(a - b)


def merged(fill: Any, rank: int) -> Any:
    """The fill with its least periods. From values: never on the way to a gradient."""
    for place in range(-rank, 0):
        period = fill.shape[place]
        for shorter in range(1, period):
            if period % shorter == 0:
                again = np.take(fill, np.arange(period, like=fill) % shorter, axis=place)
                if same_bits(fill, again).all():
                    fill = np.take(fill, np.arange(shorter, like=fill), axis=place)
                    break
    return fill
