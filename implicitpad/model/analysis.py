"""Run shapes through a network: layer by layer, what comes out and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from .network import INPUT, Layer, ModelError, Network, Size, Tensor
from .options import windows
from .rules import RULES, Outcome

BYTES = 4  # of a float32


@dataclass(frozen=True)
class Row:
    """One layer of the report.  The receptive field is along the first axis."""

    name: str
    kind: str
    out: Tensor
    receptive_field: int
    parameters: int
    multiply_adds: int
    output_bytes: int
    padded_bytes: int  # of the copy that explicit padding would make; 0 without padding

    def as_dict(self) -> dict[str, Any]:
        shape = [self.out.channels, *(size.b for size in self.out.sizes)]
        return {**vars(self), "out": shape}


def trace(network: Network, sizes: Sequence[Size]) -> list[Outcome]:
    """The outcome of each layer for an input of these sizes; ModelError where one cannot work."""
    start = Tensor(network.channels, tuple(sizes))
    outcomes: list[Outcome] = []
    for layer in network.layers:
        inputs = [start if at == INPUT else outcomes[at].out for at in layer.inputs]
        outcomes.append(RULES[layer.kind](layer, inputs))
    return outcomes


def analyse(network: Network, sizes: Sequence[int] | None = None) -> tuple[list[Row], str]:
    """The rows up to the first layer that cannot work, and why it cannot ("" if all can)."""
    numbers = network.sizes if sizes is None else sizes
    start = Tensor(network.channels, tuple(Size(0, n) for n in numbers))
    outs: list[Tensor] = []
    fields: list[tuple[Fraction, Fraction]] = []  # stride and receptive field
    rows: list[Row] = []
    for layer in network.layers:
        inputs = [start if at == INPUT else outs[at] for at in layer.inputs]
        try:
            outcome = RULES[layer.kind](layer, inputs)
        except ModelError as misfit:
            return rows, str(misfit)
        before = [(Fraction(1), Fraction(1)) if at == INPUT else fields[at] for at in layer.inputs]
        fields.append(_field(layer, inputs[0], before))
        outs.append(outcome.out)
        rows.append(
            Row(
                layer.name,
                layer.kind,
                outcome.out,
                int(fields[-1][1]),
                outcome.parameters,
                outcome.multiply_adds,
                BYTES * outcome.out.elements,
                BYTES * _padded(layer, inputs[0]),
            )
        )
    return rows, ""


def _field(layer: Layer, x: Tensor, before: Sequence[Any]) -> tuple[Fraction, Fraction]:
    """Stride and receptive field after a layer: spec/stack.py; of several inputs the largest."""
    stride, field = max(before, key=lambda pair: pair[1])
    if not x.sizes or layer.kind in ("global_pool", "adaptive_pool", "flatten", "linear"):
        return stride, field
    if layer.kind == "upsample":
        factor = layer.options.get("factor", 2)
        return stride / (factor if isinstance(factor, int) else factor[0]), field
    if "kernel" not in layer.options:
        return stride, field
    window = windows(layer, x.sizes)[0]
    if layer.kind == "conv_transpose":  # an output reads at most ⌈F/s⌉ inputs
        reads = -(-window.extent // window.stride)
        return stride / window.stride, field + (reads - 1) * stride
    return stride * window.stride, field + (window.extent - 1) * stride


def _padded(layer: Layer, x: Tensor) -> int:
    """Elements of the explicit copy."""
    if "kernel" not in layer.options or not x.sizes or layer.kind == "conv_transpose":
        return 0
    each = windows(layer, x.sizes)
    if all(window.before == window.after == 0 for window in each):
        return 0
    count = x.channels
    for size, window in zip(x.sizes, each, strict=True):
        count *= size.b + window.padding
    return count
