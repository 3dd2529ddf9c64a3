"""Resizing: interpolation, averages over bins, and channels moved into space and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .array import PaddedArray
from .fills import refuse, tiled, window
from .spans import Span


def repeat(x: PaddedArray, factors: Sequence[int]) -> PaddedArray:
    """Nearest neighbour upsampling by whole factors."""
    core, fill = x.core, x.fill
    for place, factor in zip(range(-x.rank, 0), factors, strict=True):
        core = np.repeat(core, factor, axis=place)
        if fill.shape[place] > 1:
            fill = np.repeat(fill, factor, axis=place)
    spans = [span.repeated(factor) for span, factor in zip(x.spans, factors, strict=True)]
    return x._make(core, spans, fill)


def interpolate(x: PaddedArray, sizes: Sequence[int], align_corners: bool = False) -> PaddedArray:
    """Linear interpolation to any size, as PyTorch's (bi-, tri-) linear modes."""
    for axis, size in enumerate(sizes):
        total = x.spans[axis].total
        if size == total:
            continue
        if align_corners:
            ratio, offset = ((total - 1) / (size - 1) if size > 1 else 0.0), 0.0
        else:
            ratio = total / size
            offset = ratio / 2 - 0.5
        rows = _candidates(x.spans[axis], size, ratio)
        source = np.clip(rows * ratio + offset, 0, total - 1)
        left = np.floor(source).astype(np.intp)
        share = source - left
        taps = np.stack([left, np.minimum(left + 1, total - 1)], 1)
        x = _resampled("interpolate", x, axis, size, rows, taps, np.stack([1 - share, share], 1))
    return x


def adaptive_average(function: str, x: PaddedArray, sizes: Sequence[int]) -> PaddedArray:
    """Averages over `sizes` bins of nearly equal width, as PyTorch's adaptive pooling."""
    for axis, size in enumerate(sizes):
        total = x.spans[axis].total
        if size == total:
            continue
        rows = _candidates(x.spans[axis], size, total / size)
        start, stop = rows * total // size, -(-(rows + 1) * total // size)
        width = int((stop - start).max(initial=1))
        taps = start[:, None] + np.arange(width)
        weights = np.where(taps < stop[:, None], 1 / (stop - start)[:, None], 0.0)
        x = _resampled(function, x, axis, size, rows, np.minimum(taps, total - 1), weights)
    return x


def pixel_shuffle(x: PaddedArray, factors: Sequence[int]) -> PaddedArray:
    """Channels (c, r1, r2, …) become r1 × r2 × … positions; the fill becomes periodic."""
    channels, block = x.lead[-1], math.prod(factors)
    if channels % block:
        raise ValueError(
            f"pixel_shuffle: factors {tuple(factors)} need a multiple of {block} channels, got "
            f"{channels}; pass an array with as many."
        )
    spans = [span.repeated(factor) for span, factor in zip(x.spans, factors, strict=True)]
    core = x.core if x.core.size else np.empty_like(x.core, shape=x.lead + (0,) * x.rank)
    return x._make(_shuffled(core, factors), spans, _shuffled(x.fill, factors))


def pixel_unshuffle(x: PaddedArray, factors: Sequence[int]) -> PaddedArray:
    """Blocks of r1 × r2 × … positions become channels."""
    if any(span.total % factor for span, factor in zip(x.spans, factors, strict=True)):
        raise ValueError(
            f"pixel_unshuffle: factors {tuple(factors)} must divide the virtual size, got "
            f"{x.shape}; crop with x[...] or extend()."
        )
    phases = [(0, math.lcm(p, f)) for p, f in zip(x.period, factors, strict=True)]
    fill = _unshuffled(window(x.fill, phases, x.fill.shape[: -x.rank]), factors)
    spans = [
        Span.of(s.before // f, -(-s.stop // f), s.total // f)
        for s, f in zip(x.spans, factors, strict=True)
    ]
    if not x.core.size:
        return PaddedArray._empty(
            np.broadcast_to(fill, (*x.lead[:-1], *fill.shape[len(x.lead) - 1 :])), spans
        )
    box = [(s.before * f, s.stop * f) for s, f in zip(spans, factors, strict=True)]
    return x._make(_unshuffled(x._read(box), factors), spans, fill)


def _candidates(span: Span, size: int, ratio: float) -> Any:
    """Outputs that may read the core: a run that holds all of them, and is not much longer."""
    if not span.size or not size:
        return np.arange(0)
    if ratio == 0:
        return np.arange(size)
    first = math.floor((span.before - 2) / ratio) - 1
    last = math.ceil((span.stop + 2) / ratio) + 1
    return np.arange(max(0, first), min(size, last))


def _resampled(
    function: str, x: PaddedArray, axis: int, size: int, rows: Any, taps: Any, weights: Any
) -> PaddedArray:
    """out[rows[i]] = Σ_k weights[i, k] x[taps[i, k]] on one axis; other outputs are the fill."""
    place, span = axis - x.rank, x.spans[axis]
    if x.period[axis] > 1 and x.n_pad:
        refuse(
            function,
            f"the fill has period {x.period[axis]} on spatial axis {axis}, which interpolation "
            "blurs at the edges",
            "use nearest upsampling, or materialize() first",
        )
    others = (*x.spans[:axis], Span(size, 0, 0), *x.spans[axis + 1 :])
    touched = ((taps >= span.before) & (taps < span.stop) & (weights != 0)).any(axis=1)
    used = np.flatnonzero(touched)
    if not len(used):
        lead = np.broadcast_to(x.fill, x.lead + x.period)
        return PaddedArray._empty(lead, others)
    run = slice(used[0], used[-1] + 1)
    taps, weights = taps[run], weights[run].astype(x.dtype if x.dtype.kind == "f" else float)
    box = [(s.before, s.stop) for s in x.spans]
    box[axis] = (int(taps.min()), int(taps.max()) + 1)
    values = x._read(box)
    shape = (-1,) + (1,) * (-place - 1)
    core: Any = None
    for tap, weight in zip(taps.T - box[axis][0], weights.T, strict=True):
        term = np.take(values, tap, axis=place) * weight.reshape(shape)
        core = term if core is None else np.add(core, term, out=core)
    start = int(rows[used[0]])
    spans = (*x.spans[:axis], Span.of(start, start + len(taps), size), *x.spans[axis + 1 :])
    return x._make(core, spans, tiled(x.fill, [(0, p) for p in x.period]).astype(core.dtype))


def _shuffled(a: Any, factors: Sequence[int]) -> Any:
    rank = len(factors)
    lead, space = a.shape[: -rank - 1], a.shape[-rank:]
    channels = a.shape[-rank - 1] // math.prod(factors)
    a = a.reshape(*lead, channels, *factors, *space)
    first = len(lead) + 1
    order = [i for k in range(rank) for i in (first + rank + k, first + k)]
    a = a.transpose(*range(first), *order)
    return a.reshape(*lead, channels, *(n * f for n, f in zip(space, factors, strict=True)))


def _unshuffled(a: Any, factors: Sequence[int]) -> Any:
    rank = len(factors)
    lead, space = a.shape[:-rank], [n // f for n, f in zip(a.shape[-rank:], factors, strict=True)]
    split = [i for pair in zip(space, factors, strict=True) for i in pair]
    a = a.reshape(*lead, *split)
    first = len(lead)
    order = [first + 2 * k + 1 for k in range(rank)] + [first + 2 * k for k in range(rank)]
    a = a.transpose(*range(first), *order)
    return a.reshape(*lead[:-1], lead[-1] * math.prod(factors), *space)
