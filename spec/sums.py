"""What counts as a proof about finite sums.

Terms are built with +, ·, powers and Σ from numbers, symbols, indexed symbols x[…], Kronecker
deltas and brackets, where [h] is 1 if h ≥ 0, else 0.  `normal` brings a term to one form; each rule
is an identity of finite sums, and a sum over an empty range is 0:

    expand     (a + b) c = a c + b c,   Σ(a + b) = Σa + Σb,   (Σₖ a)(Σₗ b) = Σₖ Σₗ a b
    shift      Σ_(k=a..b) g(k) = Σ_(k=0..b−a) g(k + a)
    square     [h] [h] = [h]
    sift       Σ_(k=0..b) [0 = k − e] g(k) = [e] [b − e] g(e)
    exchange   [0 = g] [h] = [0 = g] [h + g] = [0 = g] [h − g]
    decide     [h] = 1 or [h] = 0, where the facts imply it
    narrow     Σ_(k=0..b) [k − e] g(k) = Σ_(k=e..b) g(k), if the facts imply e ≥ 0;  likewise above
    constant   Σ_(k=0..b) g = (b + 1) g, if g does not hold k and the facts imply b + 1 ≥ 0
    rename     names of bound indices, and the order of independent sums, do not matter

"The facts" are what is known, the ranges of the sums around, and the other brackets of the product;
what they imply is for `integers` to prove.  Two terms are equal if the normal form of their
difference is 0; the evidence is the list of rewritings, each of which can be evaluated by itself.
SymPy's own `doit` follows another convention for empty ranges and is not used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from sympy import (
    Add,
    Dummy,
    Expr,
    Ge,
    Integer,
    KroneckerDelta,
    Mul,
    S,
    Sum,
    Symbol,
    default_sort_key,
    expand,
)

from .brackets import bracket, in_brackets
from .certificate import Certificate
from .integers import implied

Limits = tuple[tuple[Any, Any, Any], ...]
Rewritten = tuple[Expr, list[Certificate]]


@dataclass(frozen=True)
class Rewriting:
    """One use of one rule: under the facts, before = after."""

    rule: str
    before: Expr
    after: Expr
    certificates: tuple[Certificate, ...] = ()


def monomials(e: Expr) -> list[tuple[Limits, Expr]]:
    """`e` multiplied out: pairs (limits, product), outermost limit first, every range from 0."""
    e = expand(e)
    if isinstance(e, Add):
        return [pair for a in e.args for pair in monomials(a)]
    if isinstance(e, Mul) or (e.is_Pow and e.exp.is_Integer and e.exp > 1):
        out: list[tuple[Limits, Expr]] = [((), S.One)]
        for a in e.args if isinstance(e, Mul) else [e.base] * int(e.exp):
            parts = monomials(a) if a.has(Sum) else [((), a)]
            out = [(outer + more, b * c) for outer, b in out for more, c in parts]
        return out
    if isinstance(e, Sum):
        at: dict[Expr, Expr] = {}
        limits: Limits = ()
        for k, low, high in reversed(e.limits):
            index = Dummy(k.name, integer=True)
            low, high = low.xreplace(at), high.xreplace(at)
            at[k] = index + low
            limits += ((index, Integer(0), expand(high - low)),)
        return [(limits + more, a) for more, a in monomials(e.function.xreplace(at))]
    return [((), e)]


def factors_of(product: Expr) -> list[Expr]:
    """The factors: brackets once each, deltas as [0 = gap] in one sign, every index expanded."""
    out = []
    for a in Mul.make_args(product):
        once = a.is_Pow and isinstance(a.base, (bracket, KroneckerDelta)) and a.exp.is_positive
        factor = a.base if once else a
        if isinstance(factor, KroneckerDelta):
            gap = expand(factor.args[0] - factor.args[1])
            gap = -gap if gap.could_extract_minus_sign() else gap
            factor = KroneckerDelta(0, gap)
        elif factor.is_Indexed:
            factor = factor.func(factor.base, *map(expand, factor.indices))
        out.append(factor)
    return list(Mul.make_args(Mul(*out)))


def total(limits: Sequence[Any], product: Expr) -> Expr:
    return Sum(product, *reversed(limits)) if limits else product


def loose(k: Expr, limits: Limits) -> bool:
    """Whether no other limit depends on k, nor k's on another index."""
    here = next(limit for limit in limits if limit[0] == k)
    others = [limit for limit in limits if limit is not here]
    return not any(a.has(k) for limit in others for a in limit[1:]) and not any(
        here[2].has(limit[0]) for limit in others
    )


def without(limits: Limits, k: Expr) -> list[Any]:
    return [limit for limit in limits if limit[0] != k]


