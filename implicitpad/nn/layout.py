"""Where a network takes core and border, found from shapes alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, NamedTuple

from ..padded.array import PaddedArray
from ..padded.spans import Spans, canonical, union


@dataclass(frozen=True)
class View:
    """What outputs see of the network's input on one axis: `size` positions around
    `centre` + i `jump`."""

    size: Fraction = Fraction(1)
    jump: Fraction = Fraction(1)
    centre: Fraction = Fraction(0)

    def through(self, size: Fraction | int, step: Fraction, centre: Fraction) -> View:
        """After a layer whose output i sees `size` positions around `centre` + i `step`."""
        return View(
            self.size + (size - 1) * self.jump, self.jump * step, self.centre + centre * self.jump
        )


@dataclass(frozen=True)
class Layout:
    """The shape of an array somewhere in a network: leading axes, spans, period, and its view."""

    lead: tuple[int, ...]
    spans: Spans
    period: tuple[int, ...]
    views: tuple[View, ...]

    @classmethod
    def of(cls, x: Any) -> Layout:
        """Of a padded array, or of an ordinary one, (N, C, *spatial)."""
        x = as_padded(x)
        return cls(x.lead, x.spans, x.period, (View(),) * x.rank)

    @property
    def rank(self) -> int:
        return len(self.spans)

    @property
    def size(self) -> tuple[int, ...]:
        return tuple([span.total for span in self.spans])

    @property
    def core(self) -> tuple[int, ...]:
        return tuple([span.size for span in self.spans])

    @property
    def shape(self) -> tuple[int, ...]:
        return self.lead + self.size

    def moved(
        self,
        spans: Spans,
        views: Sequence[View],
        period: Sequence[int],
        channels: int | None = None,
    ) -> Layout:
        """After a layer: other axes, and other channels if given."""
        lead = self.lead if channels is None else (*self.lead[:-1], channels)
        return replace(
            self, lead=lead, spans=canonical(spans), views=tuple(views), period=tuple(period)
        )

    def cropped(self, before: Sequence[int], size: Sequence[int]) -> Layout:
        """`size` positions from `before` on."""
        spans, views, period = [], [], []
        for span, view, cut, length, length_of_fill in zip(
            self.spans, self.views, before, size, self.period, strict=True
        ):
            spans.append(span.sliced(cut, cut + length, 1)[0])
            views.append(replace(view, centre=view.centre + cut * view.jump))
            period.append(length_of_fill)
        return self.moved(tuple(spans), views, period)

    def joined(self, other: Layout, channels: int) -> Layout:
        """Combined with an array of the same virtual size."""
        views = [
            replace(a, size=max(a.size, b.size))
            for a, b in zip(self.views, other.views, strict=True)
        ]
        period = [math.lcm(*pair) for pair in zip(self.period, other.period, strict=True)]
        return self.moved(union([self.spans, other.spans]), views, period, channels)


class Row(NamedTuple):
    """One layer of a plan."""

    layer: str
    layout: Layout  # of its output
    macs: int  # multiply-adds on core and fill
    macs_explicit: int  # and on the explicit array


def row(name: str, layout: Layout, per_position: Fraction | int) -> Row:
    """The row of a layer that takes `per_position` multiply-adds for each position and sample."""
    samples = math.prod(layout.lead[:-1])
    done = samples * math.prod(layout.core)
    if layout.core != layout.size:
        done += math.prod(layout.period)
    every = samples * math.prod(layout.size)
    return Row(name, layout, int(done * per_position), int(every * per_position))


def as_padded(x: Any) -> PaddedArray:
    """An ordinary array, (N, C, *spatial), as one that is all core."""
    return x if isinstance(x, PaddedArray) else PaddedArray(x)


def through(rule: Callable[..., Any], x: Any, *args: Any) -> Any:
    """Apply a rule of padded arrays to a padded or an ordinary array."""
    result = rule(as_padded(x), *args)
    if isinstance(x, PaddedArray) or not isinstance(result, PaddedArray):
        return result
    return result.materialize()
