"""Bring inequalities to the form  low ≤ letter ≤ high.  Not trusted: the caller proves it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sympy import (
    Add,
    And,
    Dummy,
    Expr,
    Ge,
    Gt,
    Le,
    Lt,
    Max,
    Min,
    Symbol,
    ceiling,
    expand,
    floor,
    fraction,
    together,
)

from .certificate import Unproved
from .integers import DEFINED, implied


def solve(statement: Any, letter: Symbol, known: Sequence[Any] = ()) -> Any:
    """`statement`, a conjunction of relations linear in `letter`, as low ≤ letter ≤ high."""
    low, high, rest = [], [], []
    for relation in And.make_args(statement):
        if isinstance(relation, (Ge, Gt)):
            relation = relation.reversed
        strict = isinstance(relation, Lt)
        gap = relation.lhs - relation.rhs  # <= 0, or < 0
        slope, free = expand(gap).diff(letter), gap.subs(letter, 0)
        if slope == 0:
            rest.append(relation)
        elif implied(Ge(slope, 1, evaluate=False), known) is not None:
            bound = -free / slope
            high.append(rounded(ceiling, bound) - 1 if strict else rounded(floor, bound))
        elif implied(Ge(-slope, 1, evaluate=False), known) is not None:
            bound = free / -slope
            low.append(rounded(floor, bound) + 1 if strict else rounded(ceiling, bound))
        else:
            raise Unproved(f"the sign of {slope} is not known, so {letter} cannot be isolated")
    if low:
        rest.append(Le(Max(*low), letter))
    if high:
        rest.append(Le(letter, Min(*high)))
    return And(*rest)


def rounded(rounding: Any, e: Expr) -> Expr:
    """rounding(e) with whole terms taken out and a single fraction left inside."""
    numerator, divisor = fraction(together(e))
    hidden = {term: Dummy(integer=True) for term in numerator.atoms(*DEFINED)}
    parts = Add.make_args(expand(expand(numerator.xreplace(hidden)) / divisor))
    whole = Add(*(part for part in parts if part.is_integer))
    inner = together(Add(*(part for part in parts if not part.is_integer)))
    return (whole + rounding(inner)).xreplace({letter: term for term, letter in hidden.items()})


def ends(interval: Any, letter: Symbol) -> tuple[Expr | None, Expr | None]:
    """low and high of  low ≤ letter ≤ high."""
    low = high = None
    for relation in And.make_args(interval):
        if isinstance(relation, Ge):
            relation = relation.reversed
        if relation.rhs == letter:
            low = relation.lhs
        if relation.lhs == letter:
            high = relation.rhs
    return low, high