def sift(limits: Limits, factors: list[Expr], known: Sequence[Any]) -> Rewritten | None:
    for delta in [a for a in factors if isinstance(a, KroneckerDelta)]:
        for k, _, high in limits:
            slope = delta.args[1].coeff(k)
            if slope in (1, -1) and loose(k, limits):
                e = expand(k - delta.args[1] / slope)
                rest = Mul(*(a for a in factors if a != delta)).xreplace({k: e})
                return total(without(limits, k), bracket(e) * bracket(high - e) * rest), []
    return None


def exchange(limits: Limits, factors: list[Expr], known: Sequence[Any]) -> Rewritten | None:
    for delta in [a for a in factors if isinstance(a, KroneckerDelta)]:
        for a in [a for a in factors if isinstance(a, bracket)]:
            for moved in (a.args[0] + delta.args[1], a.args[0] - delta.args[1]):
                if bracket(moved).count_ops() < a.count_ops():
                    changed = Mul(*(bracket(moved) if b == a else b for b in factors))
                    return total(limits, changed), []
    return None


def decide(limits: Limits, factors: list[Expr], known: Sequence[Any]) -> Rewritten | None:
    ranges = [fact for k, low, high in limits for fact in (Ge(k, low), Ge(high, k))]
    for this in [a for a in factors if isinstance(a, bracket)]:
        rest = [a for a in factors if a != this]
        facts = [*known, *ranges, *(Ge(a.args[0], 0) for a in rest if isinstance(a, bracket))]
        if (certificates := implied(Ge(this.args[0], 0), facts)) is not None:
            return total(limits, Mul(*rest)), certificates
        if (certificates := implied(Ge(-1, this.args[0]), facts)) is not None:
            return S.Zero, certificates
    return None


def narrow(limits: Limits, factors: list[Expr], known: Sequence[Any]) -> Rewritten | None:
    for this in [a for a in factors if isinstance(a, bracket)]:
        for at, (k, low, high) in enumerate(limits):
            slope = this.args[0].coeff(k)
            if slope not in (1, -1) or not loose(k, limits):
                continue
            e = expand(k - this.args[0] / slope)
            if any(e.has(limit[0]) for limit in limits):
                continue
            certificates = implied(Ge(e, 0) if slope == 1 else Ge(high, e), known)
            if certificates is not None:
                new = (k, e, high) if slope == 1 else (k, low, e)
                rest = Mul(*(a for a in factors if a != this))
                return total((*limits[:at], new, *limits[at + 1 :]), rest), certificates
    return None


def constant(limits: Limits, factors: list[Expr], known: Sequence[Any]) -> Rewritten | None:
    for k, _, high in limits:
        if any(a.has(k) for a in factors) or not loose(k, limits):
            continue
        if (certificates := implied(Ge(high + 1, 0), known)) is not None:
            return total(without(limits, k), (high + 1) * Mul(*factors)), certificates
    return None


RULES = (sift, exchange, decide, narrow, constant)


def canonical(limits: Limits, product: Expr) -> Expr:
    """The same sum under standard names, in a standard order of independent indices."""

    def spell(order: Sequence[Any]) -> Expr:
        names = {k: Symbol(f"#{at}", integer=True) for at, (k, _, _) in enumerate(order)}
        renamed = [(names[k], low, high.xreplace(names)) for k, low, high in reversed(order)]
        return Sum(product.xreplace(names), *renamed)

    def legal(order: Sequence[Any]) -> bool:
        inner = [[k for k, _, _ in order[at:]] for at in range(len(order))]
        return all(not limit[2].has(*ks) for limit, ks in zip(order, inner, strict=True))

    if not limits:
        return product
    orders: list[Sequence[Any]] = [limits]
    if len(limits) <= 4:
        orders = list(permutations(limits))
    return min((spell(order) for order in orders if legal(order)), key=default_sort_key)


def normal(e: Expr, known: Sequence[Any] = ()) -> tuple[Expr, list[Rewriting]]:
    """The one form of `e` under integer facts, and how it was reached."""
    form: dict[Expr, Expr] = {}
    trace: list[Rewriting] = []
    work = monomials(in_brackets(e))
    while work:
        limits, product = work.pop()
        factors = factors_of(product)
        for rule in RULES:
            found = rule(limits, factors, known)
            if found is not None:
                after, certificates = found
                before = total(limits, Mul(*factors))
                trace.append(Rewriting(rule.__name__, before, after, tuple(certificates)))
                work += monomials(after) if after != 0 else []
                break
        else:
            coefficient, product = Mul(*factors).as_coeff_Mul()
            key = canonical(limits, product)
            form[key] = form.get(key, S.Zero) + coefficient
    return Add(*(c * key for key, c in form.items())), trace
