"""What a model is here: layers, each with the layers it reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

INPUT = -1  # the index that stands for the network's input


class ModelError(ValueError):
    """A model cannot be read, or cannot work; the message says which layer and why."""


@dataclass(frozen=True)
class Layer:
    """One layer; `inputs` are indices of earlier layers."""

    kind: str
    name: str
    inputs: tuple[int, ...]
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    """Layers in the order in which they run, and the input they were written for."""

    name: str
    channels: int
    sizes: tuple[int, ...]
    layers: tuple[Layer, ...]
    source: str = ""


class Size(NamedTuple):
    """a·q + b for every whole q: the size for all inputs of one residue; a = 0 is a plain number.

    Strides act on b alone where they divide a (spec/stack.py, "Whole strides leave a floor").
    """

    a: int
    b: int

    def __str__(self) -> str:
        return (
            str(self.b)
            if self.a == 0
            else f"{self.a}·q {'+' if self.b >= 0 else '−'} {abs(self.b)}"
        )


class Tensor(NamedTuple):
    """What a layer returns, without the batch; no sizes once it is flat."""

    channels: int
    sizes: tuple[Size, ...]

    @property
    def elements(self) -> int:
        """For plain numbers only."""
        count = self.channels
        for size in self.sizes:
            count *= size.b
        return count

    def __str__(self) -> str:
        return " × ".join(map(str, (self.channels, *self.sizes)))
