"""Small problems on which formulas, counting and kernels are compared.

Sizes are exhaustive over small ranges, smallest first.  Convolutions are drawn at random with a
fixed seed; their numbers are small integers, so that every order of summation is exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from . import counting
from .index_map import MODES

Setting = dict[str, Any]


def layers(padding: int = 3) -> Iterator[Setting]:
    """One axis: every n ≤ 7, f ≤ 4, s ≤ 3, d ≤ 3 and widths ≤ `padding` that have an output."""
    widths = range(padding + 1)
    ranges = (range(1, 8), range(1, 5), range(1, 4), range(1, 4), widths, widths)
    for n, f, s, d, p0, p1 in sorted(product(*ranges), key=sum):
        if n + p0 + p1 >= d * (f - 1) + 1:
            yield {"n": n, "f": f, "s": s, "d": d, "p0": p0, "p1": p1}


def positions() -> Iterator[Setting]:
    """Every mode, n ≤ 6, and positions up to three sizes away."""
    for n, mode in product(range(1, 7), MODES):
        for i in range(-3 * n, 4 * n):
            yield {"i": i, "n": n, "mode": mode}


def stacks() -> Iterator[Setting]:
    """Two and three layers of (f, s, d, before)."""
    kinds = [(1, 1, 1, 0), (2, 2, 1, 0), (3, 1, 1, 1), (3, 2, 1, 1), (3, 1, 2, 2), (5, 3, 1, 2)]
    for depth in (1, 2, 3):
        for chosen in product(kinds, repeat=depth):
            yield {"layers": chosen}


@dataclass(frozen=True, eq=False)
class Problem:
    """A convolution: input (C, *sizes), weights (O, C/groups, *kernel), bias, fill per channel."""

    x: Any
    w: Any
    bias: Any
    fill: Any
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int
    mode: str

    @property
    def rank(self) -> int:
        return len(self.stride)

    def __str__(self) -> str:
        return (
            f"x {self.x.shape}, w {self.w.shape}, stride {self.stride}, padding {self.padding}, "
            f"dilation {self.dilation}, groups {self.groups}, mode {self.mode}, "
            f"fill {self.fill.tolist()}"
        )

    def outputs(self, fill: Any = None, x: Any = None, bias: Any = None) -> Any:
        """By counting, tap by tap; with another fill, input or bias if given."""
        return counting.conv(
            self.x if x is None else x,
            self.w,
            self.bias if bias is None else bias,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            fill=self.fill if fill is None else fill,
            mode=self.mode,
        )


def problems(number: int, mode: str | None = "constant", seed: int = 0) -> Iterator[Problem]:
    """`number` convolutions of one to three axes; mode None draws one for each."""
    draw = np.random.default_rng(seed)
    made = 0
    while made < number:
        rank = int(draw.choice([1, 2, 2, 2, 3]))
        groups = int(draw.choice([1, 1, 2]))
        largest = (12, 7, 4)[rank - 1]
        sizes = tuple(draw.integers(1, largest + 1, rank))
        kernel = tuple(draw.integers(1, 4, rank))
        padding = tuple((int(a), int(b)) for a, b in draw.integers(0, 5, (rank, 2)))
        dilation = tuple(int(d) for d in draw.integers(1, 4, rank))
        stride = tuple(int(s) for s in draw.integers(1, 4, rank))
        spans = [d * (f - 1) + 1 for d, f in zip(dilation, kernel, strict=True)]
        virtual = [n + sum(p) for n, p in zip(sizes, padding, strict=True)]
        if any(a < b for a, b in zip(virtual, spans, strict=True)):
            continue
        made += 1
        inputs, outputs = groups * int(draw.integers(1, 3)), groups * int(draw.integers(1, 3))

        def integers(*shape: int) -> Any:
            return draw.integers(-4, 5, shape).astype(np.int64)

        yield Problem(
            integers(inputs, *sizes),
            integers(outputs, inputs // groups, *kernel),
            integers(outputs),
            integers(inputs),
            stride,
            padding,
            dilation,
            groups,
            str(draw.choice(MODES)) if mode is None else mode,
        )
