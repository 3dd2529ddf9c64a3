"""Evaluate a term or a statement at numbers.

This knows neither facts nor certificates: it is the independent judge that looks for small
counterexamples, shows that hypotheses can be satisfied, and checks what the provers accepted.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from functools import reduce
from random import Random
from typing import Any

import numpy as np
from sympy import (
    Abs,
    And,
    Eq,
    Equivalent,
    Ge,
    Gt,
    Implies,
    KroneckerDelta,
    Le,
    Lt,
    Max,
    Min,
    Mod,
    Ne,
    Not,
    Or,
    Sum,
    Symbol,
    ceiling,
    false,
    floor,
    fraction,
    together,
    true,
)

from .brackets import bracket, inside

COMPARE: dict[Any, Any] = {
    Le: operator.le,
    Lt: operator.lt,
    Ge: operator.ge,
    Gt: operator.gt,
    Eq: operator.eq,
    Ne: operator.ne,
}
At = Mapping[Any, Any]


def _arithmetic(e: Any, at: At) -> Any:
    if e.is_Integer:
        return int(e)
    if e.is_Symbol:
        return at[e]
    if e.is_Rational:
        return Fraction(int(e.p), int(e.q))
    parts = [value(a, at) for a in e.args]
    if e.is_Add:
        return reduce(operator.add, parts)
    if e.is_Mul:
        return reduce(operator.mul, parts)
    exponent = int(e.exp)
    return parts[0] ** exponent if exponent > 0 else 1 / Fraction(parts[0] ** -exponent)


def _rounded(e: Any, at: At) -> Any:
    a, s = (value(part, at) for part in fraction(together(e.args[0])))
    return a // s if isinstance(e, floor) else -(-a // s)


def _sum(e: Any, at: At) -> Any:
    *inner, (k, low, high) = e.limits
    body = Sum(e.function, *inner) if inner else e.function
    span = range(value(low, at), value(high, at) + 1)
    return sum(value(body, {**at, k: index}) for index in span)


def _indexed(e: Any, at: At) -> int:
    """An arbitrary number for each name and index, always the same one."""
    return Random(str((e.base.name, *(value(a, at) for a in e.indices)))).randint(-9, 9)


def value(e: Any, at: At) -> Any:
    """`e` where symbols have the values `at`: integers, fractions, or NumPy arrays of integers."""

    def part(which: int) -> Any:
        return value(e.args[which], at)

    if e in (true, false):
        return bool(e)
    if e.is_Number or e.is_Symbol or e.is_Add or e.is_Mul or e.is_Pow:
        return _arithmetic(e, at)
    if isinstance(e, (floor, ceiling)):
        return _rounded(e, at)
    if isinstance(e, Mod):
        return part(0) % part(1)
    if isinstance(e, (Min, Max)):
        pick = np.minimum if isinstance(e, Min) else np.maximum
        return reduce(pick, (value(a, at) for a in e.args))
    if isinstance(e, Abs):
        return abs(part(0))
    if isinstance(e, bracket):
        return 1 * (part(0) >= 0)
    if isinstance(e, inside):
        return 1 * (0 <= part(0) < part(1))
    if isinstance(e, KroneckerDelta):
        return int(part(0) == part(1))
    if e.is_Indexed:
        return _indexed(e, at)
    if isinstance(e, Sum):
        return _sum(e, at)
    if type(e) in COMPARE:
        return COMPARE[type(e)](part(0), part(1))
    if isinstance(e, (And, Or)):
        both = np.logical_and if isinstance(e, And) else np.logical_or
        return reduce(both, (value(a, at) for a in e.args))
    if isinstance(e, Not):
        return np.logical_not(part(0))
    if isinstance(e, Implies):
        return np.logical_or(np.logical_not(part(0)), part(1))
    if isinstance(e, Equivalent):
        return part(0) == part(1)
    raise TypeError(f"no value for {type(e).__name__}")


def box(symbols: Iterable[Any], known: Sequence[Any], points: int = 60_000) -> dict[Any, Any]:
    """Small integers for `symbols` that satisfy `known`; letter = term defines that letter."""

    def defines(fact: Any) -> bool:
        return isinstance(fact, Eq) and fact.lhs.is_Symbol and not fact.rhs.has(fact.lhs)

    rules = {fact.lhs: fact.rhs for fact in known if defines(fact)}
    letters = set(symbols).union(*(fact.free_symbols for fact in known))
    free = sorted(letters - set(rules), key=str)

    def least(letter: Symbol) -> int:
        bounds = [
            int(fact.rhs)
            for fact in known
            if isinstance(fact, Ge) and fact.lhs == letter and fact.rhs.is_Integer
        ]
        return max(bounds, default=-3)

    side = int(points ** (1 / max(1, len(free))))
    if side >= 8:  # every point of a box
        grid = np.meshgrid(*(np.arange(least(a), least(a) + side) for a in free), indexing="ij")
        at = {a: axis.ravel() for a, axis in zip(free, grid, strict=True)}
    else:  # too many letters: points drawn at random
        draw = np.random.default_rng(0)
        at = {a: draw.integers(least(a), least(a) + 9, points) for a in free}
    while missing := [a for a in rules if a not in at]:
        for a in missing:
            if rules[a].free_symbols <= set(at):
                at[a] = value(rules[a], at)
    for fact in sorted(known, key=lambda fact: fact.has(floor, ceiling, Mod)):
        if free:
            keep = np.broadcast_to(value(fact, at), at[free[0]].shape)
            at = {a: np.broadcast_to(numbers, keep.shape)[keep] for a, numbers in at.items()}
    return at


def counterexample(statement: Any, known: Sequence[Any]) -> dict[Any, int] | None:
    """The smallest integers found that satisfy `known` but not `statement`, or None."""
    divisors = {fraction(together(a.args[0]))[1] for a in statement.atoms(floor, ceiling)}
    defined = [Ne(a, 0) for a in divisors if a.free_symbols]
    try:
        with np.errstate(divide="ignore"):
            at = box(statement.free_symbols, [*known, *defined])
            wrong = np.flatnonzero(np.logical_not(value(statement, at)))
    except (TypeError, KeyError):
        return None
    if not wrong.size:
        return None
    if not at:
        return {}
    size = sum(np.abs(numbers[wrong]) for numbers in at.values())
    smallest = wrong[np.argmin(size)]
    return {a: int(numbers[smallest]) for a, numbers in at.items()}
