"""Random convolution problems, drawn by hypothesis.

Shapes and arguments are drawn by hypothesis, which shrinks them when a law fails; the numbers come
from a seeded generator, which is quicker and needs no shrinking.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import hypothesis.strategies as st
import ml_dtypes  # noqa: F401  makes np.dtype("bfloat16") known
import numpy as np

import implicitpad as ip
from implicitpad import _reference
from implicitpad._geometry import Axis, ConvGeometry, conv_geometry

MODES = ("constant", "replicate", "reflect", "symmetric", "circular")
FLOATS = ("float32", "float64", "float16", "bfloat16")
INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
LAYOUTS = (
    "C",
    "F",
    "transposed",
    "channels last",
    "reversed",
    "sliced",
    "broadcast",
    "read-only",
    "misaligned",
)
FUNCTIONS = {1: ip.conv1d, 2: ip.conv2d, 3: ip.conv3d}
LAYERS = {1: ip.Conv1d, 2: ip.Conv2d, 3: ip.Conv3d}


# For kernels that multiply several channels at a time: input, weights, stride, dilation.
DOT_LAYERS = {
    "groups, dilated": ((1, 14, 19, 16), (12, 7, 3, 3), 1, 2),
    "few filters": ((1, 5, 20, 70), (3, 5, 5, 5), 1, 1),
    "depthwise": ((1, 9, 21, 40), (18, 1, 3, 3), 1, 1),
    "stride 2": ((1, 16, 30, 41), (36, 16, 3, 3), 2, 1),
    "stride 3": ((1, 6, 30, 41), (17, 6, 4, 5), 3, 1),
    "pointwise": ((2, 34, 12, 13), (70, 34, 1, 1), 1, 1),
    "narrow": ((1, 32, 30, 5), (33, 32, 3, 3), 1, 1),
    "signal": ((2, 15, 301), (32, 15, 9), 1, 3),
    "volume": ((1, 6, 5, 9, 17), (20, 6, 3, 3, 3), 1, 1),
}


@dataclass(repr=False)
class Problem:
    """A call, with the axes that its arguments stand for, written out by hand."""

    input: Any
    weight: Any
    bias: Any
    axes: tuple[Axis, ...]
    groups: int = 1
    fill_value: Any = None
    note: str = ""

    def __repr__(self) -> str:
        arrays = (self.input, self.weight)
        shapes = ", ".join(f"{a.dtype}{a.shape}{a.strides}" for a in arrays)
        return f"Problem({shapes}, {self.options}, {self.note})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))  # in hypothesis's reports

    @property
    def rank(self) -> int:
        return len(self.axes)

    @property
    def options(self) -> dict[str, Any]:
        return {
            "stride": tuple(axis.stride for axis in self.axes),
            "padding": tuple((axis.before, axis.after) for axis in self.axes),
            "dilation": tuple(axis.dilation for axis in self.axes),
            "groups": self.groups,
            "fill_value": self.fill_value,
            "padding_mode": tuple(axis.mode for axis in self.axes),
        }

    @property
    def is_integer(self) -> bool:
        return np.dtype(self.input.dtype).name in INTEGERS

    @property
    def unpadded_options(self) -> dict[str, Any]:
        options = self.options
        return {name: options[name] for name in ("stride", "dilation", "groups")}

    def conv(self, **changes: Any) -> Any:
        options = {"input": self.input, "weight": self.weight, "bias": self.bias, **self.options}
        return FUNCTIONS[self.rank](**{**options, **changes})

    def layer(self) -> Any:
        return LAYERS[self.rank](self.weight, self.bias, **self.options)

    def padded_input(self) -> Any:
        """The explicit copy."""
        with np.errstate(over="ignore"):
            fill = np.asarray(0 if self.fill_value is None else self.fill_value)
            fill = fill.astype(self.input.dtype)
        return _reference.explicit_pad(self.input, self.axes, fill)

    def conv_of_padded(self) -> Any:
        return FUNCTIONS[self.rank](
            self.padded_input(), self.weight, self.bias, **self.unpadded_options
        )

    def geometry(self) -> ConvGeometry:
        name = f"conv{self.rank}d"
        arrays = (self.input, self.weight, self.bias)
        return conv_geometry(name, self.rank, *arrays, precision=None, out=None, **self.options)

    def reference(self) -> Any:
        return _reference.conv(self.geometry(), self.input, self.weight, self.bias)


def numbers(
    seed: int, shape: tuple[int, ...], dtype: Any, kind: str = "normal", special: bool = False
) -> Any:
    """Random numbers of `dtype`; `kind` is "normal", "wide" or "small integers"."""
    rng, dtype = np.random.default_rng(seed), np.dtype(dtype)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    if kind == "small integers":
        values = rng.integers(-3, 4, shape).astype(np.float64)
    else:
        values = rng.standard_normal(shape)
        if kind == "wide":
            values = values * 10.0 ** rng.integers(-2, 3, shape)
    if special and values.size:
        some = rng.random(shape) < min(0.2, 3 / values.size)
        values[some] = rng.choice([np.nan, np.inf, -np.inf, -0.0], some.sum())
    return values.astype(dtype)


def lay_out(array: Any, layout: str) -> Any:
    """The same values in another memory layout; "broadcast" repeats the first along axis 0."""
    if layout == "F":
        return np.asfortranarray(array)
    if layout == "transposed":
        return np.ascontiguousarray(array.swapaxes(0, -1)).swapaxes(0, -1)
    if layout == "channels last":
        at = min(1, array.ndim - 1)
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, at, -1)), -1, at)
    if layout == "reversed":
        back = (slice(None, None, -1),) * array.ndim
        return array[back].copy()[back]
    if layout == "sliced":
        host = np.zeros([2 * n + 3 for n in array.shape], array.dtype)
        view = host[tuple(slice(2, 2 + 2 * n, 2) for n in array.shape)]
        view[...] = array
        return view
    if layout == "broadcast":
        return np.broadcast_to(array[:1], array.shape)
    if layout == "misaligned":
        view = np.empty(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
        view[...] = array
        return view
    array = array.copy()
    array.flags.writeable = layout != "read-only"
    return array


@st.composite
def axes(draw: Any, rank: int) -> tuple[Axis, ...]:
    """Axes of every kind, small enough that all of them together stay cheap."""
    longest = {1: 60, 2: 18, 3: 8}[rank]
    found = []
    for index in range(rank):
        size = draw(st.integers(1, longest if index < rank - 1 else 3 * longest // 2))
        kernel = draw(st.integers(1, 5 if rank < 3 else 3))
        stride, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        widest = draw(st.sampled_from([0, 2, 4, 2 * size + 3 if rank < 3 else 9]))
        narrowest = -draw(st.integers(0, min(3, size)))
        before = draw(st.integers(narrowest, widest))
        after = draw(st.integers(narrowest, widest))
        after += max(0, dilation * (kernel - 1) + 1 - (before + size + after))
        mode = draw(st.sampled_from(MODES))
        found.append(Axis(size, kernel, stride, dilation, before, after, mode))
    return tuple(found)


WINDOWS = st.sampled_from([(3, 1), (3, 2), (5, 1), (1, 1)])  # size and stride
PLANE_WINDOWS = st.sampled_from(
    [(size, stride) for size in (2, 3, 4, 5, 7, 9) for stride in (1, 2)]
)


@st.composite
def layer_axes(draw: Any, rank: int, windows: Any = WINDOWS) -> tuple[Axis, ...]:
    """Axes of the layers of a network: one window and stride for all, planes of a usual size."""
    low, high = {1: (40, 200), 2: (3, 30), 3: (3, 9)}[rank]
    kernel, stride = draw(windows)
    mode = draw(st.sampled_from(MODES))
    low = max(low, kernel - 2)  # windows fit, with a padding of one
    return tuple(
        Axis(draw(st.integers(low, high)), kernel, stride, 1, *draw(pairs_up_to(4)), mode)
        for _ in range(rank)
    )


def pairs_up_to(width: int) -> Any:
    return st.tuples(st.integers(1, width), st.integers(1, width))


@st.composite
def problems(
    draw: Any, max_rank: int = 3, dtypes: tuple[str, ...] = FLOATS + INTEGERS, special: bool = True
) -> Problem:
    """Problems of every rank, type, mode and memory layout; `special`: also NaN and infinities."""
    kind = draw(st.sampled_from(["any", "layer", "plane of 3 x 3 windows", "one filter a channel"]))
    rank = draw(st.integers(min(2, max_rank) if kind.startswith("plane") else 1, max_rank))
    fast = [name for name in dtypes if name in FLOATS] if kind[0] in "po" else dtypes
    dtype = np.dtype(draw(st.sampled_from(fast or dtypes)))
    if kind == "any":
        its_axes = draw(axes(rank))
        groups, per_group = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        filters = groups * draw(st.sampled_from([1, 2, 3, 5]))
    elif kind == "layer":
        its_axes = draw(layer_axes(rank))
        groups, per_group = draw(st.sampled_from([(1, 1), (1, 3), (1, 8), (4, 1), (2, 5)]))
        filters = groups * draw(st.sampled_from([1, 4, 17, 34]))
    elif kind == "one filter a channel":
        its_axes = draw(st.one_of(axes(rank), layer_axes(rank, PLANE_WINDOWS)))
        groups, per_group = draw(st.integers(1, 4)), 1
        filters = groups * draw(st.sampled_from([1, 1, 2]))
    else:
        its_axes = draw(layer_axes(rank, st.just((3, 1))))
        groups, per_group = draw(st.sampled_from([(1, 13), (1, 20), (2, 16)]))
        filters = groups * draw(st.sampled_from([17, 34, 64]))
    batch = draw(st.sampled_from([None, 1, 2]))
    channels = groups * per_group

    floating = dtype.name in FLOATS
    kinds = draw(st.sampled_from(["normal", "wide", "small integers"]))
    special = special and floating and draw(st.booleans())
    seed = draw(st.integers(0, 2**32 - 4))
    layouts = [draw(st.sampled_from(LAYOUTS)) for _ in range(2)]

    core = (channels, *(axis.size for axis in its_axes))
    shape = core if batch is None else (batch, *core)
    weight_shape = (filters, per_group, *(axis.kernel for axis in its_axes))
    weight_dtype = dtype
    if dtype.itemsize == 1:
        weight_dtype = np.dtype(draw(st.sampled_from(["int8", "uint8"])))
    bias = None
    if draw(st.booleans()):
        bias = numbers(seed + 2, (filters,), "int16" if dtype.itemsize == 1 else dtype)
        bias = bias.astype("int32") if dtype.itemsize == 1 else bias

    fill = None
    if any(axis.mode == "constant" for axis in its_axes):
        fill = draw(st.sampled_from(["none", "scalar", "per channel"]))
        values = numbers(seed + 3, (channels,), dtype, kinds, special)
        fill = {"none": None, "scalar": values[0].item(), "per channel": values}[fill]
    return Problem(
        lay_out(numbers(seed, shape, dtype, kinds, special), layouts[0]),
        lay_out(numbers(seed + 1, weight_shape, weight_dtype, kinds), layouts[1]),
        bias,
        its_axes,
        groups,
        fill,
        f"{kinds}, layouts {layouts}",
    )


def widely_padded(shape: Any, weight: Any, stride: int, dilation: int, mode: str) -> Any:
    """Axes of an input and weights of these shapes, with more padding than a window needs."""
    return tuple(
        Axis(n, f, stride, dilation, f, 2 * f, mode)
        for n, f in zip(shape[2:], weight[2:], strict=True)
    )
