"""A proof: a title, what is given, and steps that are each verified when they are made.

There is no way to enter a step unverified: a method verifies, records a `Step` with its evidence
and returns what it showed, or raises `Refuted` (with a counterexample) or `Unproved`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sympy import And, Eq, Equivalent, Function, Ge, Implies, Le, Lt, Or, cancel, oo, sympify

from . import intervals, sums
from .certificate import Certificate, Unproved
from .context import Context, Refuted
from .notation import text
from .quantifiers import Forall, within
from .sampling import sum_instances
from .steps import Cases, Evidence, Exact


class Proof(Context):
    """The steps that a derivation may take; see `Context` for what it may assume."""

    def holds(
        self, statement: Any, because: str = "", split: Sequence[Any] = (), degree: int = 2
    ) -> Any:
        """`statement` follows from what is known."""
        evidence = self._prove(statement, because, split, degree)
        return self._record("so", statement, because, evidence)

    def lemma(
        self, statement: Any, because: str = "", split: Sequence[Any] = (), degree: int = 2
    ) -> None:
        """The same, and from here on it is known."""
        self.holds(statement, because, split, degree)
        self.known.append(statement)

    def iff(
        self,
        a: Any,
        b: Any,
        because: str = "",
        split: Sequence[Any] = (),
        degree: int = 2,
        when: Sequence[Any] = (),
    ) -> Any:
        """`a` and `b` hold for the same integers; `a` may be a Forall, decided by its ends."""
        if isinstance(a, Forall):
            self._any(a.k, b)
            ends: tuple[Any, Any] = (a.low, a.high)
            evidence: tuple[Certificate, ...] = ()
            for end in ends:
                evidence += self._prove(within(a.low, end, a.high), because)
            at_the_ends = [a.body.xreplace({a.k: end}) for end in ends]
            evidence += self._prove(b, because, split, degree, at_the_ends)
            between = [b, Ge(a.k, a.low), Le(a.k, a.high)]
            evidence += self._prove(a.body, because, split, degree, between)
        else:
            evidence = self._prove(Equivalent(a, b), because, split, degree, when)
        shown = Implies(And(*when), b, evaluate=False) if when else b
        self._record("iff", shown, because, evidence)
        return b

    def solve(self, a: Any, letter: Any, because: str = "", when: Sequence[Any] = ()) -> Any:
        """Bring `a`, linear in `letter`, to low <= letter <= high, and prove it equivalent."""
        interval = intervals.solve(a, letter, [*self.known, *when])
        return self.iff(a, interval, because, when=when)

    def count(self, letter: Any, interval: Any, because: str = "count") -> Any:
        """How many integers satisfy  low <= letter <= high."""
        low, high = intervals.ends(interval, letter)
        if low is None or high is None:
            raise Unproved(f"{because}: {letter} has no end on one side")
        self._any(letter, low, high)
        number = high - low + 1
        return self._record("count", number, because, self._prove(Ge(number, 0), because))

    def _law(self, k: Any, statement: Any, because: str, evidence: Evidence) -> Any:
        law = Forall(k, 0, oo, statement)
        self.laws.append(law)
        return self._record("so", law, because, evidence)

    def induction(self, k: Any, statement: Any, because: str = "", degree: int = 2) -> Any:
        """`statement` for every k >= 0, by induction from the laws at k; it becomes a law."""
        self._any(k, *self.known)
        laws = [law.at(k) for law in self.laws]
        step = Implies(statement, statement.xreplace({k: k + 1}))
        evidence = self._prove(statement.xreplace({k: sympify(0)}), because, (), degree)
        evidence += self._prove(step, because, (), degree, [Ge(k, 0), *laws])
        return self._law(k, statement, because, evidence)

    def everywhere(self, k: Any, statement: Any, because: str = "", degree: int = 2) -> Any:
        """`statement` for every k >= 0, from the laws at k and k + 1."""
        self._any(k, *self.known)
        laws = [law.at(index) for law in self.laws for index in (k, k + 1)]
        evidence = self._prove(statement, because, (), degree, [Ge(k, 0), *laws])
        return self._law(k, statement, because, evidence)

    def recursion(
        self,
        i: Any,
        closed: Callable[[Any], Any],
        because: str,
        size: Callable[[Any], Any],
        base: tuple[Any, Any, Sequence[Any]],
        *steps: tuple[Any, Any, Sequence[Any]],
    ) -> Any:
        """closed(i) solves: r(i) = result where the base condition holds, else r(i) = r(next).

        `base` is (condition, result, split), each of `steps` (condition, next, split).  Proved: the
        conditions cover every i, `closed` obeys each equation, size(i) >= 0 shrinks at each step.
        """
        self._any(i)
        condition, result, split = base
        r = Function("r")
        self._record("where", Implies(condition, Eq(r(i), result), evaluate=False), "")
        for case, at, _ in steps:
            follows = r(at) if at.has(i) else at
            self._record("where", Implies(case, Eq(r(i), follows), evaluate=False), "")
        covered = Or(condition, *(step[0] for step in steps))
        evidence = self._prove(covered, "every i is covered")
        evidence += self._prove(Implies(condition, Eq(closed(i), result)), "base", split)
        evidence += self._prove(Ge(size(i), 0, evaluate=False), "the size is not negative")
        for condition, at, split in steps:
            evidence += self._prove(Implies(condition, Lt(size(at), size(i))), "the size shrinks")
            evidence += self._prove(Implies(condition, Eq(closed(i), closed(at))), "step", split)
        return self._record("so", Eq(r(i), closed(i), evaluate=False), because, evidence)

    def equal(self, a: Any, b: Any, because: str = "", when: Sequence[Any] = ()) -> Any:
        """Two finite sums are equal, under the facts `when`."""
        a, b, known = sympify(a), sympify(b), [*self.known, *when]
        left, right = self.write_out(a), self.write_out(b)
        rest, trace = sums.normal(left - right, known)
        if rest != 0:
            _, at = sum_instances(Eq(left, right, evaluate=False), known, 100)
            if at is not None:
                where = ", ".join(f"{name} = {number}" for name, number in at.items())
                raise Refuted(f"{because}: {text(a)} = {text(b)} is false at {where}")
            raise Unproved(f"{because}: {text(a)} = {text(b)} leaves {text(rest)}")
        self.obligations.append((known, Eq(left, right, evaluate=False)))
        shown = Eq(a, b, evaluate=False)
        shown = Implies(And(*when), shown, evaluate=False) if when else shown
        self._record("equal", shown, because, tuple(trace))
        return b

    def table(self, pairs: Iterable[tuple[Any, Any]], because: str = "") -> str:
        """Finitely many equations of exact rational functions."""
        number = 0
        for a, b in pairs:
            number += 1
            difference = a - b
            if difference != 0 and cancel(difference) != 0:
                raise Refuted(f"{because}: {text(a)} is not {text(b)}")
        return str(self._record("table", f"{number} equations", because, Exact(number)))

    def check(self, holds: Callable[..., bool], over: Iterable[Any], because: str) -> str:
        """Try every case of a finite range; this proves nothing beyond it."""
        number = 0
        for case in over:
            number += 1
            if not holds(*case):
                raise Refuted(f"{because}: fails at {case}")
        return str(self._record("tried", f"{number} cases", because, Cases(number)))
