"""A stack of layers is one wide layer: stride J, offset O, receptive field R.  And skips."""

from __future__ import annotations

from typing import Any

from sympy import And, Eq, Function, Ge, Implies, Le, floor, oo, symbols

from .output_size import size
from .proof import Proof
from .quantifiers import Forall
from .symbols import P, i, level, n, s, t, u
from .theorem import theorem

J1, O1, R1, J2, O2, R2 = symbols("J O R J2 O2 R2", integer=True)
J3, O3, R3 = symbols("J3 O3 R3", integer=True)
levels = symbols("L", integer=True)
s1, s2, F1, F2, P1, P2 = symbols("s1 s2 F1 F2 P1 P2", integer=True)
SOURCE = "A. Araujo, W. Norris, J. Sim: Computing Receptive Fields of CNNs, Distill, 2019"


def compose(lower: Any, upper: Any) -> Any:
    """One layer for two; output i of (J, O, R) reads positions i·J − O … i·J − O + R − 1."""
    (stride, offset, field), (s, o, r) = lower, upper
    return stride * s, offset + stride * o, field + stride * (r - 1)


@theorem("Layers compose", SOURCE)
def layers_compose(p: Proof) -> Any:
    """Output i of the upper layer reads t = i·J₂ − O₂ … i·J₂ − O₂ + R₂ − 1 of the lower one.

    Each of those reads t·J − O … t·J − O + R − 1 of the input.
    """
    p.given(Ge(J1, 1), Ge(R1, 1), Ge(R2, 1))
    one, two, three = (J1, O1, R1), (J2, O2, R2), (J3, O3, R3)
    stride, offset, field = compose(one, two)
    first, last = i * J2 - O2, i * J2 - O2 + R2 - 1
    p.equal(first * J1 - O1, i * stride - offset, "the first position read")
    p.equal(last * J1 - O1 + R1 - 1, i * stride - offset + field - 1, "the last position read")
    reads = And(Le(first, t), Le(t, last), Le(t * J1 - O1, u), Le(u, t * J1 - O1 + R1 - 1))
    within = And(Le(i * stride - offset, u), Le(u, i * stride - offset + field - 1))
    p.holds(Implies(reads, within), "and nothing outside")
    left, right = compose(compose(one, two), three), compose(one, compose(two, three))
    for a, b, name in zip(left, right, ("stride", "offset", "receptive field"), strict=True):
        p.equal(a, b, f"any bracketing gives the same {name}")
    return stride, offset, field


@theorem("Sizes compose")
def sizes_compose(p: Proof) -> Any:
    """Two layers are one of stride s₁s₂, padding P₁ + s₁P₂, extent F₁ + s₁(F₂ − 1)."""
    p.given(Ge(s1, 1), Ge(s2, 1))
    two = size(size(n, P1, F1, s1), P2, F2, s2)
    one = size(n, P1 + s1 * P2, F1 + s1 * (F2 - 1), s1 * s2)
    return p.holds(Eq(two, one), "nested floors", degree=3)


@theorem("Receptive field", SOURCE)
def receptive_field(p: Proof) -> Any:
    """R(L) = 1 + Σ_(l<L) (F(l) − 1)·J(l), where layer l has extent F(l), stride s(l), padding a(l).

    Likewise the offset O(L) = Σ_(l<L) a(l)·J(l), and J(L) is the product of the strides.
    """
    names = ("R", "J", "O", "F", "s", "a", "S", "Q")
    R, J, offset_of, F, s, a, S, Q = (Function(name, integer=True) for name in names)
    after = {function: function(level + 1) for function in (R, J, offset_of, S, Q)}
    stride, offset, field = compose(
        (J(level), offset_of(level), R(level)), (s(level), a(level), F(level))
    )
    p.given(Eq(J(0), 1), Eq(offset_of(0), 0), Eq(R(0), 1), Eq(S(0), 0), Eq(Q(0), 0))
    composed = And(Eq(after[J], stride), Eq(after[offset_of], offset), Eq(after[R], field))
    p.given(Forall(level, 0, oo, composed))
    sums = And(
        Eq(after[S], S(level) + (F(level) - 1) * J(level)),
        Eq(after[Q], Q(level) + a(level) * J(level)),
    )
    p.given(Forall(level, 0, oo, sums))
    p.induction(level, Eq(offset_of(level), Q(level)), "Q(l) is the partial sum of a(l)·J(l)")
    why = "S(l) is the partial sum of (F(l) − 1)·J(l)"
    return p.induction(level, Eq(R(level), 1 + S(level)), why)


@theorem("Skips that line up")
def skips_line_up(p: Proof) -> Any:
    """n(l) is the size at level l, n(l + 1) = ⌊n(l)/s⌋; a skip fits at l if n(l) = s·n(l + 1).

    If every skip of L levels fits, then M(L), s to the power L, divides n(0).
    """
    size, M = Function("n", integer=True), Function("M", integer=True)
    p.given(Ge(s, 1), Ge(levels, 0), Eq(M(0), 1))
    p.given(Forall(level, 0, oo, Eq(M(level + 1), s * M(level))))
    p.induction(level, Ge(M(level), 1), "M(l) is positive")
    p.given(Forall(level, 0, levels - 1, Eq(size(level), s * size(level + 1))))
    divides = Implies(Le(level, levels), Eq(size(0), M(level) * size(level)))
    return p.induction(level, divides, "at l = L: n(0) = M(L)·n(L)", degree=3)


@theorem("Multiples line up")
def multiples_line_up(p: Proof) -> Any:
    """The other way: K(l) is s to the power L − l.  If n(0) = K(0)·t, every skip fits."""
    size, K = Function("n", integer=True), Function("K", integer=True)
    p.given(Ge(s, 1), Ge(levels, 0), Ge(t, 0), Eq(size(0), K(0) * t))
    p.given(Forall(level, 0, levels - 1, Eq(K(level), s * K(level + 1))))
    p.given(Forall(level, 0, oo, Eq(size(level + 1), floor(size(level) / s))))
    multiple = Implies(Le(level, levels), Eq(size(level), K(level) * t))
    p.induction(level, multiple, "no floor rounds", degree=3)
    fits = Implies(Le(level, levels - 1), Eq(size(level), s * size(level + 1)))
    return p.everywhere(level, fits, "every skip fits")


@theorem("Whole strides leave a floor")
def whole_strides_leave_a_floor(p: Proof) -> Any:
    """With n = s·u + t a floor acts on t alone: sizes are a·q + b for n = period·q + r."""
    p.given(Ge(s, 1))
    p.holds(Eq(floor((s * u + t) / s), u + floor(t / s)), "the floor acts on a number")
    return p.iff(Eq(size(s * u + t, P, F1, s), n), Eq(u + size(t, P, F1, s), n), "a layer")
