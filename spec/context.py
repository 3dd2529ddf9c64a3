"""What a proof assumes: hypotheses, abbreviations, laws; and the list of its steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sympy import Eq, Function, Symbol, false, true

from . import integers
from .certificate import Certificate, Unproved
from .instances import counterexample
from .notation import text
from .quantifiers import Forall, derivative, partial
from .steps import Evidence, Step


class Refuted(Exception):
    """The statement is false: an instance shows it."""


@dataclass
class Context:
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

    def given(self, *facts: Any) -> None:
        """Hypotheses, for all integers; a Forall is a law that inductions may use."""
        for fact in facts:
            if isinstance(fact, Forall) and fact.low != 0:
                raise Unproved("a law must begin at 0")
            self.assumed.append(fact)
            (self.laws if isinstance(fact, Forall) else self.known).append(fact)
            self._record("given", fact, "")

    def let(self, letter: Symbol, term: Any) -> Symbol:
        """From here on `letter` stands for `term`."""
        if any(letter in a.free_symbols for a in (*self.assumed, *self.known)):
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

    def start(self, statement: Any, because: str = "") -> Any:
        """Where a chain of equivalences begins."""
        return self._record("start", statement, because)

    def write_out(self, e: Any) -> Any:
        """Abbreviations written out, last first; then the derivatives taken."""
        for letter, term in reversed(self.letters.items()):
            e = e.subs(letter, term)
        for function, body in reversed(self.functions.items()):
            e = e.replace(function, body)
        return e.replace(partial, derivative)

    def _record(self, kind: str, statement: Any, because: str, evidence: Evidence = None) -> Any:
        self.steps.append(Step(kind, statement, because, evidence))
        return statement

    def _any(self, letter: Any, *others: Any) -> None:
        """`letter` must be any integer: what is proved for it then holds for all of them."""
        if any(letter in a.free_symbols for a in (*self.assumed, *others)):
            raise Unproved(f"{letter} is not any integer: something is assumed about it")

    def _prove(
        self,
        statement: Any,
        because: str,
        split: Sequence[Any] = (),
        degree: int = 2,
        also: Iterable[Any] = (),
    ) -> tuple[Certificate, ...]:
        if statement in (true, false):
            raise Unproved(f"{because}: SymPy made this {statement}; there is nothing to prove")
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
