"""Resizing: interpolation, averages over bins, and channels moved into space and back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

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
        if size != x.spans[axis].total:
            x = _resampled("interpolate", x, axis, linear(x.spans[axis], size, align_corners))
    return x


def adaptive_average(function: str, x: PaddedArray, sizes: Sequence[int]) -> PaddedArray:
    """Averages over `sizes` bins of nearly equal width, as PyTorch's adaptive pooling."""
    for axis, size in enumerate(sizes):
        if size != x.spans[axis].total:
            x = _resampled(function, x, axis, _bins(x.spans[axis], size))
    return x


def pixel_shuffle(x: PaddedArray, factors: Sequence[int]) -> PaddedArray:
    """Channels (c, r1, r2, …) become r1 × r2 × … positions; the fill becomes periodic."""
    check_channels("pixel_shuffle", x.lead[-1], factors)
    spans = [span.repeated(factor) for span, factor in zip(x.spans, factors, strict=True)]
    core = x.core if x.core.size else np.empty_like(x.core, shape=x.lead + (0,) * x.rank)
    return x._make(shuffled(core, factors), spans, shuffled(x.fill, factors))


def pixel_unshuffle(x: PaddedArray, factors: Sequence[int]) -> PaddedArray:
    """Blocks of r1 × r2 × … positions become channels."""
    check_blocks("pixel_unshuffle", x.shape, factors)
    phases = [(0, math.lcm(p, f)) for p, f in zip(x.period, factors, strict=True)]
    fill = unshuffled(window(x.fill, phases, x.fill.shape[: -x.rank]), factors)
    spans = [span.in_blocks(factor) for span, factor in zip(x.spans, factors, strict=True)]
    if not x.core.size:
        return PaddedArray._empty(
            np.broadcast_to(fill, (*x.lead[:-1], *fill.shape[len(x.lead) - 1 :])), spans
        )
    box = [(s.before * f, s.stop * f) for s, f in zip(spans, factors, strict=True)]
    return x._make(unshuffled(x._read(box), factors), spans, fill)


def check_channels(function: str, channels: int, factors: Sequence[int]) -> None:
    """Whether channels divide into blocks."""
    block = math.prod(factors)
    if channels % block:
        raise ValueError(
            f"{function}: factors {tuple(factors)} need a multiple of {block} channels, got "
            f"{channels}; pass an array with as many."
        )


def check_blocks(function: str, shape: Sequence[int], factors: Sequence[int]) -> None:
    """Whether space divides into blocks."""
    if any(n % factor for n, factor in zip(shape[-len(factors) :], factors, strict=True)):
        raise ValueError(
            f"{function}: factors {tuple(factors)} must divide the virtual size, got {shape}; "
            "crop with x[...] or extend()."
        )


class Resampling(NamedTuple):
    """out[span.before + i] = Σ_k weights[i, k] x[taps[i, k]] on one axis; the others are the fill.

    Along each k the taps ascend, and weights of one output sum to 1.
    """

    span: Span  # of the result
    taps: Any
    weights: Any

    @property
    def reach(self) -> tuple[int, int]:
        """The positions that are read."""
        return int(self.taps.min()), int(self.taps.max()) + 1


def linear(span: Span, size: int, align_corners: bool = False) -> Resampling:
    if align_corners:
        ratio, offset = ((span.total - 1) / (size - 1) if size > 1 else 0.0), 0.0
    else:
        ratio = span.total / size
        offset = ratio / 2 - 0.5
    rows = _candidates(span, size, ratio)
    source = np.clip(rows * ratio + offset, 0, span.total - 1)
    left = np.floor(source).astype(np.intp)
    share = source - left
    taps = np.stack([left, np.minimum(left + 1, span.total - 1)], 1)
    return _trimmed(span, size, rows, taps, np.stack([1 - share, share], 1))


