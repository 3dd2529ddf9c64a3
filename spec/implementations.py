"""What the formulas are compared with: a table of implementations, each with what it can answer.

An implementation is a name and functions that take the settings of a question.  One that cannot be
used here says why in a sentence.  Libraries are imported when the table is made, not before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from . import counting
from .index_map import NUMPY
from .problems import Problem
from .worked import named_widths


@dataclass(frozen=True)
class Implementation:
    """Functions by the name of what they compute; or none, and why it is `absent`."""

    name: str
    answers: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    absent: str = ""


def implementations() -> list[Implementation]:
    """All of them, also those that are absent here."""
    return [_counting(), _numpy(), _functions(), *_cpu(), _cuda()]


def _counting() -> Implementation:
    def size(n: int, f: int, s: int, d: int, p0: int, p1: int) -> int:
        return counting.output_size(n, f, s, d, p0, p1)

    def size_ceil(n: int, f: int, s: int, d: int, p0: int, p1: int) -> int:
        return counting.ceil_output_size(n, f, s, d, p0, p1)

    def core(n: int, f: int, s: int, d: int, p0: int, p1: int) -> tuple[int, int]:
        return counting.core_outputs(n, f, s, d, p0, p1)

    def stacked(layers: Any) -> tuple[int, int, int]:
        first, second = (counting.reads(layers, i) for i in (0, 1))
        return min(second) - min(first), -min(first), max(first) - min(first) + 1

    def multiply_adds(N: int, C_out: int, H: int, W: int, r: int, h: int, w: int) -> int:
        return counting.loops(N, C_out, H, W, r, h, w)

    def parameters(C_out: int, r: int, h: int, w: int) -> int:
        return counting.loops(C_out, r, h, w) + counting.loops(C_out)

    def copied(n1: int, n2: int, a1: int, b1: int, a2: int, b2: int) -> int:
        return counting.loops(n1 + a1 + b1, n2 + a2 + b2) - counting.loops(n1, n2)

    def size_named(n: int, f: int, s: int, d: int, padding: str) -> int:
        return counting.output_size(n, f, s, d, *named_widths(padding, n, f, s, d))

    answers = {
        "output_size": size,
        "output_size_named": size_named,
        "parameters": parameters,
        "padding_positions": copied,
        "output_size_ceil": size_ceil,
        "core": core,
        "stack": stacked,
        "multiply_adds": multiply_adds,
        "source_index": counting.source_index,
        "conv": Problem.outputs,
        "solved": counting.solved,
        "correlation": counting.correlation,
    }
    return Implementation("counting", answers)


def _numpy() -> Implementation:
    def source_index(i: int, n: int, mode: str) -> int:
        if mode == "constant":
            padded = np.pad(np.arange(n), 4 * n, constant_values=-1)
        else:
            padded = np.pad(np.arange(n), 4 * n, mode=NUMPY[mode])
        return int(padded[i + 4 * n])

    return Implementation("numpy.pad", {"source_index": source_index})


def _library() -> ModuleType:
    return import_module(__package__.rpartition(".")[0])


def _functions() -> Implementation:
    """The public functions that compute shapes and costs."""
    library = _library()
    if not hasattr(library, "output_shape"):
        return Implementation("shape functions", absent="The library is not installed.")

    def size(n: int, f: int, s: int, d: int, p0: int, p1: int) -> int:
        return int(library.output_shape((1, n), (1, 1, f), s, ((p0, p1),), d)[-1])

    def size_named(n: int, f: int, s: int, d: int, padding: str) -> int:
        return int(library.output_shape((1, n), (1, 1, f), s, padding, d)[-1])

    def stacked(layers: Any) -> tuple[int, int, int]:
        keys = ("kernel_size", "stride", "dilation", "padding")
        found = library.receptive_field([dict(zip(keys, one, strict=True)) for one in layers])
        return found.stride[0], found.offset[0], found.size[0]

    def multiply_adds(N: int, C_out: int, H: int, W: int, r: int, h: int, w: int) -> int:
        found = library.cost((N, r, H + h - 1, W + w - 1), (C_out, r, h, w))
        return int(found.multiply_adds)

    def parameters(C_out: int, r: int, h: int, w: int) -> int:
        return int(library.cost((1, r, h, w), (C_out, r, h, w)).parameters) + C_out

    def copied(n1: int, n2: int, a1: int, b1: int, a2: int, b2: int) -> int:
        widths = ((a1, b1), (a2, b2))
        found = library.cost((1, 1, n1, n2), (1, 1, 1, 1), padding=widths, dtype="int8")
        return int(found.padded_bytes - found.input_bytes if found.padded_bytes else 0)

    answers = {
        "output_size": size,
        "output_size_named": size_named,
        "stack": stacked,
        "multiply_adds": multiply_adds,
        "parameters": parameters,
        "padding_positions": copied,
    }
    return Implementation("shape functions", answers)


def conv_by(call: Callable[..., Any], dtype: str) -> Callable[[Problem], Any]:
    """Ask a convolution of the library, as the public functions take it."""

    def conv(problem: Problem) -> Any:
        options: dict[str, Any] = {"padding_mode": problem.mode}
        if problem.mode == "constant":
            options["fill_value"] = problem.fill.astype(dtype)
        result = call(
            problem.rank,
            problem.x.astype(dtype),
            problem.w.astype(dtype),
            problem.bias.astype(dtype),
            problem.stride,
            problem.padding,
            problem.dilation,
            problem.groups,
            **options,
        )
        return np.asarray(result).astype(np.int64)

    return conv


def _cpu() -> list[Implementation]:
    """The compiled kernels, once for each instruction set of this machine."""
    try:
        kernels = import_module("._conv_cpu", _library().__name__)
    except ImportError as error:
        return [Implementation("CPU", absent=f"The compiled kernels are missing: {error}.")]
    return [_instruction_set(kernels, name) for name in kernels.instruction_sets()]


def _instruction_set(kernels: ModuleType, name: str) -> Implementation:
    library = _library()

    def call(rank: int, *arguments: Any, **options: Any) -> Any:
        before = kernels.get_instruction_set()
        kernels.set_instruction_set(name)
        try:
            return getattr(library, f"conv{rank}d")(*arguments, **options)
        finally:
            kernels.set_instruction_set(before)

    def source_index(i: int, n: int, mode: str) -> int:
        table = np.asarray(kernels.index_table(n, 4 * n, 9 * n, mode))
        by_table, by_function = int(table[i + 4 * n]), int(kernels.source_index(i, n, mode))
        return by_function if by_table == by_function else -2

    answers = {
        "conv": conv_by(call, "float64"),
        "conv_float32": conv_by(call, "float32"),
        "source_index": source_index,
    }
    return Implementation(f"CPU {name}", answers)


def _cuda() -> Implementation:
    """The CUDA kernels, on a device that CuPy finds."""
    try:
        cupy = import_module("cupy")
        found = bool(cupy.cuda.is_available())
    except ImportError:
        return Implementation("CUDA", absent="CuPy is not installed.")
    if not found:
        return Implementation("CUDA", absent="CuPy finds no CUDA device here.")
    library = _library()

    def call(rank: int, *arguments: Any, **options: Any) -> Any:
        on_device = [cupy.asarray(a) if isinstance(a, np.ndarray) else a for a in arguments]
        return cupy.asnumpy(getattr(library, f"conv{rank}d")(*on_device, **options))

    return Implementation("CUDA", {"conv_float32": conv_by(call, "float32")})
