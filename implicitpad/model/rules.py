"""What each kind of layer returns and costs.

A rule takes a layer and the tensors it reads, and gives the tensor it returns with the numbers of
parameters and of multiply-adds (for one image).  Sizes are a·q + b, so the same rules serve one
input and all inputs of a residue class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import NamedTuple

from .network import Layer, ModelError, Size, Tensor
from .options import Window, per_axis, windows


class Outcome(NamedTuple):
    out: Tensor
    parameters: int = 0
    multiply_adds: int = 0
    fixed: Tensor | None = None  # what was flattened: later weights hold it to this shape


class Misfit(ModelError):
    """The layer cannot work at this size; `fix` is the smallest change."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(f"{message}; {fix}.")


def down(layer: Layer, size: Size, window: Window, ceil: bool, exact: bool) -> Size:
    """⌊(n + P − F)/s⌋ + 1, or the ceil-mode size."""
    a, b = size
    reach, s = b + window.padding - window.extent, window.stride
    if a == 0 and reach < 0:
        raise Misfit(
            f"{layer.name}: a window spans {window.extent} but the input with its padding has "
            f"{b + window.padding}",
            f"add {-reach} to the padding or to the size",
        )
    if a % s:
        raise ModelError(f"{layer.name}: stride {s} does not divide the period {a}.")
    if exact and reach % s:
        raise Misfit(
            f"{layer.name}: {reach % s} of {size} would be dropped, and exact forbids it",
            f"add {s - reach % s} to the size",
        )
    whole = reach // s
    if ceil:  # a window may run off the end if it begins in the data or before
        whole = min(-(-reach // s), -(-(b + window.before) // s) - 1)
    return Size(a // s, whole + 1)


def _spatial(layer: Layer, x: Tensor) -> None:
    if not x.sizes:
        raise Misfit(f"{layer.name}: the input is flat ({x})", "move it before the flattening")


def _count(sizes: Sequence[Size]) -> int:
    return prod(size.b for size in sizes)


def conv(layer: Layer, inputs: Sequence[Tensor]) -> Outcome:
    (x,) = inputs
    _spatial(layer, x)
    out, groups = _channels(layer, x)
    each = windows(layer, x.sizes)
    sizes = tuple(down(layer, n, w, False, False) for n, w in zip(x.sizes, each, strict=True))
    terms = x.channels // groups * prod(w.kernel for w in each)
    bias = out if layer.options.get("bias", True) else 0
    return Outcome(Tensor(out, sizes), out * terms + bias, out * terms * _count(sizes))


def _channels(layer: Layer, x: Tensor) -> tuple[int, int]:
    out, groups = layer.options.get("out"), layer.options.get("groups", 1)
    groups = x.channels if groups == "depthwise" else groups
    out = x.channels if out is None and groups == x.channels else out
    if not isinstance(out, int) or out < 1:
        raise ModelError(f"{layer.name}: out must be the number of output channels.")
    if x.channels % groups or out % groups:
        raise Misfit(
            f"{layer.name}: groups must divide both channels, received {groups} for {x.channels} "
            f"to {out}",
            "choose a common divisor",
        )
    return out, groups


def conv_transpose(layer: Layer, inputs: Sequence[Tensor]) -> Outcome:
    (x,) = inputs
    _spatial(layer, x)
    out, groups = _channels(layer, x)
    each, rank = windows(layer, x.sizes), len(x.sizes)
    rest = per_axis(layer, "output_padding", rank, 0)
    sizes = []
    for (a, b), w, r in zip(x.sizes, each, rest, strict=True):
        sizes.append(Size(a * w.stride, (b - 1) * w.stride + w.extent - w.padding + r))
        if r >= w.stride:
            raise Misfit(
                f"{layer.name}: output_padding {r} with stride {w.stride} undoes no convolution",
                f"take at most {w.stride - 1}",
            )
    terms = out // groups * prod(w.kernel for w in each)
    bias = out if layer.options.get("bias", True) else 0
    multiply_adds = x.channels * terms * _count(x.sizes)
    return Outcome(Tensor(out, tuple(sizes)), x.channels * terms + bias, multiply_adds)


def pool(layer: Layer, inputs: Sequence[Tensor]) -> Outcome:
    (x,) = inputs
    _spatial(layer, x)
    ceil, exact = (bool(layer.options.get(name, False)) for name in ("ceil", "exact"))
    each = zip(x.sizes, windows(layer, x.sizes), strict=True)
    return Outcome(Tensor(x.channels, tuple(down(layer, n, w, ceil, exact) for n, w in each)))


def global_pool(layer: Layer, inputs: Sequence[Tensor]) -> Outcome:
    (x,) = inputs
    _spatial(layer, x)
    return Outcome(Tensor(x.channels, (Size(0, 1),) * len(x.sizes)))


def adaptive_pool(layer: Layer, inputs: Sequence[Tensor]) -> Outcome:
    (x,) = inputs
    _spatial(layer, x)
    sizes = per_axis(layer, "out", len(x.sizes), 1)
    return Outcome(Tensor(x.channels, tuple(Size(0, b) for b in sizes)))


def upsample(layer: Layer, inputs: Sequence[Tensor]) -> Outcome:
    (x,) = inputs
    _spatial(layer, x)
    factors = per_axis(layer, "factor", len(x.sizes), 2)
    sizes = tuple(Size(a * t, b * t) for (a, b), t in zip(x.sizes, factors, strict=True))
    return Outcome(Tensor(x.channels, sizes))


def unchanged(layer: Layer, inputs: Sequence[Tensor]) -> Outcome:
    return Outcome(inputs[0], 2 * inputs[0].channels if layer.kind == "batch_norm" else 0)


def add(layer: Layer, inputs: Sequence[Tensor]) -> Outcome:
    first = inputs[0]
    for other in inputs[1:]:
        if other != first:
            raise Misfit(f"{layer.name}: cannot add {other} to {first}", "make them equal")
    return Outcome(first)


def concat(layer: Layer, inputs: Sequence[Tensor]) -> Outcome:
    """Along the channels; with `crop` all are cut to the size of the first."""
    first, crop = inputs[0], layer.options.get("crop", False)
    for other in inputs[1:]:
        larger = all(
            a == c and b >= d for (a, b), (c, d) in zip(other.sizes, first.sizes, strict=True)
        )
        if other.sizes != first.sizes and not (crop and larger):
            raise Misfit(
                f"{layer.name}: cannot join {other} to {first}",
                "crop the larger one, or take a size that works",
            )
    return Outcome(Tensor(sum(x.channels for x in inputs), first.sizes))


def flatten(layer: Layer, inputs: Sequence[Tensor]) -> Outcome:
    (x,) = inputs
    return Outcome(Tensor(x.channels * _count(x.sizes), ()), fixed=x)


def linear(layer: Layer, inputs: Sequence[Tensor]) -> Outcome:
    (x,) = inputs
    out = layer.options.get("out")
    if not isinstance(out, int):
        raise ModelError(f"{layer.name}: linear needs out, its number of outputs.")
    if x.sizes:
        raise Misfit(f"{layer.name}: the input is not flat ({x})", "put flatten before it")
    bias = out if layer.options.get("bias", True) else 0
    return Outcome(Tensor(out, ()), x.channels * out + bias, x.channels * out)


RULES: dict[str, Callable[[Layer, Sequence[Tensor]], Outcome]] = {
    "conv": conv,
    "conv_transpose": conv_transpose,
    "max_pool": pool,
    "avg_pool": pool,
    "global_pool": global_pool,
    "adaptive_pool": adaptive_pool,
    "upsample": upsample,
    "batch_norm": unchanged,
    "activation": unchanged,
    "dropout": unchanged,
    "add": add,
    "concat": concat,
    "flatten": flatten,
    "linear": linear,
}
