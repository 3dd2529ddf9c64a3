"""Where the core of a padded array lies on one spatial axis, and how operations move it.

Every rule about positions is here; the modules beside this one only move values.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Span:
    """One spatial axis: `before` positions of shell, `size` of core, `after` of shell."""

    before: int
    size: int
    after: int

    @property
    def stop(self) -> int:
        """First position after the core, which starts at `before`."""
        return self.before + self.size

    @property
    def total(self) -> int:
        """The virtual size."""
        return self.before + self.size + self.after

    @classmethod
    def of(cls, start: int, stop: int, total: int) -> Span:
        """The core on positions start to stop - 1 of `total`."""
        return cls(start, stop - start, total - stop)

    def widened(self, before: int, after: int) -> Span:
        """The axis with more shell, or with some of it cropped (negative widths)."""
        return self.sliced(-before, self.total + after, 1)[0]

    def windows(
        self, kernel: int, stride: int, dilation: int, lead: int = 0, count: int | None = None
    ) -> Span:
        """The axis of outputs of windows; its core is the hull of the windows that touch ours.

        Window i reads positions i stride - lead + k dilation. `count` outputs there are, or as many
        as fit inside the axis.
        """
        extent = dilation * (kernel - 1) + 1
        if count is None:
            count = (self.total - extent) // stride + 1
        start, stop = self.before + lead, self.stop + lead
        if self.size == 0:
            return Span(count, 0, 0)
        first, last = (
            max(0, -((extent - 1 - start) // stride)),
            min(count - 1, (stop - 1) // stride),
        )
        if self.size < dilation:  # the core may pass between two taps

            def touches(i: int) -> bool:
                tap = max(0, -((i * stride - start) // dilation))
                return tap < kernel and i * stride + tap * dilation < stop

            while first <= last and not touches(first):
                first += 1
            while first <= last and not touches(last):
                last -= 1
        return Span.of(first, last + 1, count) if first <= last else Span(count, 0, 0)

    def sliced(self, start: int, stop: int, step: int) -> tuple[Span, slice]:
        """The axis of positions start, start + step, … below stop, and the part of the core kept.

        `start` may be negative and `stop` may exceed the total: the shell continues.
        """
        count = max(0, -((start - stop) // step))
        first = min(max(0, -((start - self.before) // step)), count)
        last = max(min(count, -((start - self.stop) // step)), first)
        kept = slice(
            start + first * step - self.before, start + (last - 1) * step - self.before + 1, step
        )
        return Span.of(first, last, count), kept if last > first else slice(0, 0)

    def reversed(self) -> Span:
        return Span(self.after, self.size, self.before)

    def repeated(self, factor: int) -> Span:
        return Span(self.before * factor, self.size * factor, self.after * factor)

    def in_blocks(self, factor: int) -> Span:
        """The axis of whole blocks of `factor` positions, which divides the total."""
        return Span.of(self.before // factor, -(-self.stop // factor), self.total // factor)

    def spread(self, kernel: int, stride: int, dilation: int, lead: int, count: int) -> Span:
        """The axis of a transposed convolution; its core is the hull of what ours reaches.

        Input i reaches outputs i stride + k dilation - lead.
        """
        if self.size == 0:
            return Span(count, 0, 0)

        def touched(output: int) -> bool:
            for tap in range(kernel):
                position, rest = divmod(output + lead - tap * dilation, stride)
                if rest == 0 and self.before <= position < self.stop:
                    return True
            return False

        extent = dilation * (kernel - 1) + 1
        start = max(0, self.before * stride - lead)
        stop = min(count, (self.stop - 1) * stride + extent - lead)
        while start < stop and not touched(start):
            start += 1
        while start < stop and not touched(stop - 1):
            stop -= 1
        return Span.of(start, stop, count) if start < stop else Span(count, 0, 0)


Spans = tuple[Span, ...]


def canonical(spans: Iterable[Span]) -> Spans:
    """The same axes; where one core is empty all are, with the shell before it."""
    spans = tuple(spans)
    if all(span.size for span in spans):
        return spans
    return tuple([Span(span.total, 0, 0) for span in spans])


def within(slices: Iterable[Any]) -> tuple[Any, ...]:
    """An index of the spatial axes, which are the last."""
    return (..., *slices)


def union(many: Sequence[Spans]) -> Spans:
    """The smallest core that holds all cores; the virtual sizes agree."""
    cores = [spans for spans in many if spans[0].size] or many[:1]
    return tuple(
        [
            Span.of(min(s.before for s in axis), max(s.stop for s in axis), axis[0].total)
            for axis in zip(*cores, strict=True)
        ]
    )


def shell_count(spans: Spans) -> int:
    """Number of shell positions."""
    return math.prod(s.total for s in spans) - math.prod(s.size for s in spans)
