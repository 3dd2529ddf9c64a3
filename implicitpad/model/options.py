"""Options of layers, one value for each axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .network import Layer, ModelError

KNOWN = {
    "conv": {"out", "kernel", "stride", "padding", "dilation", "groups", "bias"},
    "conv_transpose": {
        "out", "kernel", "stride", "padding", "dilation", "groups", "bias", "output_padding",
    },
    "max_pool": {"kernel", "stride", "padding", "dilation", "ceil", "exact"},
    "avg_pool": {"kernel", "stride", "padding", "dilation", "ceil", "exact"},
    "global_pool": set(),
    "adaptive_pool": {"out"},
    "upsample": {"factor"},
    "batch_norm": set(),
    "activation": set(),
    "dropout": set(),
    "add": {"with"},
    "concat": {"with", "crop"},
    "flatten": set(),
    "linear": {"out", "bias"},
}  # fmt: skip


class Window(NamedTuple):
    """One axis of a layer's window."""

    kernel: int
    stride: int
    dilation: int
    before: int
    after: int

    @property
    def extent(self) -> int:
        return self.dilation * (self.kernel - 1) + 1

    @property
    def padding(self) -> int:
        return self.before + self.after


def check(layer: Layer) -> None:
    """An unknown kind or option is an error that names the known ones."""
    if layer.kind not in KNOWN:
        kinds = ", ".join(KNOWN)
        raise ModelError(f"{layer.name}: {layer.kind!r} is no kind of layer; known are {kinds}.")
    unknown = set(layer.options) - KNOWN[layer.kind]
    if unknown:
        known = ", ".join(sorted(KNOWN[layer.kind])) or "none"
        raise ModelError(
            f"{layer.name}: {layer.kind} has no option {sorted(unknown)[0]!r}; it has {known}."
        )


def per_axis(layer: Layer, option: str, rank: int, default: int) -> tuple[int, ...]:
    value = layer.options.get(option, default)
    values = list(value) if isinstance(value, Sequence) else [value] * rank
    if len(values) != rank or not all(isinstance(a, int) and a >= 0 for a in values):
        raise ModelError(
            f"{layer.name}: {option} must be one number or {rank} of them, received {value!r}."
        )
    return tuple(values)


def windows(layer: Layer, sizes: Sequence[Any]) -> list[Window]:
    """The window along each axis; named paddings are resolved by the size where they need it."""
    rank = len(sizes)
    if "kernel" not in layer.options:
        raise ModelError(f"{layer.name}: {layer.kind} needs a kernel.")
    kernel = per_axis(layer, "kernel", rank, 1)
    usual = kernel if layer.kind.endswith("pool") else (1,) * rank
    strides = per_axis(layer, "stride", rank, 1) if "stride" in layer.options else usual
    dilations = per_axis(layer, "dilation", rank, 1)
    extents = [d * (f - 1) + 1 for f, d in zip(kernel, dilations, strict=True)]
    widths = padding(layer, sizes, extents, strides)
    if min(*kernel, *strides, *dilations) < 1:
        raise ModelError(f"{layer.name}: kernel, stride and dilation must be at least 1.")
    return [
        Window(f, s, d, before, after)
        for f, s, d, (before, after) in zip(kernel, strides, dilations, widths, strict=True)
    ]


def padding(
    layer: Layer, sizes: Sequence[Any], extents: Sequence[int], strides: Sequence[int]
) -> list[tuple[int, int]]:
    """(before, after) along each axis: a width, one per axis, pairs, or a name."""
    rank, value = len(sizes), layer.options.get("padding", 0)
    if value == "valid":
        return [(0, 0)] * rank
    if value in ("same", "same_lower"):
        out = []
        for (a, b), extent, stride in zip(sizes, extents, strides, strict=True):
            if a % stride:
                raise ModelError(f"{layer.name}: stride {stride} does not divide the period {a}.")
            total = max(0, (-(-b // stride) - 1) * stride + extent - b)
            halves = (total // 2, total - total // 2)
            out.append(halves if value == "same" else halves[::-1])
        return out
    pairs = value if isinstance(value, Sequence) and not isinstance(value, str) else [value] * rank
    pairs = [tuple(a) if isinstance(a, Sequence) else (a, a) for a in pairs]
    if len(pairs) != rank or not all(
        len(pair) == 2 and all(isinstance(a, int) for a in pair) for pair in pairs
    ):
        raise ModelError(
            f"{layer.name}: padding must be a width, one for each of {rank} axes, pairs "
            f"[before, after], 'valid', 'same' or 'same_lower'; received {value!r}."
        )
    return pairs
