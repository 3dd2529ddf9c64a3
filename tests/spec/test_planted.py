"""Wrong formulas, each off by what people get wrong: all are refused, most with an instance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sympy import (
    Abs,
    And,
    Eq,
    Function,
    Ge,
    Implies,
    KroneckerDelta,
    Le,
    Lt,
    Max,
    Min,
    Sum,
    ceiling,
    floor,
    oo,
    symbols,
)

from implicitpad.spec import index_map, winograd
from implicitpad.spec.brackets import bracket, inside
from implicitpad.spec.certificate import Unproved
from implicitpad.spec.context import Refuted
from implicitpad.spec.fill import LAYER, TAPS, WEIGHT, B, V, conv, data, extend
from implicitpad.spec.linear_operator import OUT, A
from implicitpad.spec.output_size import same_padding, size
from implicitpad.spec.proof import Proof
from implicitpad.spec.quantifiers import Forall, partial
from implicitpad.spec.symbols import (
    EXTENT,
    PADDED,
    READ,
    WINDOW,
    C_out,
    F,
    P,
    T,
    c,
    d,
    f,
    i,
    j,
    k,
    level,
    m,
    n,
    o,
    p0,
    p1,
    s,
    t,
    w,
    x,
    y,
)

PLANTED: dict[str, tuple[type[Exception], Callable[[Proof], Any]]] = {}
EXISTS = And(Le(0, i), Le(i * s + F, n + P))
TAPS_INSIDE = Forall(k, 0, f - 1, And(Le(-p0, READ), Le(READ, n + p1 - 1)))
NONNEGATIVE = PADDED[:3]


def wrong(name: str, error: type[Exception] = Refuted) -> Callable[[Any], None]:
    """`error` is Refuted where a counterexample must come with the refusal."""

    def plant(function: Callable[[Proof], Any]) -> None:
        PLANTED[name] = error, function

    return plant


def signal(p: Proof, name: str, fill: Any, of: Any = data) -> Any:
    return p.define(name, extend(of, fill), j)


# Sizes.


@wrong("output size without the + 1")
def _(p):
    p.given(*WINDOW, Le(F, n + P))
    p.iff(EXISTS, And(Le(0, i), Le(i, floor((n + P - F) / s) - 1)))


@wrong("output size with a ceiling for the floor")
def _(p):
    p.given(*WINDOW)
    p.iff(EXISTS, And(Le(0, i), Le(i, ceiling((n + P - F) / s))))


@wrong("the floor off by one")
def _(p):
    p.given(*WINDOW)
    p.iff(EXISTS, And(Le(0, i), Le(i, floor((n + P - F + 1) / s))))


@wrong("dilation missing: extent f")
def _(p):
    p.given(*LAYER)
    p.iff(TAPS_INSIDE, And(Le(0, i * s), Le(i * s + f, n + p0 + p1)))


@wrong("extent d·f")
def _(p):
    p.given(*LAYER)
    p.iff(TAPS_INSIDE, And(Le(0, i * s), Le(i * s + d * f, n + p0 + p1)))


@wrong("padding counted once")
def _(p):
    p.given(*EXTENT, Ge(s, 1))
    p.iff(TAPS_INSIDE, And(Le(0, i * s), Le(i * s + F, n + p0)))


@wrong("the band with < on both sides")
def _(p):
    p.given(Ge(s, 1))
    p.iff(Eq(m, size(n, P, F, s)), And(Lt((m - 1) * s, n + P - F), Lt(n + P - F, m * s)))


@wrong("same padding without the maximum")
def _(p):
    p.given(*WINDOW, Ge(n, 1))
    enough = And(Ge(P, 0), Eq(size(n, P, F, s), ceiling(n / s)))
    p.holds(Implies(enough, Eq(P, (ceiling(n / s) - 1) * s + F - n)))


@wrong("same gives floor(n/s)")
def _(p):
    p.given(*WINDOW, Ge(n, 1))
    p.holds(Eq(size(n, same_padding(n, F, s), F, s), floor(n / s)))


@wrong("output_padding up to s")
def _(p):
    p.given(*WINDOW)
    p.iff(Eq(m, size((m - 1) * s + F - P + t, P, F, s)), And(Le(0, t), Le(t, s)))


@wrong("ceil mode without the rule about the begin")
def _(p):
    p.given(*WINDOW, *PADDED)
    made = Min(ceiling((T - F) / s), ceiling((p0 + n) / s) - 1) + 1
    p.holds(Eq(made, ceiling((T - F) / s) + 1))


@wrong("a single window less, however wide the padding")
def _(p):
    p.given(*WINDOW, *PADDED)
    full = ceiling((T - F) / s) + 1
    made = Min(ceiling((T - F) / s), ceiling((p0 + n) / s) - 1) + 1
    p.holds(Implies(Ge((full - 1) * s, p0 + n), Eq(made, full - 1)))


@wrong("stride 2 keeps every size")
def _(p):
    p.given(Ge(n, 1), Ge(F, 1))
    p.holds(Eq(size(n, F - 1, F, 2), n))


@wrong("layers compose with padding P + P")
def _(p):
    p.given(Ge(s, 1), Ge(t, 1))
    p.holds(Eq(size(size(n, P, F, s), P, F, t), size(n, 2 * P, F + s * (F - 1), s * t)))


@wrong("two skips line up if s divides n")
def _(p):
    p.given(Ge(s, 2))
    q = floor(n / s)
    p.iff(And(Eq(n, s * q), Eq(q, s * floor(q / s))), Eq(n, s * q))


@wrong("receptive field without the − 1", Unproved)
def _(p):
    R, J, S, E = (Function(name, integer=True) for name in "RJSE")
    p.given(Eq(R(0), 1), Eq(S(0), 0))
    p.given(Forall(level, 0, oo, Eq(R(level + 1), R(level) + J(level) * (E(level + 1) - 1))))
    p.given(Forall(level, 0, oo, Eq(S(level + 1), S(level) + E(level + 1) * J(level))))
    p.induction(level, Eq(R(level), 1 + S(level)))


# Padded arrays.


@wrong("the core begins at a floor")
def _(p):
    p.given(*WINDOW, *PADDED)
    p.iff(And(Le(0, i), Le(p0, i * s + F - 1)), Le(Max(0, floor((p0 - F + 1) / s)), i))


@wrong("the core ends at floor((p0 + n)/s)")
def _(p):
    p.given(*WINDOW, *PADDED)
    last = size(T, 0, F, s) - 1
    p.iff(And(Le(i, last), Le(i * s, p0 + n - 1)), Le(i, Min(last, floor((p0 + n) / s))))


@wrong("the pad after without the minimum")
def _(p):
    p.given(*WINDOW, *PADDED)
    p.holds(Ge(size(T, 0, F, s) - 1 - floor((p0 + n - 1) / s), 0))


@wrong("upsampling adds the factor to the pad")
def _(p):
    p.given(Ge(t, 1), *NONNEGATIVE)
    p.iff(And(Le(p0, floor(j / t)), Le(floor(j / t), p0 + n - 1)), And(Le(t + p0, j), Le(j, t * n)))


# Sums.


@wrong("fill identity without the bias")
def _(p):
    p.given(*LAYER)
    p.equal(conv(signal(p, "x_v", V)), V * WEIGHT, when=[Ge(i * s - p0, n)])


@wrong("fill identity with v for its weighted sum")
def _(p):
    p.given(*LAYER)
    p.equal(conv(signal(p, "x_v", V)), V + B, when=[Ge(i * s - p0, n)])


@wrong("fill identity one position too early")
def _(p):
    p.given(*LAYER)
    p.equal(conv(signal(p, "x_v", V)), V * WEIGHT + B, when=[Ge(i * s - p0, n - 1)])


@wrong("fill identity from the first tap alone")
def _(p):
    p.given(*LAYER)
    p.equal(conv(signal(p, "x_v", V)), V * WEIGHT + B, when=[Le(i * s - p0, -1)])


@wrong("border identity with the taps inside")
def _(p):
    taps = Sum(inside(READ, n) * w[k], TAPS)
    p.equal(conv(signal(p, "x_v", V)), conv(signal(p, "x_0", 0)) + V * taps)


@wrong("shift identity with x + v")
def _(p):
    shifted = signal(p, "x_s", 0, lambda j: x[j] + V)
    p.equal(conv(signal(p, "x_v", V)), conv(shifted) + V * WEIGHT)


@wrong("batch norm before, the fill left alone")
def _(p):
    alpha, beta = symbols("alpha beta", nonzero=True)
    scaled = signal(p, "y_v", V, lambda j: alpha * x[j] + beta)
    plain = signal(p, "x_v", V)
    p.equal(conv(scaled), Sum(alpha * w[k] * plain(READ), TAPS) + B + beta * WEIGHT)


@wrong("one row down is one column right, whatever the stride")
def _(p):
    p.given(*LAYER)
    p.equal(A(i + 1, j + 1), A(i, j))


@wrong("the adjoint reads j − p")
def _(p):
    p.given(Le(0, j), Le(j, n - 1))
    read = j - p0 - k * d
    gather = Sum(w[k] * y[read] * inside(read, m), TAPS)
    p.equal(Sum(A(i, j) * y[i], OUT).subs(s, 1), gather)


@wrong("the gradient of the fill counts every tap")
def _(p):
    p.given(*LAYER)
    xv = signal(p, "x_v", V)
    loss = p.define("L", lambda m: Sum(y[i] * conv(xv), (i, 0, m - 1)), m)
    p.equal(partial(loss(m), V), WEIGHT * Sum(y[i], OUT))


@wrong("a transposed convolution of a constant is constant")
def _(p):
    p.given(*LAYER)
    low, high = symbols("a b", integer=True)
    p.equal(Sum(V * A(i, j + 1), (i, low, high)), Sum(V * A(i, j), (i, low, high)))


@wrong("multiply-adds without the groups")
def _(p):
    r, groups = symbols("r groups", integer=True)
    p.given(*(Ge(a, 1) for a in (C_out, r, f, groups)))
    counted = Sum(1, (k, 0, f - 1), (c, 0, r - 1), (o, 0, C_out - 1))
    p.equal(counted, C_out * r * groups * f)


# Tables.


@wrong("Winograd: one sign in A")
def _(p):
    A, G, B = winograd.transforms(4, 3)
    A = A.copy()
    A[3, 1] *= -1
    p.table(winograd.entries(A, G, B))


@wrong("Winograd: G not scaled")
def _(p):
    A, G, B = winograd.transforms(2, 3)
    p.table(winograd.entries(A, 2 * G, B))


# The index map.


@wrong("symmetric with period 2n − 2")
def _(p):
    p.given(Ge(n, 2))
    here = index_map.mirrored(i, n - 1, 1)
    p.holds(Implies(index_map.between(0, i, n - 1), Eq(here, i)), split=[floor(i / (2 * n - 2))])


@wrong("reflect with period 2n")
def _(p):
    p.given(Ge(n, 2))
    p.holds(index_map.between(0, index_map.mirrored(i, n, 0), n - 1))


@wrong("replicate clamps to n")
def _(p):
    p.given(Ge(n, 1))
    p.holds(Implies(Ge(i, n), Eq(Min(Max(i, 0), n), n - 1)))


@wrong("a recursion that does not end")
def _(p):
    p.given(Ge(n, 1))
    one_back = Eq(floor((i - n) / n), floor(i / n) - 1)
    p.lemma(And(one_back, Eq(floor((i + n) / n), floor(i / n) + 1)))
    at_rest = (index_map.between(0, i, n - 1), i, [floor(i / n), floor(i / n) - 1])
    away = [(Lt(i, 0), i - n, []), (Ge(i, n), i + n, [])]
    p.recursion(i, lambda i: index_map.circular(i, n), "", lambda i: Abs(i), at_rest, *away)


# Ways to make a prover say yes to anything.


@wrong("dividing by s without s ≥ 1")
def _(p):
    p.iff(Le(i * s, n), Le(i, floor(n / s)))


@wrong("a half where an integer is meant")
def _(p):
    p.holds(Implies(Lt(n / 2, 1), Le(n, 0)))


@wrong("a letter that need not be an integer", Unproved)
def _(p):
    a = symbols("a")
    p.holds(Implies(Lt(0, a), Le(1, a)))


@wrong("induction over a letter about which something is known", Unproved)
def _(p):
    S = Function("S", integer=True)
    p.given(Eq(S(0), 0), Le(level, 0), Ge(level, 0))
    p.induction(level, Eq(S(level), 0))


@wrong("counting a letter about which something is known", Unproved)
def _(p):
    p.given(Ge(i, 3), Ge(n, 5))
    p.count(i, And(Le(0, i), Le(i, n)))


@wrong("counting an empty interval")
def _(p):
    p.given(Ge(n, 0))
    p.count(i, And(Le(0, i), Le(i, n - 5)))


@wrong("for all k, where k is known already", Unproved)
def _(p):
    p.given(Eq(k, 0), *LAYER)
    taps = Forall(k, 0, f - 1, And(Le(0, READ), Le(READ, n)))
    p.iff(taps, And(Le(0, i * s - p0), Le(i * s - p0, n)))


@wrong("a letter defined twice", Unproved)
def _(p):
    p.let(m, n + 1)
    p.let(m, n + 2)


@wrong("differentiating by w[k], with k summed over", Unproved)
def _(p):
    xv = signal(p, "x_v", V)
    loss = p.define("L", lambda m: Sum(y[i] * conv(xv), (i, 0, m - 1)), m)
    p.equal(partial(loss(m), w[k]), Sum(y[i] * Sum(xv(READ), TAPS), OUT))


@wrong("a statement that SymPy has made True already", Unproved)
def _(p):
    p.holds(Ge(n * n, n * n))


@wrong("an empty sum by Karr's convention, negative")
def _(p):
    p.equal(Sum(1, (k, 0, m - 1)), m)


@wrong("a delta sifted outside its range")
def _(p):
    p.equal(Sum(KroneckerDelta(k, j) * w[k], TAPS), w[j])


@wrong("counting an interval that is empty once")
def _(p):
    p.given(Ge(n, 0))
    p.count(i, And(Le(1, i), Le(i, n - 1)))


@wrong("two facts that do not exclude each other")
def _(p):
    p.given(Ge(n, 0))
    p.holds(Ge(n, 1))


@wrong("a sum narrowed beyond its range")
def _(p):
    p.given(Ge(f, 1))
    p.equal(Sum(bracket(k - t) * w[k], TAPS), Sum(w[k], (k, t, f - 1)))


@pytest.mark.parametrize("name", PLANTED)
def test_is_refused(name):
    error, plant = PLANTED[name]
    proof = Proof(name)
    with pytest.raises(error) as refusal:
        plant(proof)
    if error is Refuted:
        assert "is false at" in str(refusal.value) or " is not " in str(refusal.value)


def test_there_are_enough_of_them():
    assert len(PLANTED) >= 40
