"""The proved formulas as functions of numbers: the results of the theorems, evaluated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, reduce
from typing import Any

import numpy as np

from . import cost, counting, output_size, padded_array, stack
from .compiled import compiled
from .intervals import ends
from .problems import Problem
from .symbols import C_out, F, N, P, T, d, f, i, m, n, p0, p1, s, t

LETTERS = (n, f, s, d, p0, p1, F, P, T, m, t)


@cache
def _formula(name: str) -> Callable[..., int]:
    first, last = ends(padded_array.core_and_pad.result, i)
    results = {
        "output_size": output_size.output_size.result,
        "ceil_mode": output_size.ceil_mode.result,
        "transposed": output_size.transposed.result,
        "first": first,
        "last": last,
    }
    return compiled(results[name], LETTERS)


def _evaluate(
    name: str, n: int, f: int, s: int, d: int, p0: int, p1: int, m: int = 0, t: int = 0
) -> int:
    """A formula with F, P and T put in."""
    return _formula(name)(n, f, s, d, p0, p1, d * (f - 1) + 1, p0 + p1, n + p0 + p1, m, t)


def outputs(n: int, f: int, s: int, d: int, p0: int, p1: int) -> int:
    return _evaluate("output_size", n, f, s, d, p0, p1)


def outputs_ceil(n: int, f: int, s: int, d: int, p0: int, p1: int) -> int:
    return _evaluate("ceil_mode", n, f, s, d, p0, p1)


def inputs_of_transposed(m: int, r: int, f: int, s: int, d: int, p0: int, p1: int) -> int:
    """The size that a convolution turns into m outputs, with r left over."""
    return _evaluate("transposed", 0, f, s, d, p0, p1, m, r)


def core_of(n: int, f: int, s: int, d: int, p0: int, p1: int) -> tuple[int, int]:
    """First and one past the last output that touches the core."""
    m = outputs(n, f, s, d, p0, p1)
    first, last = (_evaluate(end, n, f, s, d, p0, p1, m) for end in ("first", "last"))
    return (first, last + 1) if last >= first else (0, 0)


def stacked(layers: Sequence[tuple[int, int, int, int]]) -> tuple[int, int, int]:
    """Stride, offset and receptive field of layers (f, s, d, before)."""
    whole = (1, 0, 1)
    for kernel, stride, dilation, before in layers:
        whole = stack.compose(whole, (stride, before, dilation * (kernel - 1) + 1))
    return whole


@cache
def _cost(name: str) -> Callable[..., int]:
    letters = {
        "multiply_adds": (N, C_out, cost.H, cost.W, cost.r, cost.h, cost.w),
        "parameters": (C_out, cost.r, cost.h, cost.w),
        "memory": (cost.n1, cost.n2, cost.a1, cost.b1, cost.a2, cost.b2),
    }
    return compiled(getattr(cost, name).result, letters[name])


def multiply_adds(N: int, C_out: int, H: int, W: int, r: int, h: int, w: int) -> int:
    return _cost("multiply_adds")(N, C_out, H, W, r, h, w)


def parameters(C_out: int, r: int, h: int, w: int) -> int:
    return _cost("parameters")(C_out, r, h, w)


def padding_positions(n1: int, n2: int, a1: int, b1: int, a2: int, b2: int) -> int:
    """What an explicit copy holds beyond the data."""
    return _cost("memory")(n1, n2, a1, b1, a2, b2)


def outputs_named(n: int, f: int, s: int, d: int, padding: str) -> int:
    """⌈n/s⌉ for same; the others from stride 1, then every s-th."""
    reach = d * (f - 1)
    if padding.startswith("same"):
        return -(-n // s)
    whole = {"valid": n - reach, "full": n + reach, "causal": n}[padding]
    return (whole - 1) // s + 1


def fills(problem: Problem) -> Any:
    """z of each output channel: Σ over its group's channels of (Σ w)·v, plus b."""
    own = problem.fill.reshape(problem.groups, 1, -1)
    weights = problem.w.sum(axis=tuple(range(2, problem.w.ndim)))
    weights = weights.reshape(problem.groups, -1, problem.w.shape[1])
    return (weights * own).sum(-1).ravel() + problem.bias


def shell(problem: Problem) -> Any:
    """Which outputs read no data: those that lie in the padding along some axis."""
    axes = []
    for at in range(problem.rank):
        n, f = problem.x.shape[1 + at], problem.w.shape[2 + at]
        s, d, (p0, p1) = problem.stride[at], problem.dilation[at], problem.padding[at]
        m = outputs(n=n, f=f, s=s, d=d, p0=p0, p1=p1)
        axes.append(counting.in_padding(m, n, f, s, d, p0))
    return reduce(np.logical_or.outer, axes)


