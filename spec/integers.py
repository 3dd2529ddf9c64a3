"""What counts as a proof about integers.

A statement is a SymPy Boolean over =, ≤, < whose terms may hold floor, ceiling, Mod, Min, Max and
Abs.  It is proved by refuting its negation, with three rules, all of them visible here:

1. *definition*   q = ⌊a/s⌋ means  s q ≤ a ≤ s q + s − 1,  once s ≥ 1 is proved; so the others;
2. *cases*        a finite list of cases remains, each some facts h ≥ 0  (a < b: b − a − 1 ≥ 0);
3. *certificate*  a case cannot occur if  Σ c·(product of facts)  is negative while every c > 0.

The multipliers c are found by `search`, which is not trusted; `certificate` multiplies them out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, product
from typing import Any

from sympy import (
    Abs,
    And,
    Dummy,
    Eq,
    Equivalent,
    Expr,
    Ge,
    Gt,
    Implies,
    Le,
    Lt,
    Max,
    Min,
    Mod,
    Ne,
    Not,
    Or,
    Symbol,
    ceiling,
    expand,
    false,
    floor,
    fraction,
    together,
    true,
)
from sympy.core.function import AppliedUndef

from .certificate import Certificate, Unproved
from .search import refute

DEFINED = (floor, ceiling, Mod, Min, Max, Abs)


class Definitions:
    """Fresh letters for the terms that are no polynomials, and the facts that define them."""

    def __init__(self, known: Sequence[Any]) -> None:
        self.facts: list[Any] = []
        self.names: dict[Expr, Dummy] = {}
        self._plain = [fact for fact in known if not fact.has(*DEFINED)]

    def statement(self, b: Any) -> Any:
        """`b` with every term replaced."""
        if b.is_Relational:
            return b.func(self.term(b.lhs), self.term(b.rhs), evaluate=False)
        return b.func(*map(self.statement, b.args), evaluate=False) if b.args else b

    def term(self, e: Expr) -> Expr:
        """`e` with a fresh letter for each floor, ceiling, Min, Max, Abs and unknown function."""
        if isinstance(e, AppliedUndef) and e.is_integer:  # its value is some integer
            return self.names.get(e) or self._fresh(e)
        if not e.args:
            return e
        if isinstance(e, Mod):
            a, s = map(self.term, e.args)
            return a - s * self.term(floor(a / s))
        if isinstance(e, (floor, ceiling)):
            return self._rounded(type(e), self.term(e.args[0]))
        e = e.func(*map(self.term, e.args))
        if isinstance(e, (Min, Max, Abs)) and e not in self.names:
            self._extreme(e)
        return self.names.get(e, e)

    def _fresh(self, meaning: Expr) -> Dummy:
        self.names[meaning] = Dummy(str(meaning), integer=True)
        return self.names[meaning]

    def _rounded(self, rounding: Any, of: Expr) -> Expr:
        a, s = map(expand, fraction(together(of)))
        key = rounding(a / s, evaluate=False)
        if key not in self.names:
            if not (s.is_Integer and s > 0):
                prove(Ge(s, 1, evaluate=False), self._plain + self.facts)
            q = self._fresh(key)
            down = rounding is floor
            self.facts += (
                [s * q <= a, a <= s * q + s - 1] if down else [a <= s * q, s * q <= a + s - 1]
            )
        return self.names[key]

    def _extreme(self, e: Expr) -> None:
        among = (e.args[0], -e.args[0]) if isinstance(e, Abs) else e.args
        q = self._fresh(e)
        beyond, within = (Le, Ge) if isinstance(e, Min) else (Ge, Le)
        self.facts += [beyond(q, a) for a in among]
        self.facts.append(Or(*(within(q, a) for a in among)))


def cases(b: Any, holds: bool = True) -> list[list[Expr]]:
    """The cases, each a list of expressions >= 0, in which `b` holds (or in which it fails)."""
    if b in (true, false):
        return [[]] if (b == true) == holds else []
    if isinstance(b, Not):
        return cases(b.args[0], not holds)
    if isinstance(b, Implies):
        return cases(Or(Not(b.args[0], evaluate=False), b.args[1], evaluate=False), holds)
    if isinstance(b, Equivalent):
        left, right = b.args
        return [
            one + other
            for yes in (True, False)
            for one in cases(left, yes)
            for other in cases(right, yes == holds)
        ]
    if isinstance(b, (And, Or)):
        parts = [cases(a, holds) for a in b.args]
        if isinstance(b, And) == holds:
            return [list(chain(*choice)) for choice in product(*parts)]
        return list(chain(*parts))
    if isinstance(b, (Eq, Ne)):
        gap = b.rhs - b.lhs
        return [[gap, -gap]] if isinstance(b, Eq) == holds else [[gap - 1], [-gap - 1]]
    if isinstance(b, (Le, Lt)):
        low, high, strict = b.lhs, b.rhs, isinstance(b, Lt)
    elif isinstance(b, (Ge, Gt)):
        low, high, strict = b.rhs, b.lhs, isinstance(b, Gt)
    else:
        raise Unproved(f"{b} is no statement about integers")
    return [[high - low - int(strict)]] if holds else [[low - high - int(not strict)]]


def substituted(b: Any, letter: Any, term: Any) -> Any:
    """`b` with `term` for `letter`; SymPy is not asked whether a relation holds."""
    if b.is_Relational:
        return b.func(*(a.subs(letter, term) for a in b.args), evaluate=False)
    if b.is_Boolean and b.args:
        return b.func(*(substituted(a, letter, term) for a in b.args), evaluate=False)
    return b.subs(letter, term)


def write_out(known: Sequence[Any], *others: Any) -> tuple[list[Any], list[Any]]:
    """Facts of the form  letter = term, or f(…) = term, substituted everywhere, and dropped."""
    facts = [part for fact in known for part in And.make_args(fact)]
    rest = list(others)

    def is_abbreviation(fact: Any) -> bool:
        named = isinstance(fact, Eq) and isinstance(fact.lhs, (Symbol, AppliedUndef))
        return named and not fact.rhs.has(fact.lhs)

    while short := [fact for fact in facts if is_abbreviation(fact)]:
        letter, term = short[0].args
        facts.remove(short[0])
        facts = [substituted(fact, letter, term) for fact in facts]
        rest = [substituted(e, letter, term) for e in rest]
    return facts, rest


def prove(
    statement: Any, known: Iterable[Any] = (), split: Sequence[Expr] = (), degree: int = 2
) -> list[Certificate]:
    """Certificates, one per case, that `statement` follows from `known` for all integers.

    Parameters
    ----------
    statement, known : Boolean
        Goal and facts.
    split : sequence of Expr
        Each e adds the case distinction e <= -1 or e >= 0.
    degree : int
        How many facts may be multiplied.

    Raises
    ------
    Unproved
        The search found no certificate for some case.
    """
    facts, (goal, *split) = write_out(list(known), statement, *split)
    hints = [Or(Le(e, -1), Ge(e, 0), evaluate=False) for e in split]
    definitions = Definitions(facts)
    negated = And(*facts, Not(goal, evaluate=False), *hints, evaluate=False)
    negated = definitions.statement(negated)
    names = tuple((letter, meaning) for meaning, letter in definitions.names.items())
    certificates = [
        refute(sorted(case, key=str), degree, names)
        for case in cases(And(negated, *definitions.facts, evaluate=False))
    ]
    if not certificates:
        raise Unproved("nothing was left to refute, so there would be no evidence")
    return certificates


def implied(statement: Any, known: Sequence[Any]) -> list[Certificate] | None:
    """The certificates of `statement`, or None where the search finds none."""
    try:
        return prove(statement, known)
    except Unproved:
        return None
