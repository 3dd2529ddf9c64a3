"""Where each boundary mode reads: closed forms, proved to be mirroring or wrapping, over and over.

This is the index map of the library; `source_index` evaluates the proved formulas themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from sympy import Abs, And, Eq, Ge, Integer, Le, Lt, Max, Min, Mod, floor, symbols

from .compiled import compiled
from .instances import value
from .proof import Proof
from .symbols import c, i, n
from .theorem import theorem

N = symbols("N", integer=True)
FILL = -1  # what `source_index` answers where the fill value is read


def mod(a: Any, s: Any) -> Any:
    return Mod(a, s, evaluate=False)  # left alone: SymPy would reduce a


def between(low: Any, i: Any, high: Any) -> Any:
    return And(Le(low, i), Le(i, high))


def circular(i: Any, n: Any) -> Any:
    return mod(i, n)


def replicate(i: Any, n: Any) -> Any:
    return Min(Max(i, 0), n - 1)


def mirrored(i: Any, N: Any, c: Any) -> Any:
    """Reflection with half period N; c = 0: about the edge element, c = 1: about the edge."""
    return Min(mod(i, 2 * N), 2 * N - c - mod(i, 2 * N))


def reflect(i: Any, n: Any) -> Any:
    return mirrored(i, n - 1, 0)


def symmetric(i: Any, n: Any) -> Any:
    return mirrored(i, n, 1)


CLOSED: dict[str, Callable[[Any, Any], Any]] = {
    "replicate": replicate,
    "reflect": reflect,
    "symmetric": symmetric,
    "circular": circular,
}
NUMPY = {"replicate": "edge", "reflect": "reflect", "symmetric": "symmetric", "circular": "wrap"}
MODES = ("constant", *CLOSED)


@cache
def _compiled(mode: str) -> Callable[[int, int], int]:
    return compiled(CLOSED[mode](i, n), (i, n))


def source_index(i: int, n: int, mode: str) -> int:
    """The index of 0 … n − 1 that position `i` reads, or −1 where it reads the fill value.

    Parameters
    ----------
    i : int
        Position; 0 is the first element of the data, negative ones lie before it.
    n : int
        Number of elements, at least 1 (at least 0 for ``"constant"``).
    mode : str
        One of ``MODES``.

    Examples
    --------
    >>> [source_index(i, 3, "reflect") for i in range(-3, 6)]
    [1, 2, 1, 0, 1, 2, 1, 0, 1]
    """
    if mode not in MODES:
        raise ValueError(f"source_index: mode must be one of {', '.join(MODES)}; received {mode!r}")
    if n < (mode != "constant"):
        raise ValueError(f"source_index: n must be at least 1 for mode {mode!r}; received {n}")
    if mode == "constant":
        return i if 0 <= i < n else FILL
    if n == 1:  # a single element is its own mirror image, as in numpy.pad
        return 0
    return _compiled(mode)(i, n)


@theorem("Reflect and symmetric")
def mirrored_is_the_recursion(p: Proof) -> Any:
    """Inside: i.  Left of it: the mirror image −c − i.  Right of it: 2n − 2 + c − i.  And again.

    c = 0 is reflect, c = 1 is symmetric.
    """
    p.given(Ge(n, 1), Ge(c, 0), Le(c, 1), Eq(N, n - 1 + c), Ge(N, 1))
    left, right = -c - i, 2 * n - 2 + c - i

    def turns(a: Any) -> Any:
        return floor(a / (2 * N))

    other_way = "a mirror image on the left lies as many turns the other way, or one more"
    p.lemma(between(-1, turns(left) + turns(i), 0), other_way)
    p.lemma(between(0, turns(right) + turns(i), 1), "and so on the right")
    p.recursion(
        i,
        lambda i: mirrored(i, N, c),
        "the recursion ends, since each reflection comes nearer to the middle",
        lambda i: Abs(2 * i - (n - 1)),
        (between(0, i, n - 1), i, [turns(i), turns(i) - 1]),
        (Lt(i, 0), left, [turns(left) + turns(i)]),
        (Ge(i, n), right, [turns(right) + turns(i) - 1]),
    )
    return p.holds(between(0, mirrored(i, N, c), n - 1), "always inside")


@theorem("Circular and replicate")
def circular_and_replicate(p: Proof) -> Any:
    """Circular: a turn of n left or right, again and again.  Replicate: the nearest end."""
    p.given(Ge(n, 1))

    def turns(a: Any) -> Any:
        return floor(a / n)

    one_further = And(Eq(turns(i + n), turns(i) + 1), Eq(turns(i - n), turns(i) - 1))
    p.lemma(one_further, "n further is one turn further")
    p.recursion(
        i,
        lambda i: circular(i, n),
        "circular",
        lambda i: Abs(2 * i - (n - 1)),
        (between(0, i, n - 1), i, [turns(i), turns(i) - 1]),
        (Lt(i, 0), i + n, []),
        (Ge(i, n), i - n, []),
    )
    p.recursion(
        i,
        lambda i: replicate(i, n),
        "replicate",
        lambda i: Max(-i, i - n + 1, 0),
        (between(0, i, n - 1), i, []),
        (Lt(i, 0), Integer(0), []),
        (Ge(i, n), n - 1, []),
    )
    inside = And(between(0, circular(i, n), n - 1), between(0, replicate(i, n), n - 1))
    return p.holds(inside, "always inside")


@theorem("numpy.pad")
def agrees_with_numpy_pad(p: Proof) -> Any:
    """The closed forms are numpy.pad's, for n = 1 … 8 and widths up to 3n (reflect: n ≥ 2)."""

    def same(mode: str, size: int) -> bool:
        at = np.arange(-3 * size, 4 * size)
        ours = value(CLOSED[mode](i, n), {i: at, n: size})
        theirs: Any = np.pad(np.arange(size), 3 * size, mode=NUMPY[mode])  # type: ignore[call-overload]
        return bool((ours == theirs).all())

    over = [(mode, size) for mode in CLOSED for size in range(1 + (mode == "reflect"), 9)]
    return p.check(same, over, "modes and sizes, every width")