def outside(problem: Problem) -> Any:
    """v times the weight of the taps that read no data, for every output: the border correction.

    Convolving the indicator of the padding, fill v outside and 0 inside, adds just those taps.
    """
    return problem.outputs(x=np.zeros_like(problem.x), bias=np.zeros_like(problem.bias))


def by_border_identity(problem: Problem) -> Any:
    return problem.outputs(fill=np.zeros_like(problem.fill)) + outside(problem)


def by_shift_identity(problem: Problem) -> Any:
    v = problem.fill.reshape(-1, *(1,) * problem.rank)
    shifted = problem.outputs(x=problem.x - v, fill=np.zeros_like(problem.fill))
    z = fills(problem) - problem.bias
    return shifted + z.reshape(-1, *(1,) * problem.rank)


def axis_matrix(n: int, f: int, s: int, d: int, before: int, m: int) -> Any:
    """A[k, i, j] = [j = i·s − p₀ + k·d]: which position tap k of output i reads, along one axis."""
    k, i, j = np.ogrid[:f, :m, :n]
    return (j == i * s - before + k * d).astype(np.int64)


def _maps(problem: Problem) -> list[Any]:
    """The matrix of each axis, tap by tap: maps[k, i, j]."""
    maps = []
    for at in range(problem.rank):
        n, f = problem.x.shape[1 + at], problem.w.shape[2 + at]
        s, d, (p0, p1) = problem.stride[at], problem.dilation[at], problem.padding[at]
        maps.append(axis_matrix(n, f, s, d, p0, outputs(n=n, f=f, s=s, d=d, p0=p0, p1=p1)))
    return maps


def _split(problem: Problem, array: Any) -> Any:
    return array.reshape(problem.groups, -1, *array.shape[1:])


def _letters(rank: int) -> tuple[str, str, str, str]:
    """Subscripts of data, kernel and outputs; and of the matrices of the axes."""
    data, kernel, out = "jlx"[:rank], "abc"[:rank], "ikz"[:rank]
    terms = ",".join(f"{a}{b}{c}" for a, b, c in zip(kernel, out, data, strict=True))
    return data, kernel, out, terms


def by_matrix(problem: Problem) -> Any:
    """A x + v·(weight outside) + b, with the matrix of each axis written down."""
    data, kernel, out, terms = _letters(problem.rank)
    equation = f"GC{data},GOC{kernel},{terms}->GO{out}"
    x, w = _split(problem, problem.x), _split(problem, problem.w)
    product = np.einsum(equation, x, w, *_maps(problem), optimize=True)
    bias = problem.bias.reshape(-1, *(1,) * problem.rank)
    return product.reshape(-1, *product.shape[2:]) + outside(problem) + bias


def adjoint(problem: Problem, grad: Any) -> Any:
    """Aᵀ g: the transposed convolution."""
    data, kernel, out, terms = _letters(problem.rank)
    g, w = _split(problem, grad), _split(problem, problem.w)
    equation = f"GO{out},GOC{kernel},{terms}->GC{data}"
    return np.einsum(equation, g, w, *_maps(problem), optimize=True).reshape(problem.x.shape)


def gradients(problem: Problem, grad: Any) -> Any:
    """Aᵀ g; correlation with the padded input; Σ g; and g times the weight outside."""
    data, kernel, out, terms = _letters(problem.rank)
    g, x, w = (_split(problem, a) for a in (grad, problem.x, problem.w))
    maps = _maps(problem)
    inside = [one.sum(-1) for one in maps]  # [k, i]: tap k of output i reads data
    spans = ",".join(f"{a}{b}" for a, b in zip(kernel, out, strict=True))
    data_part = np.einsum(f"GO{out},GC{data},{terms}->GOC{kernel}", g, x, *maps, optimize=True)
    all_taps = g.sum(axis=tuple(range(2, g.ndim))).reshape(*g.shape[:2], 1, *(1,) * problem.rank)
    reads_data = np.einsum(f"GO{out},{spans}->GO{kernel}", g, *inside, optimize=True)
    reads_fill = all_taps - reads_data[:, :, None]
    fill = problem.fill.reshape(problem.groups, 1, -1, *(1,) * problem.rank)
    by_fill = (w * reads_fill).sum(axis=(1, *range(3, w.ndim)))
    by_bias = grad.sum(axis=tuple(range(1, grad.ndim)))
    parts = (adjoint(problem, grad), data_part + fill * reads_fill, by_bias, by_fill)
    return np.concatenate([part.ravel() for part in parts])
