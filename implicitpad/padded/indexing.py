"""Slices, steps, flips and integers on a padded array."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from .fills import refuse
from .spans import within

if TYPE_CHECKING:
    from .array import PaddedArray

_NAME = "PaddedArray[...]"


def indexed(x: PaddedArray, key: Any) -> Any:
    """x[key]; an ordinary array when no spatial axis is left."""
    lead = len(x.lead)
    keys = _full_key(key, x.ndim)
    for item in keys[lead:]:
        if not isinstance(item, slice) and _as_int(item) is None:
            refuse(
                _NAME, f"spatial axes take slices and integers, got {item!r}", "materialize() first"
            )
    channel = _as_int(keys[lead - 1])
    if channel is not None:
        refuse(
            _NAME,
            f"the channel axis must stay, got the integer {channel}",
            f"write {channel}:{channel + 1 or None}",
        )
    for axis, item in enumerate(keys[lead:]):
        x = _along(x, axis, item)
    channels = (slice(None),) * (lead - 1) + (keys[lead - 1],)
    core, fill = x.core[channels], x.fill[channels]
    if lead == 2:
        core = core[keys[0]]
        if x.fill.shape[0] == 1:  # shared by all samples
            fill = fill[0] if _as_int(keys[0]) is not None else fill
        else:
            fill = fill[keys[0]]
    x = x._make(core, x.spans, fill, True)
    points = [axis for axis, item in enumerate(keys[lead:]) if not isinstance(item, slice)]
    return squeezed(x, points) if points else x


def sliced(x: PaddedArray, axis: int, start: int, stop: int, step: int) -> PaddedArray:
    """Positions start, start + step, … of one spatial axis, which may lie outside. A view."""
    span, kept = x.spans[axis].sliced(start, stop, step)
    place = axis - x.rank
    index = (..., kept) + (slice(None),) * (-place - 1)
    fill, period = x.fill, x.period[axis]
    if period > 1:
        phases = start + step * np.arange(period // math.gcd(period, step), like=fill)
        fill = np.take(fill, phases % period, axis=place)
    return x._make(x.core[index], (*x.spans[:axis], span, *x.spans[axis + 1 :]), fill, True)


def flipped(x: PaddedArray, axis: int) -> PaddedArray:
    """One spatial axis backwards. A view."""
    place, period = axis - x.rank, x.period[axis]
    phases = (x.spans[axis].total - 1 - np.arange(period, like=x.fill)) % period
    fill = np.take(x.fill, phases, axis=place) if period > 1 else x.fill
    spans = (*x.spans[:axis], x.spans[axis].reversed(), *x.spans[axis + 1 :])
    return x._make(np.flip(x.core, place), spans, fill, True)


def squeezed(x: PaddedArray, axes: list[int]) -> Any:
    """Without the given spatial axes, all of virtual size 1."""
    places = tuple([axis - x.rank for axis in axes])
    if len(axes) == x.rank:
        return x.materialize().squeeze(places)
    spans = [span for axis, span in enumerate(x.spans) if axis not in axes]
    index = tuple([slice(0, 1) if axis in axes else slice(None) for axis in range(x.rank)])
    fill = x.fill[within(index)].squeeze(places)
    if not x.core.size:
        return x._make(x.core.reshape(x.lead + (0,) * len(spans)), spans, fill, True)
    return x._make(x.core.squeeze(places), spans, fill, True)


def _along(x: PaddedArray, axis: int, item: Any) -> PaddedArray:
    total = x.spans[axis].total
    number = _as_int(item)
    if number is not None:
        if not -total <= number < total:
            raise IndexError(
                f"{_NAME}: index {number} is out of range on spatial axis {axis} of size {total}; "
                f"pass one from {-total} to {total - 1}."
            )
        return sliced(x, axis, number % total, number % total + 1, 1)
    start, stop, step = item.indices(total)
    if step > 0:
        return sliced(x, axis, start, max(start, stop), step)
    start, stop = total - 1 - start, total - 1 - stop
    return sliced(flipped(x, axis), axis, start, max(start, stop), -step)


def _full_key(key: Any, ndim: int) -> tuple[Any, ...]:
    """One item for each axis."""
    keys = key if isinstance(key, tuple) else (key,)
    dots = [place for place, item in enumerate(keys) if item is Ellipsis]
    if any(item is None for item in keys) or len(dots) > 1 or len(keys) - len(dots) > ndim:
        raise IndexError(
            f"{_NAME}: an index has at most one ... and {ndim} other items, and adds no axes, got "
            f"{key!r}; drop items."
        )
    rest = (slice(None),) * (ndim - len(keys) + len(dots))
    if not dots:
        return keys + rest
    return keys[: dots[0]] + rest + keys[dots[0] + 1 :]


def _as_int(item: Any) -> int | None:
    if isinstance(item, (bool, np.bool_, slice)):
        return None
    try:
        return operator.index(item)
    except TypeError:
        return None