def _bins(span: Span, size: int) -> Resampling:
    rows = _candidates(span, size, span.total / size)
    start, stop = rows * span.total // size, -(-(rows + 1) * span.total // size)
    taps = start[:, None] + np.arange(int((stop - start).max(initial=1)))
    weights = np.where(taps < stop[:, None], 1 / (stop - start)[:, None], 0.0)
    return _trimmed(span, size, rows, np.minimum(taps, span.total - 1), weights)


def _candidates(span: Span, size: int, ratio: float) -> Any:
    """Outputs that may read the core: a run that holds all of them, and is not much longer."""
    if not span.size or not size:
        return np.arange(0)
    if ratio == 0:
        return np.arange(size)
    first = math.floor((span.before - 2) / ratio) - 1
    last = math.ceil((span.stop + 2) / ratio) + 1
    return np.arange(max(0, first), min(size, last))


def _trimmed(span: Span, size: int, rows: Any, taps: Any, weights: Any) -> Resampling:
    """From the first to the last output that reads the core."""
    used = np.flatnonzero(((taps >= span.before) & (taps < span.stop) & (weights != 0)).any(axis=1))
    if not len(used):
        return Resampling(Span(size, 0, 0), taps[:0], weights[:0])
    run = slice(used[0], used[-1] + 1)
    core = Span.of(int(rows[used[0]]), int(rows[used[-1]]) + 1, size)
    return Resampling(core, taps[run], weights[run])


def _resampled(function: str, x: PaddedArray, axis: int, to: Resampling) -> PaddedArray:
    place = axis - x.rank
    if x.period[axis] > 1 and x.n_pad:
        refuse(
            function,
            f"the fill has period {x.period[axis]} on spatial axis {axis}, which interpolation "
            "blurs at the edges",
            "use nearest upsampling, or materialize() first",
        )
    spans = (*x.spans[:axis], to.span, *x.spans[axis + 1 :])
    if not to.span.size:
        return PaddedArray._empty(np.broadcast_to(x.fill, x.lead + x.period), spans)
    box = [(s.before, s.stop) for s in x.spans]
    box[axis] = to.reach
    values = x._read(box)
    core: Any = None
    for tap, weight in terms(to, x, place):
        term = np.take(values, np.asarray(tap, like=values), axis=place)
        term = term * np.asarray(weight, like=values)
        core = term if core is None else np.add(core, term, out=core)
    return x._make(core, spans, tiled(x.fill, [(0, p) for p in x.period]).astype(core.dtype))


def terms(to: Resampling, x: PaddedArray, place: int) -> Iterator[tuple[Any, Any]]:
    """For each k: where its taps lie in what is read, and their weights along the axis."""
    shape = (-1,) + (1,) * (-place - 1)
    weights = to.weights.astype(x.dtype if x.dtype.kind == "f" else float)
    for tap, weight in zip(to.taps.T - to.reach[0], weights.T, strict=True):
        yield tap, weight.reshape(shape)


def shuffled(a: Any, factors: Sequence[int]) -> Any:
    rank = len(factors)
    lead, space = a.shape[: -rank - 1], a.shape[-rank:]
    channels = a.shape[-rank - 1] // math.prod(factors)
    a = a.reshape(*lead, channels, *factors, *space)
    first = len(lead) + 1
    order = [i for k in range(rank) for i in (first + rank + k, first + k)]
    a = a.transpose(*range(first), *order)
    return a.reshape(*lead, channels, *(n * f for n, f in zip(space, factors, strict=True)))


def unshuffled(a: Any, factors: Sequence[int]) -> Any:
    rank = len(factors)
    lead, space = a.shape[:-rank], [n // f for n, f in zip(a.shape[-rank:], factors, strict=True)]
    split = [i for pair in zip(space, factors, strict=True) for i in pair]
    a = a.reshape(*lead, *split)
    first = len(lead)
    order = [first + 2 * k + 1 for k in range(rank)] + [first + 2 * k for k in range(rank)]
    a = a.transpose(*range(first), *order)
    return a.reshape(*lead[:-1], lead[-1] * math.prod(factors), *space)
