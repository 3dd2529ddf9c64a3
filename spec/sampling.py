"""Evaluate what was proved at numbers: an independent look at every step of every theorem.

This cannot prove anything.  It would notice if a prover accepted something false, or if hypotheses
contradict each other (from a contradiction everything follows).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from sympy import Eq, Ge, IndexedBase, Sum
from sympy.core.function import AppliedUndef

from .instances import box, value

if TYPE_CHECKING:
    from .context import Context

# Sums are evaluated point by point, so at fewer points than whole arrays of integers.
SUM_POINTS = 40
LARGEST = 3  # of the letters in sums


def is_plain(e: Any) -> bool:
    """Whether `e` can be evaluated: it holds no unknown functions."""
    return not e.has(AppliedUndef)


def hypotheses_hold_somewhere(proof: Context) -> bool:
    """Whether some small integers satisfy everything that the proof assumes."""
    facts = [fact for fact in proof.assumed if is_plain(fact) and fact.free_symbols]
    if not facts:
        return True
    at = box((), facts)
    return all(numbers.size for numbers in at.values())


def evaluate(proof: Context, points: int = 4_000) -> tuple[int, str | None]:
    """At how many points the obligations were evaluated; the smallest one where one fails."""
    tried = 0
    for known, statement in proof.obligations:
        known = [fact for fact in known if is_plain(fact) or fact.free_symbols]
        if not is_plain(statement) or not all(map(is_plain, known)):
            continue  # a fact without letters, such as S(0) = 0, says nothing about the statement
        look = sum_instances if statement.has(Sum, IndexedBase) else _integers
        number, at = look(statement, known, points)
        tried += number
        if at is not None:
            return tried, f"{statement} at {at}"
    return tried, None


def _integers(statement: Any, known: list[Any], points: int) -> tuple[int, Any]:
    at = box(statement.free_symbols, known, points)
    right = np.broadcast_to(value(statement, at), next(iter(at.values())).shape) if at else ()
    wrong = np.flatnonzero(np.logical_not(right))
    if not wrong.size:
        return len(right), None
    size = sum(np.abs(numbers[wrong]) for numbers in at.values())
    smallest = wrong[np.argmin(size)]
    return len(right), {str(a): int(numbers[smallest]) for a, numbers in at.items()}


def sum_instances(statement: Any, known: list[Any], points: int) -> tuple[int, Any]:
    """How many small values an equation of sums was tried at; the first where it is false."""
    tried = 0
    for at in _points(statement, known):
        tried += 1
        if value(statement.lhs, at) != value(statement.rhs, at):
            return tried, {str(a): int(number) for a, number in at.items()}
        if tried >= min(points, SUM_POINTS):
            break
    return tried, None


def _points(statement: Any, known: list[Any]) -> Iterator[dict[Any, int]]:
    """Small values for the letters: integers; not 0 for what the statement divides by."""
    letters = scalars(statement)
    divided = {a for a in letters if a.is_nonzero}
    facts = [*known, *(Ge(a, 1) for a in divided if not a.is_integer)]
    facts += [Ge(LARGEST, a) for a in letters if not any(_defines(fact, a) for fact in known)]
    at = box(letters, facts, 20_000)
    number = len(next(iter(at.values()))) if at else 1
    draw = np.random.default_rng(1).permutation(number)[:SUM_POINTS]
    size = sum((np.abs(numbers[draw]) for numbers in at.values()), np.zeros(len(draw)))
    for where in draw[np.argsort(size, kind="stable")]:
        yield {a: int(numbers[where]) for a, numbers in at.items()}


def _defines(fact: Any, letter: Any) -> bool:
    return isinstance(fact, Eq) and fact.lhs == letter


def scalars(e: Any) -> set[Any]:
    """The letters of `e` that stand for one number: neither bound, nor the name of an array."""
    if e.is_Indexed:
        return set().union(*map(scalars, e.indices))
    if isinstance(e, Sum):
        bound = {limit[0] for limit in e.limits}
        return set().union(*map(scalars, e.args)) - bound
    return {e} if e.is_Symbol else set().union(*map(scalars, e.args))
