"""Blocks with two branches, which are cropped so that their positions agree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..padded.gradients import (
    PaddedGrad,
    concatenate_backward,
    crop_backward,
    elementwise_backward,
    paired,
    unpaired,
)
from ..padded.spans import within
from .layer import Layer, Parameters, Pullback, Sequential, added
from .layout import Layout, Row, View, as_padded, row


class _Branches(Layer):
    """`body` beside `shortcut`, which sees the part of the input that the body's outputs lie on.

    The body's output 0 looks at the input around its centre; what lies before on the shortcut is
    cropped, and so is what lies after the body's last output.
    """

    def __init__(self, *body: Any, shortcut: Layer | None = None) -> None:
        self.body = Sequential(*body)
        self.shortcut = Sequential() if shortcut is None else Sequential(shortcut)

    def join(self, side: Any, y: Any, x: Any) -> Any:
        """One array of both branches."""
        raise TypeError(f"nn.{type(self).__name__}: a block must define how branches join.")

    def channels(self, side: int, body: int) -> int:
        """How many the joined array has."""
        return body

    def __call__(self, x: Any) -> Any:
        before, _ = self._aligned(Layout.of(x))
        y = self.body(x)
        side = self.shortcut(x[within([slice(cut, None) for cut in before])])
        rank = len(before)
        size = y.shape[-rank:]
        self._check_size(side.shape[-rank:], size)
        return self.join(side[within([slice(0, length) for length in size])], y, x)

    def linearize(self, x: Any) -> tuple[Any, Pullback]:
        before, _ = self._aligned(Layout.of(x))
        rank = len(before)
        y, body = self.body.linearize(x)
        rest = [total - cut for total, cut in zip(x.shape[-rank:], before, strict=True)]
        start = x[within([slice(cut, None) for cut in before])]
        side, shortcut = self.shortcut.linearize(start)
        size = y.shape[-rank:]
        self._check_size(side.shape[-rank:], size)
        cut = side[within([slice(0, length) for length in size])]
        joined = self.join(cut, y, x)

        def pullback(grad: Any) -> tuple[Any, Parameters]:
            grads = self.part(paired(grad, joined), as_padded(cut), as_padded(y), as_padded(joined))
            through_body, own = body(unpaired(grads[1], y))
            uncut = crop_backward(grads[0], as_padded(side), [0] * rank, size)
            through_side, more = shortcut(unpaired(uncut, side))
            uncut = crop_backward(paired(through_side, start), as_padded(x), before, rest)
            return through_body + unpaired(uncut, x), added(own, more)

        return joined, pullback

    def part(self, grad: PaddedGrad, side: Any, y: Any, joined: Any) -> list[PaddedGrad]:
        """The gradients of both branches."""
        raise TypeError(f"nn.{type(self).__name__}: a block must define how gradients part.")

    def trace(self, layout: Layout, rows: list[Row] | None = None) -> Layout:
        before, size = self._aligned(layout)
        inside = [] if rows is None else rows
        body = self.body.trace(layout, inside)
        rest = [total - cut for total, cut in zip(layout.size, before, strict=True)]
        side = self.shortcut.trace(layout.cropped(before, rest), inside)
        self._check_size(side.size, size)
        side = side.cropped([0] * layout.rank, size)
        joined = body.joined(side, self.channels(side.lead[-1], body.lead[-1]))
        if rows is not None:
            rows.append(row(type(self).__name__.lower(), joined, 0))
        return joined

    def _aligned(self, layout: Layout) -> tuple[list[int], tuple[int, ...]]:
        """How much of the input to crop before the shortcut, and the size of the body's output."""
        fresh = layout.moved(layout.spans, (View(),) * layout.rank, layout.period)
        body = self.body.trace(fresh)
        side = self.shortcut.trace(fresh)
        before = [
            math.floor(b.centre - s.centre) for b, s in zip(body.views, side.views, strict=True)
        ]
        if min(before) < 0:
            raise ValueError(
                f"nn.{type(self).__name__}: the shortcut starts {-min(before)} positions inside "
                "the body's outputs; give the body less padding or the shortcut more."
            )
        return before, body.size

    def _check_size(self, side: Sequence[int], size: Sequence[int]) -> None:
        if any(a < b for a, b in zip(side, size, strict=True)):
            raise ValueError(
                f"nn.{type(self).__name__}: the shortcut has spatial shape {tuple(side)} where the "
                f"body has {tuple(size)}; give the body less padding or the shortcut more."
            )

    def __repr__(self) -> str:
        parts = ", ".join(map(repr, self.body))
        if len(self.shortcut):
            parts += f", shortcut={self.shortcut[0]!r}"
        return f"{type(self).__name__}({parts})"


class Residual(_Branches):
    """body(x) + shortcut(x), cropped to fit.

    Parameters
    ----------
    *body : layers
    shortcut : Layer, optional
        The identity if left out.
    """

    def join(self, side: Any, y: Any, x: Any) -> Any:
        return side + y

    def part(self, grad: PaddedGrad, side: Any, y: Any, joined: Any) -> list[PaddedGrad]:
        one = [lambda a, b: 1] * 2
        return [part for part in elementwise_backward(grad, [side, y], one) if part is not None]


class Skip(_Branches):
    """shortcut(x) and body(x) joined on the channels, x first, cropped to fit: a U-Net level.

    Parameters
    ----------
    *body : layers
    shortcut : Layer, optional
        The identity if left out.
    """

    def join(self, side: Any, y: Any, x: Any) -> Any:
        return np.concatenate([side, y], axis=as_padded(x).ndim - as_padded(x).rank - 1)

    def part(self, grad: PaddedGrad, side: Any, y: Any, joined: Any) -> list[PaddedGrad]:
        return concatenate_backward(grad, [side, y], joined.spans)

    def channels(self, side: int, body: int) -> int:
        return side + body
