"""The settings at which questions are asked: small ranges, smallest first, and random problems."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice, product

import numpy as np

from . import formulas
from .problems import Problem, Setting, layers, problems
from .winograd import POINTS


def narrow() -> Iterator[Setting]:
    """Widths up to 2, for formulas that take longer."""
    return layers(2)


def connected() -> Iterator[Setting]:
    """Where no window straddles the core without touching it: n ≥ d."""
    return (setting for setting in narrow() if setting["n"] >= setting["d"])


def with_modes() -> list[Problem]:
    return list(problems(80, None, 1))


def with_fills() -> list[Problem]:
    return list(problems(150))


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


def losses() -> Iterator[Setting]:
    """Small problems with a gradient from above."""
    draw = np.random.default_rng(2)
    small = (one for one in problems(200, seed=2) if one.x.size <= 40 and one.w.size <= 60)
    for problem in islice(small, 40):
        shape = formulas.fills(problem).shape + formulas.shell(problem).shape
        yield {"problem": problem, "grad": draw.integers(-3, 4, shape)}


def loop_sizes() -> Iterator[Setting]:
    names = ("N", "C_out", "H", "W", "r", "h", "w")
    for extents in product((1, 2), (1, 3), (1, 4), (1, 3), (1, 2), (1, 3), (1, 2)):
        yield dict(zip(names, extents, strict=True))


def transposed_layers() -> Iterator[Setting]:
    """Where the size is positive."""
    ranges = (range(1, 5), range(3), range(1, 4), range(1, 4), range(1, 3), range(2), range(3))
    for m, r, f, s, d, p0, p1 in product(*ranges):
        if r < s and (m - 1) * s + d * (f - 1) + 1 - p0 - p1 >= 1:
            yield {"m": m, "r": r, "f": f, "s": s, "d": d, "p0": p0, "p1": p1}


def unknowns() -> Iterator[Setting]:
    """One letter of a layer left out, for the inverse solver to find again."""
    for setting in layers(1):
        if setting["p0"] >= setting["p1"] and setting["n"] <= 5:
            for unknown in ("n", "P", "f", "d", "s"):
                yield {"setting": setting, "unknown": unknown}


def winograd_settings() -> Iterator[Setting]:
    draw = np.random.default_rng(0)
    for (m, r), _ in product(POINTS, range(20)):
        numbers = [Fraction(int(a)) for a in draw.integers(-9, 10, m + 2 * r - 1)]
        yield {"m": m, "w": tuple(numbers[:r]), "x": tuple(numbers[r:])}
