"""How many outputs there are: tap k of output i reads position  i·s − p₀ + k·d  of the input."""

from __future__ import annotations

from typing import Any

from sympy import And, Eq, Ge, Implies, Le, Lt, Max, Not, ceiling, floor

from .proof import Proof
from .quantifiers import Forall
from .symbols import EXTENT, PADDED, READ, WINDOW, F, P, T, d, f, i, k, m, n, p0, p1, s, t
from .theorem import theorem


def size(n: Any, P: Any, F: Any, s: Any) -> Any:
    """⌊(n + P − F)/s⌋ + 1, derived below."""
    return floor((n + P - F) / s) + 1


def same_padding(n: Any, F: Any, s: Any) -> Any:
    """The least total padding that gives ⌈n/s⌉ outputs, derived below."""
    return Max(0, (ceiling(n / s) - 1) * s + F - n)


@theorem("Output size", "V. Dumoulin, F. Visin, arXiv 1603.07285, 2016")
def output_size(p: Proof) -> Any:
    """Output i exists if all its taps lie in the padded input, the positions −p₀ … n + p₁ − 1."""
    p.given(Ge(s, 1), *EXTENT, Eq(T, p0 + n + p1), Le(F, T))
    taps = p.start(Forall(k, 0, f - 1, And(Le(-p0, READ), Le(READ, n + p1 - 1))))
    ends = And(Le(0, i * s), Le(i * s + F, T))
    p.iff(taps, ends, "the first and the last tap decide, since d ≥ 1")
    return p.count(i, p.solve(ends, i, "divide by s"))


@theorem("No output")
def no_output(p: Proof) -> Any:
    """If the padded input is shorter than the kernel's extent there is no output at all."""
    p.given(*WINDOW, *PADDED[:-1], Lt(T, F))
    p.holds(Not(And(Le(0, i), Le(i * s + F, T))), "not even output 0 exists")
    return p.holds(Le(size(T, 0, F, s), 0), "and the formula is 0 or less")


def band_of(F: Any) -> Any:
    """The one inequality behind every question about sizes:  (m − 1)s ≤ n + P − F < m s."""
    return And(Le((m - 1) * s, n + P - F), Lt(n + P - F, m * s))


@theorem("The band")
def band(p: Proof) -> Any:
    """m outputs, exactly if (m − 1)s ≤ n + P − F < ms: one inequality, linear in each letter."""
    p.given(Ge(s, 1))
    sizes = p.start(Eq(m, size(n, P, F, s)))
    here = p.iff(sizes, band_of(F), "what a floor means")
    return {letter: p.solve(here, letter, f"solve for {letter}") for letter in (n, P, F)}


@theorem("The band, for kernel, dilation and stride")
def band_of_layer(p: Proof) -> Any:
    """The same with F = d(f − 1) + 1; d matters only if f ≥ 2, s is bounded only if m ≥ 2."""
    p.given(Ge(s, 1), Ge(d, 1), Ge(f, 1), Ge(m, 1))
    here = p.start(band_of(d * (f - 1) + 1))
    cases: dict[Any, list[Any]] = {f: [], d: [Ge(f, 2)], s: [Ge(m, 2)]}
    return {letter: p.solve(here, letter, f"for {letter}", when=w) for letter, w in cases.items()}


@theorem("Same, full, valid")
def same(p: Proof) -> Any:
    """The least padding that gives ⌈n/s⌉ outputs; what full and valid give."""
    p.given(*WINDOW, Ge(n, 1))
    least = same_padding(n, F, s)
    enough = Eq(size(n, P, F, s), ceiling(n / s))
    p.holds(enough.subs(P, least), "same: this padding gives ⌈n/s⌉ outputs")
    p.holds(Implies(And(Ge(P, 0), enough), Ge(P, least)), "and no smaller one does")
    p.holds(Implies(Eq(s, 1), Eq(least, F - 1)), "with stride 1 it is F − 1")
    at_stride_1 = p.start(Eq(m, size(n, P, F, 1)), "with stride 1")
    full, valid = And(at_stride_1, Eq(P, 2 * (F - 1))), And(at_stride_1, Eq(P, 0))
    p.holds(Implies(full, Eq(m, n + F - 1)), "full: p₀ = p₁ = F − 1 gives every overlap")
    return p.holds(Implies(valid, Eq(m, n - F + 1)), "valid: no padding")


@theorem("Which settings keep the size")
def keeps_size(p: Proof) -> Any:
    """m = n for every n, exactly if s = 1 and P = F − 1."""
    p.given(*WINDOW)
    p.iff(Eq(size(n, P, F, 1), n), Eq(P, F - 1), "with s = 1, exactly P = F − 1")
    both = And(Eq(size(n, P, F, s), n), Eq(size(n + s, P, F, s), n + s))
    return p.holds(Implies(Ge(s, 2), Not(both)), "with s ≥ 2, n and n + s cannot both be kept")


@theorem("Halving")
def halving(p: Proof) -> Any:
    """With s = 2, an odd extent padded by half gives ⌈n/2⌉, an even one ⌊n/2⌋."""
    p.given(Ge(n, 1), Ge(t, 1))
    odd, even = And(Eq(F, 2 * t + 1), Eq(P, 2 * t)), And(Eq(F, 2 * t), Eq(P, 2 * t - 2))
    p.holds(Implies(odd, Eq(size(n, P, F, 2), ceiling(n / 2))), "F = 2t + 1, padding t each")
    return p.holds(Implies(even, Eq(size(n, P, F, 2), floor(n / 2))), "F = 2t, padding t − 1 each")


@theorem("Transposed size")
def transposed(p: Proof) -> Any:
    """A convolution makes m outputs of (m − 1)s + F − P + r inputs, exactly if 0 ≤ r < s.

    So the transposed convolution, which goes back, must be told r: `output_padding`.
    """
    p.given(*WINDOW)
    back = (m - 1) * s + F - P + t
    p.iff(p.start(Eq(m, size(back, P, F, s)), "t is r"), And(Le(0, t), Lt(t, s)), "put n in")
    return back


@theorem("Ceil mode", "PyTorch's torch.nn.MaxPool2d documentation states the rule")
def ceil_mode(p: Proof) -> Any:
    """A window may run off the end.

    One is made if the one before it did not reach the end, and if it begins in the data or before.
    """
    p.given(*WINDOW, *PADDED[:-1], Lt(F - s, T))
    made = p.start(And(Le(0, i), Lt((i - 1) * s + F, T), Lt(i * s, p0 + n)))
    number = p.count(i, p.solve(made, i, "divide by s"))
    full = ceiling((T - F) / s) + 1
    begins = Lt((full - 1) * s, p0 + n)
    p.holds(Implies(begins, Eq(number, full)), "the usual rule: ⌈(T − F)/s⌉ + 1 …")
    late = And(Ge((full - 1) * s, p0 + n), Le(p1, F))
    p.holds(Implies(late, Eq(number, full - 1)), "… less 1 if that begins too late, for p₁ ≤ F")
    return number
