"""The register of theorems: a function that takes a `Proof` and makes its steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any

from .proof import Proof

CHAPTERS = (
    "output_size",
    "fill",
    "index_map",
    "padded_array",
    "stack",
    "cost",
    "linear_operator",
    "winograd",
)


@dataclass(frozen=True)
class Theorem:
    """A derivation that runs once, when its proof is first asked for."""

    name: str
    title: str
    chapter: str
    source: str
    derive: Callable[[Proof], Any]

    @cached_property
    def proof(self) -> Proof:
        proof = Proof(
            self.title, " ".join((self.derive.__doc__ or "").split()), self.source, self.name
        )
        start = time.perf_counter()
        proof.result = self.derive(proof)
        proof.seconds = time.perf_counter() - start
        if not proof.steps or all(step.evidence is None for step in proof.steps):
            raise ValueError(f"{self.title} shows nothing")
        return proof

    @property
    def result(self) -> Any:
        """The derived formula, for other derivations and for programs to use."""
        return self.proof.result


REGISTER: dict[str, Theorem] = {}


def theorem(title: str, source: str = "") -> Callable[[Callable[[Proof], Any]], Theorem]:
    """Register a derivation; `source` names who stated the result, where it is not ours."""

    def wrap(derive: Callable[[Proof], Any]) -> Theorem:
        name = derive.__name__
        if name in REGISTER:
            raise ValueError(f"there are two theorems called {name}")
        chapter = derive.__module__.rpartition(".")[2]
        REGISTER[name] = Theorem(name, title, chapter, source, derive)
        return REGISTER[name]

    return wrap


def theorems() -> list[Theorem]:
    """All of them, chapter by chapter."""
    for chapter in CHAPTERS:
        import_module(f"{__package__}.{chapter}")
    return sorted(REGISTER.values(), key=lambda t: CHAPTERS.index(t.chapter))
