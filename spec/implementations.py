"""What the formulas are compared with: a table of implementations, each with what it can answer.

An implementation is a name and functions that take the settings of a question.  One that cannot be
used here says why in a sentence.  Libraries are imported when the table is made, not before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np

from . import by_counting, by_library, cuda_device, lectures
from .index_map import NUMPY

# Emulated threads are slow: so many settings of a question are enough.
EMULATED = 30


@dataclass(frozen=True)
class Implementation:
    """Functions by the name of what they compute; or none, and why it is `absent`."""

    name: str
    answers: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    absent: str = ""
    most: int | None = None  # settings that it is asked at most, evenly spread


def implementations() -> list[Implementation]:
    """All of them, also those that are absent here."""
    counted = Implementation("counting", by_counting.answers())
    shapes = Implementation("public functions", by_library.shape_functions())
    return [_formulas(), counted, _numpy(), shapes, *_cpu(), _cuda()]


def _formulas() -> Implementation:
    """The formulas themselves, for cases that state a number."""
    answers: dict[str, Callable[..., Any]] = {
        "layer_shape": lectures.shape_by_formula,
        "layer_cost": lectures.cost_by_formula,
    }
    return Implementation("formulas", answers)


def _numpy() -> Implementation:
    def source_index(i: int, n: int, mode: str) -> int:
        if mode == "constant":
            padded = np.pad(np.arange(n), 4 * n, constant_values=-1)
        else:
            padded = np.pad(np.arange(n), 4 * n, mode=NUMPY[mode])  # type: ignore[call-overload]
        return int(padded[i + 4 * n])

    return Implementation("numpy.pad", {"source_index": source_index})


def _cpu() -> list[Implementation]:
    """The compiled kernels, once for each instruction set of this machine."""
    try:
        kernels = import_module("implicitpad._conv_cpu")
    except ImportError as error:
        return [Implementation("CPU", absent=f"The compiled kernels are missing: {error}.")]
    return [
        Implementation(f"CPU {name}", by_library.instruction_set(kernels, name))
        for name in kernels.instruction_sets()
    ]


def _cuda() -> Implementation:
    """The CUDA kernels, on a device or emulated."""
    found, name = cuda_device.device()
    if found is None:
        return Implementation("CUDA", absent=name)
    answers: dict[str, Callable[..., Any]] = {
        "conv": cuda_device.conv(found, "float64"),
        "conv_float32": cuda_device.conv(found, "float32"),
        "source_index": cuda_device.source_index(found),
    }
    return Implementation(name, answers, most=None if "emulator" not in name else EMULATED)
