"""A proof: a title, what is given, and steps that are each verified when they are made.

There is no way to enter a step unverified: a method verifies, records a `Step` with its evidence
and returns what it showed, or raises `Refuted` (with a counterexample) or `Unproved`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sympy import (
    And,
    Basic,
    Eq,
    Equivalent,
    Expr,
    Function,
    Ge,
    Implies,
    Le,
    Lt,
    Or,
    Sum,
    Symbol,
    cancel,
    false,
    sympify,
    true,
)

from . import integers, intervals, sums
from .certificate import Certificate, Unproved
from .instances import counterexample
from .notation import text


class Refuted(Exception):
    """The statement is false: an instance shows it."""


class Forall(Basic):
    """Forall(k, low, high, body): body holds for every integer k from low to high."""

    k, low, high, body = (property(lambda self, at=at: self.args[at]) for at in range(4))


class partial(Function):  # noqa: N801
    """partial(y, x): the derivative of y by x, taken once y has been written out."""

    nargs = 2


def derivative(y: Expr, x: Expr) -> Expr:
    bound = {limit[0] for a in y.atoms(Sum) for limit in a.limits}
    if bound & x.free_symbols:
        raise Unproved(f"{x} has an index that is summed over in {y}: SymPy differentiates wrongly")
    return y.diff(x)


@dataclass(frozen=True)
class Exact:
    """Equations between rational functions, each shown by cancelling the difference to 0."""

    equations: int


@dataclass(frozen=True)
class Cases:
    """Cases of a finite range that were tried: evidence for these cases only."""

    count: int


Evidence = tuple[Certificate, ...] | tuple[sums.Rewriting, ...] | Exact | Cases | None


@dataclass(frozen=True)
class Step:
    """One line of a derivation; `kind` says how it follows, `evidence` why to believe it."""

    kind: str  # given, where, start, iff, count, so, equal, table, tried
    statement: Any
    because: str
    evidence: Evidence = None

    @property
    def status(self) -> str:
        return "checked" if isinstance(self.evidence, Cases) else "proved"


@dataclass
class Proof:
    title: str
    about: str = ""
    source: str = ""
    name: str = ""
    steps: list[Step] = field(default_factory=list)
    result: Any = None
    seconds: float = 0.0
    assumed: list[Any] = field(default_factory=list)  # given and let
    known: list[Any] = field(default_factory=list)  # and what follows from them
    laws: list[Forall] = field(default_factory=list)  # facts for every index, for inductions
    letters: dict[Any, Any] = field(default_factory=dict)  # let: letter → term
    functions: dict[Any, Any] = field(default_factory=dict)  # define: function → body
    obligations: list[tuple[list[Any], Any]] = field(default_factory=list)  # (known, statement)

    @property
    def status(self) -> str:
        """Proved only if every step is; one step that was merely tried makes it checked."""
        return "checked" if any(step.status == "checked" for step in self.steps) else "proved"

    def _record(self, kind: str, statement: Any, because: str, evidence: Evidence = None) -> Any:
        self.steps.append(Step(kind, statement, because, evidence))
        return statement

    def _prove(
        self,
        statement: Any,
        because: str,
        split: Sequence[Any] = (),
        degree: int = 2,
        also: Iterable[Any] = (),
    ) -> tuple[Certificate, ...]:
        if statement in (true, false):
            raise Unproved(
                f"{because}: SymPy made this {statement} before there was a step to prove"
            )
        known = [*self.known, *also]
        try:
            certificates = integers.prove(statement, known, split, degree)
        except Unproved as failure:
            at = counterexample(statement, known)
            if at is None:
                raise Unproved(f"{because}: {text(statement)} ({failure})") from None
            where = ", ".join(f"{text(a)} = {number}" for a, number in at.items())
            raise Refuted(f"{because}: {text(statement)} is false at {where}") from None
        if not all(certificate.holds() for certificate in certificates):
            raise Unproved(f"{because}: a certificate does not multiply out")
        self.obligations.append((known, statement))
        return tuple(certificates)

    def _any(self, letter: Any, *others: Any) -> None:
        """`letter` must be any integer: what is proved for it then holds for all of them."""
        if any(a.has(letter) for a in (*self.assumed, *others)):
            raise Unproved(f"{letter} is not any integer: something is assumed about it")

    # What is assumed, and abbreviations.

    def given(self, *facts: Any) -> None:
        """Hypotheses, for all integers; a Forall is a law that inductions may use."""
        for fact in facts:
            self.assumed.append(fact)
            (self.laws if isinstance(fact, Forall) else self.known).append(fact)
            self._record("given", fact, "")

    def let(self, letter: Symbol, term: Any) -> Symbol:
        """From here on `letter` stands for `term`."""
        if any(a.has(letter) for a in (*self.assumed, *self.known)):
            raise Unproved(f"{letter} already means something")
        for facts in (self.known, self.assumed):
            facts.append(Eq(letter, term))
        self.letters[letter] = term
        self._record("where", Eq(letter, term, evaluate=False), "")
        return letter

    def define(self, name: str, body: Callable[..., Any], *letters: Any) -> Any:
        """A function that abbreviates body(*letters); `equal` writes it out."""
        function = Function(name)
        self.functions[function] = body
        self._record("where", Eq(function(*letters), body(*letters), evaluate=False), "")
        return function

    def write_out(self, e: Any) -> Any:
        """Abbreviations written out, last first; then the derivatives taken."""
        for letter, term in reversed(self.letters.items()):
            e = e.subs(letter, term)
        for function, body in reversed(self.functions.items()):
            e = e.replace(function, body)
        return e.replace(partial, derivative)

    def start(self, statement: Any, because: str = "") -> Any:
        """Where a chain of equivalences begins."""
        return self._record("start", statement, because)

    # Integers.

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
            ends, evidence = (a.low, a.high), ()
            for end in ends:
                evidence += self._prove(And(Le(a.low, end), Le(end, a.high)), because)
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
        self._any(letter, low, high)
        number = high - low + 1
        return self._record("count", number, because, self._prove(Ge(number, 0), because))

    def induction(
        self, k: Any, statement: Any, because: str = "", split: Sequence[Any] = (), degree: int = 2
    ) -> Any:
        """`statement` for every k >= 0, which from here on is a law."""
        self._any(k, *self.known)
        laws = [law.body.xreplace({law.k: k}) for law in self.laws]
        step = Implies(statement, statement.xreplace({k: k + 1}))
        evidence = self._prove(statement.xreplace({k: sympify(0)}), because, split, degree)
        evidence += self._prove(step, because, split, degree, [Ge(k, 0), *laws])
        law = Forall(k, 0, sympify("oo"), statement)
        self.laws.append(law)
        return self._record("so", law, because, evidence)

    def everywhere(self, k: Any, statement: Any, because: str = "", degree: int = 2) -> Any:
        """`statement` for every k >= 0, from the laws at k."""
        self._any(k, *self.known)
        laws = [law.body.xreplace({law.k: k}) for law in self.laws]
        evidence = self._prove(statement, because, (), degree, [Ge(k, 0), *laws])
        return self._record("so", Forall(k, 0, sympify("oo"), statement), because, evidence)

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

    # Sums, tables, trials.

    def equal(self, a: Any, b: Any, because: str = "", when: Sequence[Any] = ()) -> Any:
        """Two finite sums are equal, under the facts `when`."""
        a, b, known = sympify(a), sympify(b), [*self.known, *when]
        left, right = self.write_out(a), self.write_out(b)
        rest, trace = sums.normal(left - right, known)
        if rest != 0:
            raise Unproved(f"{because}: {text(a)} = {text(b)} leaves {text(rest)}")
        self.obligations.append((known, Eq(left, right, evaluate=False)))
        shown = Eq(a, b, evaluate=False)
        shown = Implies(And(*when), shown, evaluate=False) if when else shown
        self._record("equal", shown, because, tuple(trace))
        return b

    def table(self, pairs: Iterable[tuple[Any, Any]], because: str = "") -> str:
        """Finitely many equations of exact rational functions."""
        number = 0
        for number, (a, b) in enumerate(pairs, 1):
            if cancel(a - b) != 0:
                raise Refuted(f"{because}: {text(a)} is not {text(b)}")
        return str(self._record("table", f"{number} equations", because, Exact(number)))

    def check(self, holds: Callable[..., bool], over: Iterable[Any], because: str) -> str:
        """Try every case of a finite range; this proves nothing beyond it."""
        number = 0
        for number, case in enumerate(over, 1):
            if not holds(*case):
                raise Refuted(f"{because}: fails at {case}")
        return str(self._record("tried", f"{number} cases", because, Cases(number)))
