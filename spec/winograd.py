"""Winograd's A, G, B of F(m, r) from their points: the kernels' constants, as exact rationals.

A polynomial of degree below n = m + r − 1 is fixed by its values at n points, one of which may be
infinity (its leading coefficient).  With Mₜ(z) the product of z − a over the other finite points a,

    zᵉ = Σₜ (aₜᵉ/Mₜ(aₜ))·Mₜ(z) + [e = n − 1]·M(z)            for e = 0 … n − 1.

The coefficient of zʲ, with e = i + k, says that  Σₜ A[t,i]·G[t,k]·B[j,t] = [j = i + k],  where
A[t,i] = aₜⁱ,  G[t,k] = aₜᵏ/Mₜ(aₜ),  and column t of B holds the coefficients of Mₜ.  So

    y = Aᵀ((G w) ∘ (Bᵀ x))      makes m outputs of a correlation with r taps from n inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, product
from math import prod
from typing import Any

from sympy import ZZ, KroneckerDelta, Matrix, Rational, oo, ring

from .proof import Proof
from .theorem import Theorem, theorem

SOURCE = "A. Lavin, S. Gray, arXiv 1509.09308, 2015; S. Winograd, 1980; A. Toom, S. Cook, 1963–66"
# Which points the kernels use.  ±3/4, ±3/2 make a smaller error than ±1, ±2, see `growth`.
POINTS: dict[tuple[int, int], tuple[Any, ...]] = {
    (2, 3): (0, 1, -1, oo),
    (3, 2): (0, 1, -1, oo),
    (4, 3): (0, Rational(3, 4), -Rational(3, 4), Rational(3, 2), -Rational(3, 2), oo),
}


def coefficients(roots: Sequence[Any], length: int) -> list[Any]:
    """The coefficients, lowest first, of the product of z − root; padded with zeros."""
    out = [1]
    for root in roots:
        raised, lowered = [0, *out], [*out, 0]
        out = [a - root * b for a, b in zip(raised, lowered, strict=True)]
    return out + [0] * (length - len(out))


def transforms(m: int, r: int, points: Sequence[Any] | None = None) -> tuple[Any, Any, Any]:
    """(A, G, B) of  y = Aᵀ((G w) ∘ (Bᵀ x)):  m outputs of r taps from m + r − 1 distinct points."""
    points = POINTS[m, r] if points is None else points
    n = m + r - 1
    if len(points) != n or len(set(points)) != n:
        raise ValueError(f"transforms: F({m}, {r}) needs {n} distinct points; received {points}")
    finite = [a for a in points if a != oo]

    def powers(a: Any, length: int) -> list[Any]:
        return [int(e == length - 1) if a == oo else a**e for e in range(length)]

    def others(a: Any) -> list[Any]:
        return [c for c in finite if c != a]

    scale = [1 if a == oo else prod((a - c for c in others(a)), start=1) for a in points]
    G = Matrix(
        [[e / Rational(q) for e in powers(a, r)] for a, q in zip(points, scale, strict=True)]
    )
    B = Matrix([coefficients(others(a), n) for a in points]).T
    return Matrix([powers(a, m) for a in points]), G, B


def growth(m: int, r: int, points: Sequence[Any] | None = None) -> Any:
    """max_i Σₜ |A[t,i]|·‖G[t,:]‖₁·‖B[:,t]‖₁: how rounding in the transforms can grow (1-D)."""
    A, G, B = transforms(m, r, points)

    def one_norm(row: Any) -> Any:
        return sum(abs(e) for e in row)

    n = m + r - 1
    terms = [one_norm(G.row(t)) * one_norm(B.col(t)) for t in range(n)]
    return max(sum(abs(A[t, i]) * terms[t] for t in range(n)) for i in range(m))


def entries(A: Any, G: Any, B: Any) -> Iterator[tuple[Any, Any]]:
    """Σₜ A[t,i]·G[t,k]·B[j,t] and [j = i + k], entry by entry."""
    n, m, r = A.rows, A.cols, G.cols
    for i, k, j in product(range(m), range(r), range(n)):
        yield sum(A[t, i] * G[t, k] * B[j, t] for t in range(n)), KroneckerDelta(j, i + k)


def interpolation(n: int) -> Iterator[tuple[Any, Any]]:
    """The identity of the heading for n − 1 unknown points and ∞, times Π(aₜ − aᵤ) ≠ 0."""
    names = [f"a{t}" for t in range(n - 1)]
    domain, *a = ring(names, ZZ)
    below = [coefficients([c for c in a if c is not root], n) for root in a]
    whole = coefficients(a, n)

    def differences(pairs: Any) -> Any:
        return prod((a[u] - a[t] for t, u in pairs), start=domain.one)

    distinct = differences(combinations(range(n - 1), 2))
    # Π(aₜ − aᵤ) / Mₜ(aₜ), the sign from the pairs that are written the other way round
    share = [
        (-1) ** (n - 2 - t)
        * differences(pair for pair in combinations(range(n - 1), 2) if t not in pair)
        for t in range(n - 1)
    ]
    for e, j in product(range(n), range(n)):
        left = sum((a[t] ** e * share[t] * below[t][j] for t in range(n - 1)), domain.zero)
        yield left + int(e == n - 1) * distinct * whole[j], int(e == j) * distinct


def winograd(m: int, r: int) -> Theorem:
    def derive(p: Proof) -> Any:
        """Minimal filtering, for any distinct points; and the points that the kernels use."""
        A, G, B = transforms(m, r)
        p.table(interpolation(m + r - 1), "the identity for any distinct points and ∞")
        points = ", ".join("∞" if a == oo else str(a) for a in POINTS[m, r])
        p.table(entries(A, G, B), f"and entry by entry for the points {points}")
        exact = "A and B are multiples of 1/64: exact in float32"
        p.table([(e * 64 % 1, 0) for e in (*A, *B)], exact)
        return A, G, B

    derive.__name__ = f"winograd_{m}_{r}"
    return theorem(f"Winograd F({m}, {r})", SOURCE)(derive)


f23, f32, f43 = winograd(2, 3), winograd(3, 2), winograd(4, 3)
