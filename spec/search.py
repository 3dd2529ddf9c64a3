"""Look for certificates, and solve inequalities for a letter.  Nothing here is trusted.

What is found counts only after `Certificate.holds` has multiplied it out, and a solution only
after `integers.prove` has shown it equivalent.  So floats are good enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations_with_replacement
from math import lcm, prod
from typing import Any

import numpy as np
from sympy import Expr, Rational

from .certificate import Certificate, Unproved, polynomials

# Multipliers are read off a floating-point solution as fractions with at most this denominator.
LARGEST_DENOMINATOR = 720


def products(p: list[Any], degree: int) -> Iterator[list[tuple[int, ...]]]:
    """Which products of facts to try, in turn: the facts; times bounds; any `degree` of them.

    A bound is a fact about a single letter, such as s - 1 >= 0, where the letter is multiplied
    by something somewhere.
    """
    single: list[tuple[int, ...]] = [(j,) for j in range(len(p))]
    yield single

    def letters_of(monomial: tuple[int, ...]) -> set[int]:
        return {letter for letter, exponent in enumerate(monomial) if exponent}

    multiplied = {a for q in p for monomial in q if sum(monomial) > 1 for a in letters_of(monomial)}
    bounds = []
    for j, q in enumerate(p):
        letters = set().union(*(letters_of(monomial) for monomial in q))
        if len(letters) == 1 and letters <= multiplied:
            bounds.append(j)
    grown = single
    for size in range(2, degree + 1):
        longest = [js for js in grown if len(js) == size - 1]
        grown = grown + [
            (*js, j) for js in longest for j in bounds if j <= js[-1] or js[-1] not in bounds
        ]
        yield grown
    yield [
        js
        for size in range(1, degree + 1)
        for js in combinations_with_replacement(range(len(p)), size)
    ]


def refute(facts: list[Expr], degree: int, names: tuple[tuple[Expr, Expr], ...]) -> Certificate:
    """A certificate that the facts, each >= 0, exclude each other; or Unproved."""
    domain, p = polynomials(facts)
    for attempt in products(p, degree):
        columns = [prod((p[j] for j in js), start=domain.one) for js in attempt]
        rows = {domain.zero_monom: 0}
        for column in columns:
            for monomial in column:
                rows.setdefault(monomial, len(rows))
        matrix, wanted = np.zeros((len(rows), len(columns))), np.zeros(len(rows))
        for at, column in enumerate(columns):
            for monomial, coefficient in column.items():
                matrix[rows[monomial], at] = coefficient
        wanted[0] = -1
        found = nonnegative_solution(matrix, wanted)
        if found is None:
            continue
        exact = [Rational(str(a)).limit_denominator(LARGEST_DENOMINATOR) for a in found]
        scale = lcm(*(int(a.q) for a in exact))
        terms = tuple((int(a * scale), js) for a, js in zip(exact, attempt, strict=True) if a)
        certificate = Certificate(tuple(facts), terms, names)
        if certificate.holds():
            return certificate
    raise Unproved("no certificate")


def nonnegative_solution(matrix: np.ndarray, wanted: np.ndarray) -> np.ndarray | None:
    """x >= 0 with matrix @ x = wanted, or None.

    Active sets on the normal equations: Lawson and Hanson, Solving Least Squares Problems, 1974,
    chapter 23.
    """
    scale = np.maximum(np.linalg.norm(matrix, axis=0), 1e-300)
    matrix = matrix / scale
    gram, target = matrix.T @ matrix, matrix.T @ wanted
    x, active = np.zeros(len(target)), np.zeros(len(target), bool)
    for _ in range(5 * len(target) + 10):
        slope = np.where(active, -1.0, target - gram @ x)
        steepest = slope.argmax()
        if slope[steepest] < 1e-9:
            break
        active[steepest] = True
        while True:
            step = np.zeros_like(x)
            block = np.ix_(active, active)
            try:
                step[active] = np.linalg.solve(gram[block], target[active])
            except np.linalg.LinAlgError:
                step[active] = np.linalg.lstsq(gram[block], target[active], rcond=None)[0]
            blocked = active & (step < 1e-10)
            if not blocked.any():
                x = step
                break
            fraction = x[blocked] / np.maximum(x[blocked] - step[blocked], 1e-300)
            x = x + fraction.min() * (step - x)
            active &= x > 1e-10
            x[~active] = 0
    if np.linalg.norm(matrix @ x - wanted) > 1e-6:
        return None
    return x / scale
