"""A line of a derivation, and the kinds of evidence it may carry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .certificate import Certificate
from .sums import Rewriting


@dataclass(frozen=True)
class Exact:
    """Equations between rational functions, each shown by cancelling the difference to 0."""

    equations: int


@dataclass(frozen=True)
class Cases:
    """Cases of a finite range that were tried: evidence for these cases only."""

    count: int


Evidence = tuple[Certificate, ...] | tuple[Rewriting, ...] | Exact | Cases | None


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

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """All certificates of the step, also those inside the rewriting of sums."""
        out: list[Certificate] = []
        for item in self.evidence if isinstance(self.evidence, tuple) else ():
            out += [item] if isinstance(item, Certificate) else item.certificates
        return tuple(out)
