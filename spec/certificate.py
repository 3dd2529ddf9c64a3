"""The evidence for a statement about integers: a sum that anyone can multiply out."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from sympy import ZZ, Dummy, Expr, ring


class Unproved(Exception):
    """No evidence was found: the statement is false, or beyond the search."""


@dataclass(frozen=True)
class Certificate:
    """No integers make all `facts` >= 0, because a positive combination of products is negative.

    Parameters
    ----------
    facts : tuple of Expr
        Polynomials with integer coefficients in integer letters, each claimed to be >= 0.
    terms : tuple of (int, tuple of int)
        Pairs (c, js): the sum of ``c * prod(facts[j] for j in js)`` is a negative number.
    names : tuple of (Symbol, Expr)
        What the fresh letters stand for: floors, minima and so on.
    """

    facts: tuple[Expr, ...]
    terms: tuple[tuple[int, tuple[int, ...]], ...]
    names: tuple[tuple[Expr, Expr], ...] = ()

    def value(self) -> int | None:
        """The sum, multiplied out over the integers; None if letters remain in it."""
        domain, p = polynomials(self.facts)
        total = domain.zero
        for c, js in self.terms:
            total += c * prod((p[j] for j in js), start=domain.one)
        return int(total.LC) if total.is_ground else None

    def holds(self) -> bool:
        """Whether this is a proof: every c is a positive integer and the sum is negative."""
        if not all(isinstance(c, int) and c > 0 for c, _ in self.terms):
            return False
        value = self.value()
        return value is not None and value < 0


def polynomials(facts: tuple[Expr, ...] | list[Expr]) -> tuple[Any, list[Any]]:
    """The facts in one polynomial ring over the integers; Unproved if they do not live there."""
    letters = set().union(*(fact.free_symbols for fact in facts)) or {Dummy(integer=True)}
    if strange := [a for a in letters if not a.is_integer]:
        raise Unproved(f"{strange} may not be integers")
    domain = ring(sorted(letters, key=str), ZZ)[0]
    try:
        return domain, [domain.from_expr(fact) for fact in facts]
    except (ValueError, TypeError, ArithmeticError) as error:
        raise Unproved(f"not polynomials with integer coefficients: {error}") from None
