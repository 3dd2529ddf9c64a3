"""Random pooling problems, and the plain reference: every tap of every window in turn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import Any

import hypothesis.strategies as st
import numpy as np
from strategies import FLOATS, INTEGERS, LAYOUTS, MODES, lay_out, numbers

import implicitpad as ip
from implicitpad._reference import NUMPY_MODES

MAX = {1: ip.max_pool1d, 2: ip.max_pool2d, 3: ip.max_pool3d}
AVG = {1: ip.avg_pool1d, 2: ip.avg_pool2d, 3: ip.avg_pool3d}
FILL, ABSENT = -1, -2


@dataclass(frozen=True)
class Side:
    """One spatial axis, written out by hand."""

    size: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int
    mode: str
    ceil: bool

    @property
    def sources(self) -> Any:
        """(out, kernel): the element of the input that each tap reads, FILL or ABSENT."""
        wide = np.arange(self.size)
        widths = (max(self.before, 0), max(self.after, 0))
        if self.mode == "constant":
            wide = np.pad(wide, widths, constant_values=FILL)
        elif self.size:
            wide = np.pad(wide, widths, mode=NUMPY_MODES[self.mode])
        wide = wide[max(-self.before, 0) : len(wide) - max(-self.after, 0)]
        starts = []
        for start in range(0, len(wide), self.stride):
            outside = start + self.dilation * (self.kernel - 1) + 1 - len(wide)
            in_time = start < self.before + self.size
            if outside < self.stride and in_time if self.ceil else outside <= 0:
                starts.append(start)
        taps = np.add.outer(starts, self.dilation * np.arange(self.kernel)).astype(int)
        wide = np.append(wide, np.full(taps.max(initial=0) + 1, ABSENT))
        return wide[taps]


@dataclass(repr=False)
class Problem:
    """A call of a pooling function."""

    input: Any
    sides: tuple[Side, ...]
    fill_value: Any
    note: str = ""

    def __repr__(self) -> str:
        return f"Problem({self.input.dtype}{self.input.shape}, {self.options}, {self.note})"

    @property
    def rank(self) -> int:
        return len(self.sides)

    @property
    def options(self) -> dict[str, Any]:
        return {
            "kernel_size": tuple(side.kernel for side in self.sides),
            "stride": tuple(side.stride for side in self.sides),
            "padding": tuple((side.before, side.after) for side in self.sides),
            "dilation": tuple(side.dilation for side in self.sides),
            "ceil_mode": self.sides[0].ceil,
            "fill_value": self.fill_value,
            "padding_mode": tuple(side.mode for side in self.sides),
        }

    def max(self, **changes: Any) -> Any:
        return MAX[self.rank](**{"input": self.input, **self.options, **changes})

    def avg(self, **changes: Any) -> Any:
        return AVG[self.rank](**{"input": self.input, **self.options, **changes})

    def taps(self) -> Any:
        """For each tap: its elements (..., C, *out), their flat indices or FILL, ABSENT."""
        fill = np.asarray(0 if self.fill_value is None else self.fill_value)
        fill = fill.astype(self.input.dtype).reshape(-1, *(1,) * self.rank)
        flat = self.input.reshape(*self.input.shape[: -self.rank], -1)
        for which in product(*(range(side.kernel) for side in self.sides)):
            columns = [side.sources[:, k] for side, k in zip(self.sides, which, strict=True)]
            grid = np.meshgrid(*columns, indexing="ij")
            lowest = np.minimum.reduce(grid)
            index = np.zeros_like(lowest)
            for column, side in zip(grid, self.sides, strict=True):
                index = index * side.size + column
            index = np.where(lowest < 0, lowest, index)
            values = flat[..., np.maximum(index, 0)] if flat.shape[-1] else np.zeros_like(fill)
            yield np.where(index >= 0, values, fill).astype(self.input.dtype), index

    def max_reference(self) -> tuple[Any, Any]:
        """Values, indices: of equal elements the first, of NaNs the last, elements before fill."""
        with np.errstate(invalid="ignore"):
            return self._max_reference()

    def _max_reference(self) -> tuple[Any, Any]:
        lowest = -np.inf
        if self.input.dtype.kind in "iu":
            lowest = np.iinfo(self.input.dtype).min
        best = place = None
        for values, index in self.taps():
            if best is None:
                best = np.full(values.shape, lowest).astype(values.dtype)
                place = np.full(values.shape, -1)
            wins = (index >= 0) & ((values > best) | (values != values) | (place < 0))
            best, place = np.where(wins, values, best), np.where(wins, index, place)
        if self.fill_value is not None:
            for values, index in self.taps():
                wins = (index == FILL) & ((values > best) | (values != values)) & (best == best)
                best, place = np.where(wins, values, best), np.where(wins, FILL, place)
        return best, place

    def mean_reference(self, count_include_pad: bool = True) -> tuple[Any, Any, Any]:
        """Sums in float64, sums of magnitudes, and counts."""
        total = size = count = 0.0
        for values, index in self.taps():
            counts = index >= (FILL if count_include_pad else 0)
            values = np.where(counts, values.astype(np.float64), 0)
            total, size, count = total + values, size + abs(values), count + counts
        return total, size, count


@st.composite
def problems(
    draw: Any,
    dtypes: tuple[str, ...] = FLOATS + INTEGERS,
    modes: tuple[str, ...] = MODES,
    fills: tuple[str, ...] = ("none", "scalar", "per channel"),
    special: bool = True,
) -> Problem:
    """Problems of every rank, type, mode and memory layout; `special`: also NaN and infinities."""
    rank = draw(st.integers(1, 3))
    ceil = draw(st.booleans())
    sides = []
    for index in range(rank):
        longest = {1: 90, 2: 12, 3: 6}[rank] * (3 if index == rank - 1 else 1)
        size, kernel = draw(st.integers(1, longest)), draw(st.integers(1, 7 if rank < 3 else 4))
        stride, dilation = draw(st.integers(1, 4)), draw(st.sampled_from([1, 1, 2, 3, 9]))
        widest = draw(st.sampled_from([0, 2, 2 * size + 3 if rank < 3 else 7]))
        before, after = (draw(st.integers(-min(2, size // 3), widest)) for _ in range(2))
        after += max(0, dilation * (kernel - 1) + 1 - (before + size + after))
        mode = draw(st.sampled_from(modes))
        sides.append(Side(size, kernel, stride, dilation, before, after, mode, ceil))
    dtype = draw(st.sampled_from(dtypes))
    kind = draw(st.sampled_from(["normal", "small integers"]))
    special = special and dtype in FLOATS and draw(st.booleans())
    channels, seed = draw(st.integers(1, 3)), draw(st.integers(0, 2**32 - 2))
    batch = draw(st.sampled_from([None, 1, 2]))
    shape = (channels, *(side.size for side in sides))
    shape = shape if batch is None else (batch, *shape)
    values = numbers(seed, shape, dtype, kind, special)
    layout = draw(st.sampled_from(LAYOUTS))
    fill = None
    if any(side.mode == "constant" for side in sides):
        its = numbers(seed + 1, (channels,), dtype, kind, special)
        fill = {"none": None, "scalar": its[0].item(), "per channel": its}[
            draw(st.sampled_from(fills))
        ]
    return Problem(lay_out(values, layout), tuple(sides), fill, f"{kind}, {layout}, seed {seed}")


def gamma(dtype: Any, terms: int) -> float:
    """Relative error bound of a sum of `terms`, a division, then rounding."""
    unit = {"float64": 2.0**-53, "float32": 2.0**-24}.get(np.dtype(dtype).name, 2.0**-24)
    store = {"float16": 2.0**-11, "bfloat16": 2.0**-8}.get(np.dtype(dtype).name, 0.0)
    return math.expm1((terms + 2) * unit) + store
