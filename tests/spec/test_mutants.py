"""Change one thing in a proved statement: what is false somewhere must never be proved again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from sympy import (
    And,
    Eq,
    Ge,
    Gt,
    Implies,
    IndexedBase,
    Integer,
    Le,
    Lt,
    Max,
    Min,
    Sum,
    ceiling,
    false,
    floor,
    true,
)

from implicitpad.spec import sums
from implicitpad.spec.certificate import Unproved
from implicitpad.spec.instances import counterexample
from implicitpad.spec.integers import prove
from implicitpad.spec.sampling import is_plain, sum_instances
from implicitpad.spec.theorem import theorems

SWAP = {floor: ceiling, ceiling: floor, Max: Min, Min: Max, Le: Lt, Lt: Le, Ge: Gt, Gt: Ge}


def mutants(e: Any) -> Iterator[Any]:
    """All expressions that differ from `e` at one place."""
    if isinstance(e, Integer):
        yield from (e + 1, e - 1)
        return
    if e.is_Symbol:
        yield e + 1
        return
    if type(e) in SWAP:
        yield SWAP[type(e)](*e.args)
    if isinstance(e, And):
        yield from (And(*(b for b in e.args if b != a)) for a in e.args)
    if isinstance(e, Implies):
        yield e.args[1]
    for at, a in enumerate(e.args):
        for b in mutants(a):
            try:
                yield e.func(*e.args[:at], b, *e.args[at + 1 :])
            except (TypeError, ValueError):  # SymPy refuses the combination
                continue


def obligations(of_sums: bool) -> list[tuple[Any, Any]]:
    """What the theorems prove about integers, or about sums; without unknown functions."""
    found = [pair for theorem in theorems() for pair in theorem.proof.obligations]
    plain = [(known, a) for known, a in found if is_plain(a) and all(map(is_plain, known))]
    return [(known, a) for known, a in plain if a.has(Sum, IndexedBase) == of_sums]


def integer_mutants(among: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    out = []
    for known, statement in among:
        changed = dict.fromkeys(mutants(statement))
        out += [(known, mutant) for mutant in changed if mutant not in (true, false)]
    return out


def sum_mutants(among: list[tuple[Any, Any]]) -> list[tuple[Any, Any, Any]]:
    """The right side changed; names of arrays and bound indices are left alone."""
    return [
        (known, statement.lhs, right)
        for known, statement in among
        for right in dict.fromkeys(_term_mutants(statement.rhs))
    ]


def _term_mutants(e: Any) -> Iterator[Any]:
    if isinstance(e, Integer) and abs(e) > 1:
        yield e + 1
    elif e.is_Indexed:
        yield from (
            e.func(e.base, *e.indices[:at], a + 1, *e.indices[at + 1 :])
            for at, a in enumerate(e.indices)
        )
    elif isinstance(e, Sum):
        (k, low, high), *outer = e.limits
        yield from (
            Sum(e.function, (k, low, high + 1), *outer),
            Sum(e.function, (k, low + 1, high)),
        )
        yield from (Sum(a, *e.limits) for a in _term_mutants(e.function))
    elif e.is_Symbol:
        yield e + 1
    else:
        for at, a in enumerate(e.args):
            yield from (e.func(*e.args[:at], b, *e.args[at + 1 :]) for b in _term_mutants(a))


def judge(known: Any, mutant: Any) -> tuple[bool, bool]:
    """Whether the mutant is proved, and whether numbers refute it."""
    try:
        prove(mutant, known)
        proved = True
    except Unproved:
        proved = False
    return proved, counterexample(mutant, known) is not None


def judge_sum(known: Any, left: Any, right: Any) -> tuple[bool, bool]:
    rest, _ = sums.normal(left - right, known)
    _, at = sum_instances(Eq(left, right, evaluate=False), known, 40)
    return rest == 0, at is not None


def tally(judged: list[tuple[bool, bool]]) -> Counter[tuple[bool, bool]]:
    return Counter(judged)


def few(of_sums: bool, number: int) -> list[tuple[Any, Any]]:
    """Some of the obligations that are not long, always the same ones."""
    short = [pair for pair in obligations(of_sums) if pair[1].count_ops() < 60]
    return Random(0).sample(short, number)


def test_no_false_integer_statement_is_proved():
    chosen = Random(0).sample(integer_mutants(few(False, 10)), 50)
    found = tally([judge(*mutant) for mutant in chosen])
    assert found[True, True] == 0
    assert found[False, True] > 25


def test_no_false_sum_is_proved():
    chosen = Random(0).sample(sum_mutants(few(True, 10)), 16)
    found = tally([judge_sum(*mutant) for mutant in chosen])
    assert found[True, True] == 0
    assert found[False, True] > 8


@pytest.mark.slow
def test_no_false_integer_statement_is_proved_among_all():
    found = tally([judge(*mutant) for mutant in integer_mutants(obligations(False))])
    assert found[True, True] == 0
    assert found[False, True] > 1_000


@pytest.mark.slow
def test_no_false_sum_is_proved_among_all():
    found = tally([judge_sum(*mutant) for mutant in sum_mutants(obligations(True))])
    assert found[True, True] == 0
    assert found[False, True] > 200
