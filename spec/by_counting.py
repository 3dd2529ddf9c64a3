"""What counting answers to each question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from . import counting, lectures
from .problems import Problem
from .worked import named_widths


def answers() -> dict[str, Callable[..., Any]]:
    """Functions by the name of what they compute."""

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

    found: dict[str, Callable[..., Any]] = {
        "output_size": size,
        "output_size_named": size_named,
        "parameters": parameters,
        "padding_positions": copied,
        "output_size_ceil": size_ceil,
        "core": core,
        "core_of_padded": core,
        "stack": stacked,
        "multiply_adds": multiply_adds,
        "source_index": counting.source_index,
        "conv": Problem.outputs,
        "layer_shape": lectures.shape_by_counting,
        "transposed_size": counting.transposed_size,
        "adjoint": adjoint,
        "gradients": gradients,
        "solved": counting.solved,
        "correlation": counting.correlation,
    }
    return found


def adjoint(problem: Problem, grad: Any) -> Any:
    before = [widths[0] for widths in problem.padding]
    options = {"stride": problem.stride, "before": before, "dilation": problem.dilation}
    return counting.scatter(grad, problem.w, problem.x.shape, groups=problem.groups, **options)


def gradients(problem: Problem, grad: Any) -> Any:
    """Change one number by one: the loss is linear in each, so that this is its derivative."""
    base = int((problem.outputs() * grad).sum())
    out = []
    for name in ("x", "w", "bias", "fill"):
        array = getattr(problem, name)
        for at in np.ndindex(array.shape):
            changed = array.copy()
            changed[at] += 1
            loss = (replace(problem, **{name: changed}).outputs() * grad).sum()
            out.append(int(loss) - base)
    return np.array(out)
