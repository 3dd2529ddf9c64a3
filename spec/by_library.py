"""What the library answers to each question: its shape functions, and its kernels."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from .problems import Problem


def _library() -> ModuleType:
    return import_module(__package__.rpartition(".")[0])


def shape_functions() -> dict[str, Callable[..., Any]]:
    """The public functions that compute shapes and costs."""
    library = _library()

    def size(n: int, f: int, s: int, d: int, p0: int, p1: int) -> int:
        return int(library.output_shape((1, n), (1, 1, f), s, ((p0, p1),), d)[-1])

    def size_named(n: int, f: int, s: int, d: int, padding: str) -> int:
        return int(library.output_shape((1, n), (1, 1, f), s, padding, d)[-1])

    def size_ceil(n: int, f: int, s: int, d: int, p0: int, p1: int) -> int:
        x = np.zeros((1, n), np.float32)
        return int(library.max_pool1d(x, f, s, ((p0, p1),), d, True).shape[-1])

    def core(n: int, f: int, s: int, d: int, p0: int, p1: int) -> tuple[int, int]:
        x = library.PaddedArray(np.zeros((1, n), np.float32), ((p0, p1),), 0.0)
        y = library.conv1d(x, np.zeros((1, 1, f), np.float32), None, s, 0, d)
        before, length = y.pad[0][0], y.core.shape[-1]
        return (before, before + length) if length else (0, 0)

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

    def layer_shape(
        input: Any, weight: Any, stride: int, padding: Any, groups: int, **_: Any
    ) -> Any:
        return library.output_shape(input, weight, stride, padding, 1, groups)

    def layer_cost(layers: Any, **_: Any) -> tuple[int, int]:
        found = [library.cost(input, weight, groups=groups) for input, weight, groups in layers]
        return sum(one.parameters for one in found), sum(one.multiply_adds for one in found)

    return {
        "layer_shape": layer_shape,
        "layer_cost": layer_cost,
        "output_size": size,
        "output_size_named": size_named,
        "output_size_ceil": size_ceil,
        "core_of_padded": core,
        "stack": stacked,
        "multiply_adds": multiply_adds,
        "parameters": parameters,
        "padding_positions": copied,
    }


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


def adjoint_by(call: Callable[..., Any]) -> Callable[[Problem, Any], Any]:
    """Ask for the transposed convolution back to the size of the input."""

    def adjoint(problem: Problem, grad: Any) -> Any:
        spans = zip(
            problem.x.shape[1:], problem.w.shape[2:], problem.dilation, problem.padding, strict=True
        )
        over = [n + p0 + p1 - d * (f - 1) - 1 for n, f, d, (p0, p1) in spans]
        rest = tuple(a % s for a, s in zip(over, problem.stride, strict=True))
        return call(
            problem.rank,
            grad.astype("float64"),
            problem.w.astype("float64"),
            None,
            problem.stride,
            problem.padding,
            rest,
            problem.groups,
            problem.dilation,
        )

    return adjoint


def gradients_by(call: Callable[..., Any]) -> Callable[[Problem, Any], Any]:
    """Ask for the gradients of the input, the weights, the bias and the fill, in this order."""

    def gradients(problem: Problem, grad: Any) -> Any:
        found = call(
            problem.rank,
            grad.astype("float64"),
            problem.x.astype("float64"),
            problem.w.astype("float64"),
            kind="_backward",
            stride=problem.stride,
            padding=problem.padding,
            dilation=problem.dilation,
            groups=problem.groups,
            fill_value=problem.fill.astype("float64"),
        )
        return np.concatenate([np.asarray(one).ravel() for one in found])

    return gradients


def instruction_set(kernels: ModuleType, name: str) -> dict[str, Callable[..., Any]]:
    """The compiled kernels of one instruction set."""
    library = _library()

    def call(rank: int, *arguments: Any, kind: str = "", **options: Any) -> Any:
        before = kernels.get_instruction_set()
        kernels.set_instruction_set(name)
        try:
            return getattr(library, f"conv{rank}d{kind}")(*arguments, **options)
        finally:
            kernels.set_instruction_set(before)

    def transposed(rank: int, *arguments: Any) -> Any:
        return getattr(library, f"conv_transpose{rank}d")(*arguments)

    def transposed_size(m: int, r: int, f: int, s: int, d: int, p0: int, p1: int) -> int:
        x, w = np.zeros((1, m), np.float32), np.zeros((1, 1, f), np.float32)
        return int(transposed(1, x, w, None, s, ((p0, p1),), r, 1, d).shape[-1])

    def source_index(i: int, n: int, mode: str) -> int:
        table = np.asarray(kernels.index_table(n, 4 * n, 9 * n, mode))
        by_table, by_function = int(table[i + 4 * n]), int(kernels.source_index(i, n, mode))
        return by_function if by_table == by_function else -2

    def layer_shape(
        input: Any, weight: Any, stride: int, padding: Any, groups: int, **_: Any
    ) -> Any:
        x, w = np.zeros(input, np.float32), np.zeros(weight, np.float32)
        return call(len(weight) - 2, x, w, None, stride, padding, 1, groups).shape

    return {
        "layer_shape": layer_shape,
        "gradients": gradients_by(call),
        "adjoint": adjoint_by(transposed),
        "transposed_size": transposed_size,
        "conv": conv_by(call, "float64"),
        "conv_float32": conv_by(call, "float32"),
        "source_index": source_index,
    }
