"""Concatenate, flip, transpose and pad."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._arguments import boundary_modes
from .._backend import backend_of
from .array import PaddedArray
from .fills import as_fill, equal_fills, refuse, tiled, window
from .indexing import flipped
from .reductions import normalized
from .spans import Span, union


def concatenate(arrays: Sequence[Any], axis: int = 0, **options: Any) -> PaddedArray:
    """``numpy.concatenate``: on batch and channels for any cores, in space where fills agree."""
    name = "np.concatenate"
    if options:
        refuse(name, f"{', '.join(options)} has no rule", "leave it out")
    for array in arrays:
        if not isinstance(array, PaddedArray):
            raise TypeError(
                f"{name}: all arrays must be PaddedArrays, got {type(array).__name__}; wrap it in "
                "PaddedArray(array), which makes everything core."
            )
    backend_of(name, **{f"arrays[{n}]": a.core for n, a in enumerate(arrays)})
    first = arrays[0]
    (axis,) = normalized(first, axis)
    shapes = [a.shape[:axis] + a.shape[axis + 1 :] for a in arrays]
    if any(shape != shapes[0] for shape in shapes) or any(a.rank != first.rank for a in arrays):
        raise ValueError(
            f"{name}: shapes must agree except on axis {axis}, got "
            f"{', '.join(str(a.shape) for a in arrays)}; crop with x[...] or extend()."
        )
    if axis >= first.ndim - first.rank:
        return _in_space(name, arrays, axis - first.ndim)
    spans = union([a.spans for a in arrays])
    box = [(span.before, span.stop) for span in spans]
    period = [math.lcm(*lengths) for lengths in zip(*[a.period for a in arrays], strict=True)]
    phases = [(0, length) for length in period]
    alike = axis == 1 and all(a.fill.shape[0] == 1 for a in arrays)  # channels of shared fills
    fills = []
    for a in arrays:
        lead = (1, *a.lead[1:]) if alike else a.lead
        fills.append(window(a.fill, phases, lead))
    cores = [a._read(box) for a in arrays]
    return PaddedArray._make(np.concatenate(cores, axis), spans, np.concatenate(fills, axis))


def _in_space(name: str, arrays: Sequence[PaddedArray], place: int) -> PaddedArray:
    first, axis = arrays[0], place + arrays[0].rank
    total = sum(a.spans[axis].total for a in arrays)
    fill, offset, moved = None, 0, []
    for a in arrays:
        # The fill as seen from the start of the result.
        box = [(0, length) for length in a.period]
        box[axis] = (-offset, a.period[axis] - offset)
        own = tiled(a.fill, box)
        if a.n_pad:
            if fill is not None and not equal_fills(fill, own):
                refuse(
                    name,
                    "arrays joined in space must have one fill, with one phase",
                    "materialize() parts and wrap them in PaddedArray(array)",
                )
            fill = own
        spans = list(a.spans)
        span = spans[axis]
        spans[axis] = Span.of(span.before + offset, span.stop + offset, total)
        moved.append(tuple(spans))
        offset += span.total
    whole = union([s for s, a in zip(moved, arrays, strict=True) if a.core.size] or moved[:1])
    parts, offset = [], 0
    box = [(span.before, span.stop) for span in whole]
    for a in arrays:
        own_box = list(box)
        length = a.spans[axis].total
        own_box[axis] = (
            min(max(box[axis][0] - offset, 0), length), min(max(box[axis][1] - offset, 0), length)
        )  # fmt: skip
        parts.append(a._read(own_box))
        offset += length
    core = np.concatenate(parts, place)
    return PaddedArray._make(core, whole, (first.fill if fill is None else fill).copy())


def flip(x: PaddedArray, axis: Any = None) -> PaddedArray:
    """``numpy.flip``."""
    for a in normalized(x, axis):
        if a >= x.ndim - x.rank:
            x = flipped(x, a - (x.ndim - x.rank))
        else:
            x = x._make(np.flip(x.core, a), x.spans, np.flip(x.fill, a), True)
    return x


def transpose(x: PaddedArray, axes: Any = None) -> PaddedArray:
    """``numpy.transpose`` among the spatial axes."""
    lead = x.ndim - x.rank
    order = tuple(range(x.ndim))[::-1] if axes is None else tuple(a % x.ndim for a in axes)
    if order[:lead] != tuple(range(lead)) or sorted(order) != list(range(x.ndim)):
        refuse(
            "np.transpose",
            f"batch and channels must stay in front, got axes={axes}",
            "permute spatial axes only",
        )
    spans = [x.spans[a - lead] for a in order[lead:]]
    return x._make(x.core.transpose(order), spans, x.fill.transpose(order), True)


def pad(x: PaddedArray, pad_width: Any, mode: str = "constant", **options: Any) -> PaddedArray:
    """``numpy.pad`` along spatial axes: extension, where it continues the border."""
    widths = np.broadcast_to(pad_width, (x.ndim, 2)).tolist()
    lead = x.ndim - x.rank
    if any(width for pair in widths[:lead] for width in pair):
        refuse("np.pad", "batch and channels have no border", "pad them with width (0, 0)")
    value = options.pop("constant_values", 0) if mode == "constant" else None
    if options:
        refuse("np.pad", f"{', '.join(options)} has no rule", "leave it out")
    (canonical,) = boundary_modes("np.pad", mode, 1)
    return extended("np.pad", x, widths[lead:], (canonical,) * x.rank, value)


def extended(
    function: str, x: PaddedArray, widths: Sequence[Any], modes: Sequence[str], value: Any
) -> PaddedArray:
    """More border. `value` None is the own fill; another one would need a second border."""
    if not any(width > 0 for pair in widths for width in pair):
        return x.extend(widths)
    if "constant" in modes and value is not None:
        given = as_fill(function, value, x.core, x.rank)
        if not x.n_pad:
            x = x._make(x.core, x.spans, given)
        elif not equal_fills(*np.broadcast_arrays(given, x.fill)):
            refuse(
                function,
                f"padding with {value!r} around another value would need a second border",
                "leave the value out to extend by the array's own fill, or materialize() first",
            )
    for axis, ((before, after), mode) in enumerate(zip(widths, modes, strict=True)):
        span = x.spans[axis]
        slack = int(mode == "reflect")  # reflection starts behind the edge element
        borders = (span.after, span.before) if mode == "circular" else (span.before, span.after)
        for width, border in zip((before, after), borders, strict=True):
            needed = min(1, width) if mode == "replicate" else width + slack if width > 0 else 0
            if span.size == 0 and not any(n > 1 for n in x.period):
                continue
            if (
                mode != "constant"
                and (border < needed or any(n > 1 for n in x.period))
                and width > 0
            ):
                refuse(
                    function,
                    f"padding_mode {mode!r} by {width} reaches past a border of {border} on "
                    f"spatial axis {axis}, so that the new border would not be constant",
                    f"start with a border of at least {needed} there, or materialize() first",
                )
    return x.extend(widths)
