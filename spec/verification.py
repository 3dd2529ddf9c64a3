"""Prove every theorem, then compare every formula with every implementation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache, partial
from multiprocessing import get_context
from typing import Any

import numpy as np

from .certificate import Unproved
from .context import Refuted
from .implementations import Implementation, implementations
from .notation import text
from .questions import QUESTIONS, Question, call
from .sampling import evaluate, hypotheses_hold_somewhere
from .steps import Cases
from .theorem import Theorem, theorems

PROVED, CHECKED = "proved", "checked"
REFUTED, UNPROVED, ABSENT = "refuted", "unproved", "absent"
SAMPLE = 1_500  # points at which each step of a theorem is evaluated


@dataclass(frozen=True)
class Result:
    """One line of the report.

    `status` is "proved" (for all values, with certificates) or "checked" (at `instances` settings);
    or "refuted", with the smallest `counterexample`; "unproved", nothing found either way; or
    "absent", where an implementation cannot be used here and `statement` says why.
    """

    name: str
    against: str
    status: str
    statement: str
    instances: int
    seconds: float
    counterexample: str | None = None

    @property
    def ok(self) -> bool:
        return self.status in (PROVED, CHECKED, ABSENT)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


Task = tuple[str, Callable[[], Iterable[Result]]]


def tasks(only: Sequence[str] = ()) -> list[Task]:
    """What there is to do, as (name, run); `only` keeps names that contain one of its words."""
    table = implementations()
    missing = [one for one in table if one.absent and not only]
    out: list[Task] = [(one.name, partial(absent, one)) for one in missing]
    out += [(one.name, partial(prove, one)) for one in theorems()]
    out += [(one.name, partial(compare, one, table)) for one in QUESTIONS]
    return [task for task in out if not only or any(word in task[0] for word in only)]


def run(only: Sequence[str] = (), jobs: int = 1) -> Iterator[list[Result]]:
    """The results of each task, in the order of the tasks, on `jobs` processes."""
    number = len(tasks(only))
    if jobs == 1:
        yield from (list(function()) for _, function in tasks(only))
        return
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        yield from pool.map(partial(_nth, tuple(only)), range(number))


@cache
def _tasks(only: tuple[str, ...]) -> list[Task]:
    return tasks(only)


def _nth(only: tuple[str, ...], at: int) -> list[Result]:
    return list(_tasks(only)[at][1]())


def absent(missing: Implementation) -> list[Result]:
    return [Result(missing.name, missing.name, ABSENT, missing.absent, 0, 0.0)]


def prove(theorem: Theorem) -> list[Result]:
    """Derive a theorem, multiply out its certificates again, and evaluate its steps at numbers."""
    start = time.perf_counter()

    def result(status: str, statement: str, tried: int, at: str | None = None) -> list[Result]:
        seconds = time.perf_counter() - start
        return [Result(theorem.name, "numbers", status, statement, tried, seconds, at)]

    try:
        proof = theorem.proof
    except Refuted as refusal:
        return result(REFUTED, theorem.title, 0, str(refusal))
    except Unproved as failure:
        return result(UNPROVED, f"{theorem.title}: {failure}", 0)
    certificates = [one for step in proof.steps for one in step.certificates]
    if not all(one.holds() for one in certificates):
        return result(UNPROVED, f"{theorem.title}: a certificate does not multiply out", 0)
    if not hypotheses_hold_somewhere(proof):
        return result(UNPROVED, f"{theorem.title}: the hypotheses contradict each other", 0)
    tried, at = evaluate(proof, SAMPLE)
    tried += sum(step.evidence.count for step in proof.steps if isinstance(step.evidence, Cases))
    statement = f"{theorem.title}: {text(proof.steps[-1].statement)}"
    return result(proof.status if at is None else REFUTED, statement, tried, at)


def compare(question: Question, table: Sequence[Implementation]) -> Iterator[Result]:
    """One result for each implementation that can answer; the formula is evaluated once."""
    able = [one for one in table if question.ask in one.answers]
    start = time.perf_counter()
    instances = list(question.instances())
    shared = (time.perf_counter() - start) / max(1, len(able))
    for one in able:
        start = time.perf_counter()
        answer = one.answers[question.ask]
        at, asked = None, spread(instances, one.most)
        for setting, expected in asked:
            try:
                received = question.view(setting, call(answer, setting))
            except Exception as error:  # whoever raises disagrees
                received = f"{type(error).__name__}: {error}"
            if not same(received, expected):
                both = f"formula {shown(expected)}, {one.name} {shown(received)}"
                at = f"{setting_text(setting)}: {both}"
                break
        seconds = shared + time.perf_counter() - start
        status = CHECKED if at is None else REFUTED
        yield Result(question.name, one.name, status, question.statement, len(asked), seconds, at)


def spread(instances: list[Any], most: int | None) -> list[Any]:
    """All instances, or `most` of them, evenly spaced."""
    return instances if most is None else instances[:: max(1, -(-len(instances) // most))]


def same(received: Any, expected: Any) -> bool:
    if isinstance(received, str) or np.shape(received) != np.shape(expected):
        return False
    return bool(np.all(received == expected))


def setting_text(setting: Any) -> str:
    if not isinstance(setting, dict):
        return str(setting)
    return ", ".join(f"{name} = {value}" for name, value in setting.items())


def shown(value: Any) -> str:
    return str(value.tolist() if isinstance(value, np.ndarray) else value)
