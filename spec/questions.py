"""Questions that formulas and implementations are both asked, setting by setting.

A question has a statement, settings, and the formula's answer.  Every implementation that can
compute the same thing is asked for it at every setting, and must agree exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from . import counting, formulas
from .index_map import source_index
from .inverse import solve
from .problems import Problem, Setting, layers, positions, problems, stacks
from .winograd import POINTS, transforms


def everything(setting: Any, received: Any) -> Any:
    return received


@dataclass(frozen=True)
class Question:
    """`ask` names what implementations compute; `settings` come smallest first."""

    name: str
    statement: str
    ask: str
    settings: Callable[[], Iterable[Any]]
    answer: Callable[..., Any]
    view: Callable[[Any, Any], Any] = everything  # the part of what is received that is compared

    def instances(self) -> Iterator[tuple[Any, Any]]:
        """Pairs (setting, the formula's answer)."""
        for setting in self.settings():
            yield setting, call(self.answer, setting)


def call(function: Callable[..., Any], setting: Any) -> Any:
    """A problem is passed whole, other settings by name."""
    return function(**setting) if isinstance(setting, dict) else function(setting)


def narrow() -> Iterator[Setting]:
    """Widths up to 2, for formulas that take longer."""
    return layers(2)


def with_modes() -> list[Problem]:
    return list(problems(80, None, 1))


def with_fills() -> list[Problem]:
    return list(problems(150))


def loop_sizes() -> Iterator[Setting]:
    names = ("N", "C_out", "H", "W", "r", "h", "w")
    for extents in product((1, 2), (1, 3), (1, 4), (1, 3), (1, 2), (1, 3), (1, 2)):
        yield dict(zip(names, extents, strict=True))


def kernel_sizes() -> Iterator[Setting]:
    for extents in product((1, 2, 5), (1, 2, 3), (1, 3), (1, 2, 3)):
        yield dict(zip(("C_out", "r", "h", "w"), extents, strict=True))


def pads() -> Iterator[Setting]:
    for extents in product((1, 3), (2, 5), (0, 1, 4), (0, 2), (0, 3), (0, 1)):
        yield dict(zip(("n1", "n2", "a1", "b1", "a2", "b2"), extents, strict=True))


def named() -> Iterator[Setting]:
    """The named paddings of one axis, wherever there is an output."""
    for setting in layers(0):
        for padding in ("valid", "same", "same_lower", "full", "causal"):
            yield {**{name: setting[name] for name in "nfsd"}, "padding": padding}


def unknowns() -> Iterator[Setting]:
    """One letter of a layer left out, for the inverse solver to find again."""
    for setting in layers(1):
        if setting["p0"] >= setting["p1"] and setting["n"] <= 5:
            for unknown in ("n", "P", "f", "d", "s"):
                yield {"setting": setting, "unknown": unknown}


def solved(setting: Setting, unknown: str) -> tuple[int, ...]:
    """Which values near the one that was left out the solver accepts."""
    whole = {key: setting[key] for key in ("n", "f", "s", "d")}
    whole["P"] = setting["p0"] + setting["p1"]
    near = counting.near(unknown, whole.pop(unknown))
    found = solve(formulas.outputs(**setting), **whole)
    return tuple(candidate for candidate in near if candidate in found)


def winograd_settings() -> Iterator[Setting]:
    draw = np.random.default_rng(0)
    for (m, r), _ in product(POINTS, range(20)):
        numbers = [Fraction(int(a)) for a in draw.integers(-9, 10, m + 2 * r - 1)]
        yield {"m": m, "w": tuple(numbers[:r]), "x": tuple(numbers[r:])}


def winograd(m: int, w: tuple[Fraction, ...], x: tuple[Fraction, ...]) -> list[Fraction]:
    """Aᵀ((G w) ∘ (Bᵀ x)) in exact rationals."""
    A, G, B = (np.array(a.tolist()) for a in transforms(m, len(w)))
    out = A.T @ ((G @ np.array(w)) * (B.T @ np.array(x)))
    return [Fraction(int(a.p), int(a.q)) for a in out]


def in_padding(problem: Problem, received: Any) -> Any:
    """The outputs whose windows lie wholly in the padding: (O, how many)."""
    return received[:, formulas.shell(problem)]


def fill_of_shell(problem: Problem) -> Any:
    z = formulas.fills(problem)
    return np.repeat(z[:, None], formulas.shell(problem).sum(), axis=1)


QUESTIONS = [
    Question(
        "output_size",
        "m = ⌊(n + p₀ + p₁ − F)/s⌋ + 1,  F = d·(f − 1) + 1",
        "output_size",
        layers,
        formulas.outputs,
    ),
    Question(
        "ceil_mode",
        "m = min(⌈(T − F)/s⌉, ⌈(n + p₀)/s⌉ − 1) + 1",
        "output_size_ceil",
        narrow,
        formulas.outputs_ceil,
    ),
    Question(
        "named_padding",
        "same: ⌈n/s⌉; full, valid and causal: n + F − 1, n − F + 1 and n, every s-th",
        "output_size_named",
        named,
        formulas.outputs_named,
    ),
    Question(
        "inverse",
        "(m − 1)·s ≤ n + P − F < m·s, solved for each letter",
        "solved",
        unknowns,
        solved,
    ),
    Question(
        "source_index",
        "closed forms of replicate, reflect, symmetric, circular",
        "source_index",
        positions,
        source_index,
    ),
    Question(
        "core_and_pad",
        "max(0, ⌈(p₀ − F + 1)/s⌉) ≤ i ≤ min(⌊(n + p₀ − 1)/s⌋, m − 1) touch the core",
        "core",
        narrow,
        formulas.core_of,
    ),
    Question(
        "receptive_field",
        "J = Π s, O = Σ p·J, R = 1 + Σ (F − 1)·J",
        "stack",
        stacks,
        formulas.stacked,
    ),
    Question(
        "multiply_adds",
        "N·C_out·H·W·r·h·w,  r = C_in/g",
        "multiply_adds",
        loop_sizes,
        formulas.multiply_adds,
    ),
    Question(
        "parameters",
        "C_out·(r·h·w + 1)",
        "parameters",
        kernel_sizes,
        formulas.parameters,
    ),
    Question(
        "memory",
        "an explicit copy adds (n₁ + a₁ + b₁)·(n₂ + a₂ + b₂) − n₁·n₂ positions",
        "padding_positions",
        pads,
        formulas.padding_positions,
    ),
    Question(
        "border_identity",
        "conv(x, v) = conv(x, 0) + v·(weight outside)",
        "conv",
        with_fills,
        formulas.by_border_identity,
    ),
    Question(
        "shift_identity",
        "conv(x, v) = conv(x − v, 0) + v·Σ w",
        "conv",
        with_fills,
        formulas.by_shift_identity,
    ),
    Question(
        "matrix",
        "conv(x, v) = A·x + v·(weight outside) + b",
        "conv",
        with_fills,
        formulas.by_matrix,
    ),
    Question(
        "matrix_float32",
        "the same in single precision",
        "conv_float32",
        with_fills,
        formulas.by_matrix,
    ),
    Question(
        "fill_identity",
        "windows wholly in the padding give z = (Σ w)·v + b",
        "conv",
        with_fills,
        fill_of_shell,
        in_padding,
    ),
    Question(
        "boundary_modes",
        "a convolution reads source_index(i·s − p + k·d, n, mode)",
        "conv",
        with_modes,
        Problem.outputs,
    ),
    Question(
        "winograd",
        "Aᵀ((G w) ∘ (Bᵀ x)) is the correlation of x with w",
        "correlation",
        winograd_settings,
        winograd,
    ),
]
