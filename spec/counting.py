"""Brute force: the definition, read aloud.  No formula of the other chapters is used here.

Tap k of output i reads position i·s − p₀ + k·d.  Everything below counts or adds over that.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, product
from typing import Any

import numpy as np


def taps(i: int, f: int, s: int, d: int, before: int) -> list[int]:
    """The positions that output i reads."""
    return [i * s - before + k * d for k in range(f)]


def output_size(n: int, f: int, s: int, d: int, before: int, after: int) -> int:
    """How many outputs have all their taps in the padded input."""
    padded = range(-before, n + after)
    return next(i for i in count() if not all(a in padded for a in taps(i, f, s, d, before)))


def ceil_output_size(n: int, f: int, s: int, d: int, before: int, after: int) -> int:
    """Windows made one by one: the first, and on while some element is left over behind the last.

    A window must begin in the data or in the padding before it.
    """
    end, made = n + after, 0
    while made * s - before < n and (made == 0 or max(taps(made - 1, f, s, d, before)) < end - 1):
        made += 1
    return made


def source_index(i: int, n: int, mode: str) -> int:
    """Mirror or wrap again and again until the position lies in the data; −1 is the fill."""
    if mode == "constant":
        return i if 0 <= i < n else -1
    while not 0 <= i < n:
        if mode == "replicate":
            i = 0 if i < 0 else n - 1
        elif mode == "circular":
            i += n if i < 0 else -n
        elif mode == "symmetric":
            i = -1 - i if i < 0 else 2 * n - 1 - i
        elif n == 1:  # reflect
            i = 0
        else:
            i = -i if i < 0 else 2 * n - 2 - i
    return i


def core_outputs(n: int, f: int, s: int, d: int, before: int, after: int) -> tuple[int, int]:
    """First and one past the last output whose span touches the data; (0, 0) if none does."""
    outputs = range(output_size(n, f, s, d, before, after))
    spans = [taps(i, f, s, d, before) for i in outputs]
    touching = [i for i in outputs if spans[i][0] < n and spans[i][-1] >= 0]
    return (touching[0], touching[-1] + 1) if touching else (0, 0)


def conv(
    x: Any,
    w: Any,
    bias: Any,
    *,
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    groups: int = 1,
    fill: Any = 0,
    mode: str = "constant",
) -> Any:
    """Convolution of x (C, *sizes) with w (O, C/groups, *kernel), tap by tap."""
    axes = range(x.ndim - 1)
    fills = np.broadcast_to(fill, x.shape[0])
    sizes = [
        output_size(x.shape[1 + a], w.shape[2 + a], stride[a], dilation[a], *padding[a])
        for a in axes
    ]
    out = np.zeros((w.shape[0], *sizes), x.dtype)
    for at in product(*map(range, out.shape)):
        o, i = at[0], at[1:]
        own = o // (w.shape[0] // groups) * w.shape[1]
        total = bias[o] if bias is not None else x.dtype.type(0)
        for c, *ks in product(*map(range, w.shape[1:])):
            read = [
                source_index(
                    i[a] * stride[a] - padding[a][0] + ks[a] * dilation[a], x.shape[1 + a], mode
                )
                for a in axes
            ]
            here, tap = (own + c, *read), (o, c, *ks)
            total = total + w[tap] * (fills[own + c] if -1 in read else x[here])
        out[at] = total
    return out


def transposed_size(m: int, r: int, f: int, s: int, d: int, p0: int, p1: int) -> int:
    """The input size that gives m outputs and leaves r elements over."""
    extent = d * (f - 1) + 1
    sizes = (n for n in count(max(1, extent - p0 - p1)))
    return next(n for n in sizes if output_size(n, f, s, d, p0, p1) == m) + r


def scatter(
    grad: Any,
    w: Any,
    shape: Sequence[int],
    *,
    stride: Sequence[int],
    before: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Any:
    """Each output adds its number, times a weight, to every position that it read."""
    out = np.zeros(shape, grad.dtype)
    for at in product(*map(range, grad.shape)):
        o = at[0]
        own = o // (w.shape[0] // groups) * w.shape[1]
        for c, *ks in product(*map(range, w.shape[1:])):
            read = [
                i * s - p + k * d
                for i, s, p, k, d in zip(at[1:], stride, before, ks, dilation, strict=True)
            ]
            if all(0 <= a < n for a, n in zip(read, shape[1:], strict=True)):
                here, tap = (own + c, *read), (o, c, *ks)
                out[here] += grad[at] * w[tap]
    return out


def reads(layers: Sequence[tuple[int, int, int, int]], i: int) -> set[int]:
    """Positions of the input that output i of a stack of layers (f, s, d, before) depends on."""
    needed = {i}
    for f, s, d, before in reversed(layers):
        needed = {position for at in needed for position in taps(at, f, s, d, before)}
    return needed


def in_padding(m: int, n: int, f: int, s: int, d: int, before: int) -> Any:
    """Which of m outputs read no data at all, along one axis."""
    return np.array([not set(taps(i, f, s, d, before)) & set(range(n)) for i in range(m)], bool)


def near(unknown: str, value: int) -> range:
    """Candidates for an unknown setting: from the least possible one to beyond the true value."""
    return range(0 if unknown == "P" else 1, value + 4)


def solved(setting: dict[str, int], unknown: str) -> tuple[int, ...]:
    """Which candidates for one setting give as many outputs as the setting itself."""
    n, f, s, d, p0, p1 = (setting[key] for key in ("n", "f", "s", "d", "p0", "p1"))
    whole = {"n": n, "P": p0 + p1, "f": f, "s": s, "d": d}
    out = output_size(n, f, s, d, p0, p1)

    def fits(candidate: int) -> bool:
        trial = {**whole, unknown: candidate}
        return output_size(trial["n"], trial["f"], trial["s"], trial["d"], 0, trial["P"]) == out

    return tuple(candidate for candidate in near(unknown, whole[unknown]) if fits(candidate))


def correlation(m: int, w: Sequence[Any], x: Sequence[Any]) -> list[Any]:
    """m outputs of the taps w over x."""
    return [sum(b * x[i + k] for k, b in enumerate(w)) for i in range(m)]


def loops(*extents: int) -> int:
    """How often the body of nested loops runs."""
    return sum(1 for _ in product(*map(range, extents)))
