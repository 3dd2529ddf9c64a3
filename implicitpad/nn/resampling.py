"""Upsampling, channels moved into space, and global pooling."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from .._arguments import per_axis
from ..padded import resizing
from ..padded.array import PaddedArray
from ..padded.pooling import global_average, global_maximum
from ..padded.reduction_gradients import global_average_backward, global_maximum_backward
from ..padded.resizing_gradients import (
    interpolate_backward,
    pixel_shuffle_backward,
    pixel_unshuffle_backward,
    repeat_backward,
)
from ..padded.spans import Span
from .layer import Layer, Pullback
from .layout import Layout, View, as_padded, through


class _Global(Layer):
    def follow(self, layout: Layout) -> Layout:
        views = [
            View(v.size + (total - 1) * v.jump, v.jump * total, v.centre + v.jump * (total - 1) / 2)
            for v, total in zip(layout.views, layout.size, strict=True)
        ]
        return layout.moved((Span(0, 1, 0),) * layout.rank, views, (1,) * layout.rank)


class GlobalAvgPool(_Global):
    """Mean over space: an ordinary array (N, C, 1, …)."""

    def __call__(self, x: Any) -> Any:
        return global_average(as_padded(x), keepdims=True)

    def gradient_rule(self, x: PaddedArray) -> tuple[Any, Pullback]:
        return self(x), lambda grad: (global_average_backward(grad, x), {})


class GlobalMaxPool(_Global):
    """Maximum over space: an ordinary array (N, C, 1, …)."""

    def __call__(self, x: Any) -> Any:
        return global_maximum(as_padded(x), keepdims=True)

    def gradient_rule(self, x: PaddedArray) -> tuple[Any, Pullback]:
        y = self(x)
        return y, lambda grad: (global_maximum_backward(grad, x, y), {})


class Upsample(Layer):
    """Enlarge by a whole factor.

    Parameters
    ----------
    factor : int or one for each spatial axis
    mode : {"nearest", "linear"}
        "linear" is linear, bilinear or trilinear, without aligned corners.
    """

    def __init__(self, factor: Any, mode: str = "nearest") -> None:
        if mode not in ("nearest", "linear"):
            raise ValueError(
                f"nn.Upsample: mode must be 'nearest' or 'linear', got {mode!r}; pass one of these."
            )
        self.factor, self.mode = factor, mode

    def _factors(self, rank: int) -> tuple[int, ...]:
        return per_axis("nn.Upsample", "factor", self.factor, rank)

    def __call__(self, x: Any) -> Any:
        factors = self._factors(as_padded(x).rank)
        if self.mode == "nearest":
            return through(resizing.repeat, x, factors)
        return through(resizing.interpolate, x, _enlarged(x, factors))

    def gradient_rule(self, x: PaddedArray) -> tuple[Any, Pullback]:
        factors = self._factors(x.rank)
        if self.mode == "nearest":
            return self(x), lambda grad: (repeat_backward(grad, x, factors), {})
        sizes = _enlarged(x, factors)
        return self(x), lambda grad: (interpolate_backward(grad, x, sizes), {})

    def follow(self, layout: Layout) -> Layout:
        factors = self._factors(layout.rank)
        linear = self.mode == "linear"
        views = [
            v.through(
                2 if linear and f > 1 else 1, Fraction(1, f), Fraction(1, 2 * f) - Fraction(1, 2)
            )
            for v, f in zip(layout.views, factors, strict=True)
        ]
        spans = [
            resizing.linear(s, f * s.total).span
            if linear and f > 1 and s.size < s.total
            else s.repeated(f)
            for s, f in zip(layout.spans, factors, strict=True)
        ]
        period = [p * f if p > 1 else 1 for p, f in zip(layout.period, factors, strict=True)]
        return layout.moved(tuple(spans), views, period)

    def __repr__(self) -> str:
        return f"Upsample({self.factor}, {self.mode!r})"


def _enlarged(x: Any, factors: tuple[int, ...]) -> list[int]:
    return [n * f for n, f in zip(x.shape[-len(factors) :], factors, strict=True)]


class _Blocks(Layer):
    """Blocks of `factor` positions on each axis, and channels."""

    def __init__(self, factor: Any) -> None:
        self.factor = factor

    def _factors(self, rank: int) -> tuple[int, ...]:
        return per_axis(f"nn.{type(self).__name__}", "factor", self.factor, rank)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.factor})"


class PixelShuffle(_Blocks):
    """Channels moved into `factor` times as many positions on each axis."""

    def __call__(self, x: Any) -> Any:
        return through(resizing.pixel_shuffle, x, self._factors(as_padded(x).rank))

    def gradient_rule(self, x: PaddedArray) -> tuple[Any, Pullback]:
        factors = self._factors(x.rank)
        return self(x), lambda grad: (pixel_shuffle_backward(grad, factors), {})

    def follow(self, layout: Layout) -> Layout:
        factors = self._factors(layout.rank)
        resizing.check_channels("nn.PixelShuffle", layout.lead[-1], factors)
        views = [
            v.through(1, Fraction(1, f), Fraction(1, 2 * f) - Fraction(1, 2))
            for v, f in zip(layout.views, factors, strict=True)
        ]
        spans = tuple([s.repeated(f) for s, f in zip(layout.spans, factors, strict=True)])
        period = [p * f for p, f in zip(layout.period, factors, strict=True)]
        return layout.moved(spans, views, period, layout.lead[-1] // math.prod(factors))


class PixelUnshuffle(_Blocks):
    """Blocks of `factor` positions on each axis moved into as many times the channels."""

    def __call__(self, x: Any) -> Any:
        return through(resizing.pixel_unshuffle, x, self._factors(as_padded(x).rank))

    def gradient_rule(self, x: PaddedArray) -> tuple[Any, Pullback]:
        factors = self._factors(x.rank)
        return self(x), lambda grad: (pixel_unshuffle_backward(grad, x, factors), {})

    def follow(self, layout: Layout) -> Layout:
        factors = self._factors(layout.rank)
        resizing.check_blocks("nn.PixelUnshuffle", layout.shape, factors)
        views = [
            v.through(f, Fraction(f), Fraction(f - 1, 2))
            for v, f in zip(layout.views, factors, strict=True)
        ]
        spans = tuple([s.in_blocks(f) for s, f in zip(layout.spans, factors, strict=True)])
        period = [p // math.gcd(p, f) for p, f in zip(layout.period, factors, strict=True)]
        return layout.moved(spans, views, period, layout.lead[-1] * math.prod(factors))
