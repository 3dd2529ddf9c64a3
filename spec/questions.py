"""Questions that formulas and implementations are both asked, setting by setting.

A question has a statement, settings, and the formula's answer.  Every implementation that can
compute the same thing is asked for it at every setting, and must agree exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from . import counting, formulas, lectures, settings
from .index_map import source_index
from .inverse import solve
from .problems import Problem, Setting, layers, positions, stacks
from .winograd import transforms


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


def solved(setting: Setting, unknown: str) -> tuple[int, ...]:
    """Which values near the one that was left out the solver accepts."""
    whole = {key: setting[key] for key in ("n", "f", "s", "d")}
    whole["P"] = setting["p0"] + setting["p1"]
    near = counting.near(unknown, whole.pop(unknown))
    found = solve(formulas.outputs(**setting), **whole)
    return tuple(candidate for candidate in near if candidate in found)


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
        "lecture_shapes",
        "the output shapes that courses work out",
        "layer_shape",
        lectures.shapes,
        lectures.stated_shape,
    ),
    Question(
        "lecture_costs",
        "weights and multiply-adds of fully connected, grouped and separable layers",
        "layer_cost",
        lectures.costs,
        lectures.stated_cost,
    ),
    Question(
        "lecture_values",
        "an edge filter on 5 × 5 gives 6; a slope, with and without padding",
        "conv",
        lectures.examples,
        lectures.stated_values,
    ),
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
        settings.narrow,
        formulas.outputs_ceil,
    ),
    Question(
        "named_padding",
        "same: ⌈n/s⌉; full, valid and causal: n + F − 1, n − F + 1 and n, every s-th",
        "output_size_named",
        settings.named,
        formulas.outputs_named,
    ),
    Question(
        "transposed_size",
        "n = (m − 1)·s + F − P + r,  0 ≤ r < s",
        "transposed_size",
        settings.transposed_layers,
        formulas.inputs_of_transposed,
    ),
    Question(
        "inverse",
        "(m − 1)·s ≤ n + P − F < m·s, solved for each letter",
        "solved",
        settings.unknowns,
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
        settings.narrow,
        formulas.core_of,
    ),
    Question(
        "padded_array",
        "core of a convolved PaddedArray, for n ≥ d",
        "core_of_padded",
        settings.connected,
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
        settings.loop_sizes,
        formulas.multiply_adds,
    ),
    Question(
        "parameters",
        "C_out·(r·h·w + 1)",
        "parameters",
        settings.kernel_sizes,
        formulas.parameters,
    ),
    Question(
        "memory",
        "an explicit copy adds (n₁ + a₁ + b₁)·(n₂ + a₂ + b₂) − n₁·n₂ positions",
        "padding_positions",
        settings.pads,
        formulas.padding_positions,
    ),
    Question(
        "border_identity",
        "conv(x, v) = conv(x, 0) + v·(weight outside)",
        "conv",
        settings.with_fills,
        formulas.by_border_identity,
    ),
    Question(
        "shift_identity",
        "conv(x, v) = conv(x − v, 0) + v·Σ w",
        "conv",
        settings.with_fills,
        formulas.by_shift_identity,
    ),
    Question(
        "matrix",
        "conv(x, v) = A·x + v·(weight outside) + b",
        "conv",
        settings.with_fills,
        formulas.by_matrix,
    ),
    Question(
        "matrix_float32",
        "the same in single precision",
        "conv_float32",
        settings.with_fills,
        formulas.by_matrix,
    ),
    Question(
        "adjoint",
        "the transposed convolution is Aᵀ·g",
        "adjoint",
        settings.losses,
        formulas.adjoint,
    ),
    Question(
        "gradients",
        "Aᵀ·g; correlation with the padded input; Σ g; Σ g·(weight outside)",
        "gradients",
        settings.losses,
        formulas.gradients,
    ),
    Question(
        "fill_identity",
        "windows wholly in the padding give z = (Σ w)·v + b",
        "conv",
        settings.with_fills,
        fill_of_shell,
        in_padding,
    ),
    Question(
        "boundary_modes",
        "a convolution reads source_index(i·s − p + k·d, n, mode)",
        "conv",
        settings.with_modes,
        Problem.outputs,
    ),
    Question(
        "winograd",
        "Aᵀ((G w) ∘ (Bᵀ x)) is the correlation of x with w",
        "correlation",
        settings.winograd_settings,
        winograd,
    ),
]
