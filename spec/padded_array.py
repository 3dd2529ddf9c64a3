"""A padded array stays one: core, pad and fill of what is computed from it.

The virtual array has positions 0 … T − 1; the core is p₀ … p₀ + n − 1 of them, the rest fill.
"""

from __future__ import annotations

from typing import Any

from sympy import Add, And, Eq, Ge, Implies, Le, Lt, Max, Min, Sum, floor, symbols

from .brackets import inside
from .fill import TAPS, WEIGHT, B, V
from .output_size import size
from .proof import Proof
from .symbols import EXTENT, PADDED, WINDOW, F, T, d, f, i, i0, i1, j, k, m, n, p0, s, t, u, w, x
from .theorem import theorem


def virtual(position: Any) -> Any:
    """The virtual array: the core where it lies, the fill elsewhere."""
    core = inside(position - p0, n)
    return core * x[position - p0] + (1 - core) * V


def core_outputs() -> Any:
    """Output i exists and its window, i·s … i·s + F − 1, touches the core."""
    exists = And(Le(0, i), Le(i, m - 1))
    return And(exists, Le(p0, i * s + F - 1), Le(i * s, p0 + n - 1))


@theorem("Core and pad of a convolved padded array")
def core_and_pad(p: Proof) -> Any:
    """Which outputs touch the core; how many lie before and after; and what layer computes them."""
    p.given(*WINDOW, *PADDED)
    p.let(m, size(T, 0, F, s))
    touching = p.start(core_outputs(), "output i exists and touches the core")
    core = p.solve(touching, i, "divide by s")
    low, high = _ends(core)
    p.let(i0, low)
    p.let(i1, high)
    before, after = And(Le(0, i), Le(i, i0 - 1)), And(Le(i1 + 1, i), Le(i, m - 1))
    numbers = (
        p.count(i, before, "outputs before them: the new pad before"),
        p.count(i, And(Le(i0, i), Le(i, i1)), "the new core"),
        p.count(i, after, "outputs after them: the new pad after"),
    )
    p.equal(Add(*numbers, evaluate=False), m, "conservation")
    p.holds(Implies(before, Le(i * s + F, p0)), "those before lie wholly in the padding before")
    p.holds(Implies(after, Le(p0 + n, i * s)), "those after, wholly in the padding after")
    q0, q1 = symbols("q0 q1", integer=True)
    p.let(q0, p0 - i0 * s)
    p.let(q1, i1 * s + F - p0 - n)
    reads = "output i₀ + j reads the core as output j of a layer padded by q₀"
    p.equal((i0 + j) * s + k * d - p0, j * s - q0 + k * d, reads)
    p.holds(Eq(size(n, q0 + q1, F, s), i1 - i0 + 1), "and the size agrees with padding (q₀, q₁)")
    p.holds(And(Lt(q0, F), Lt(q1, F)), "less than F each, however wide the padding was")
    return core


def _ends(interval: Any) -> tuple[Any, Any]:
    low = next(a.lhs for a in interval.args if a.rhs == i)
    high = next(a.rhs for a in interval.args if a.lhs == i)
    return low, high


@theorem("The new fill")
def new_fill(p: Proof) -> Any:
    """Outputs that do not touch the core are z = (Σ w)·v + b, all of them: z is the new fill.

    The others are one ordinary convolution of the core, with fill v and padding q₀ before.
    """
    p.given(*EXTENT, Ge(s, 1), Ge(n, 1))
    taken = p.define("X", virtual, j)
    output = Sum(w[k] * taken(i * s + k * d), TAPS) + B
    z = V * WEIGHT + B
    p.equal(output, z, "wholly in the padding before", when=[Le(i * s + F, p0)])
    p.equal(output, z, "wholly in the padding after", when=[Le(p0 + n, i * s)])
    here = t * s - (p0 - i0 * s) + k * d
    core = Sum(w[k] * (inside(here, n) * x[here] + (1 - inside(here, n)) * V), TAPS) + B
    return p.equal(output.subs(i, i0 + t), core, "output i₀ + t; q₀ = p₀ − i₀·s")


@theorem("Elementwise, and sums of two")
def elementwise(p: Proof) -> Any:
    """Inside the core a position reads data, elsewhere the fill: φ acts on core and fill alone.

    For two arrays, outside the smallest interval that holds both cores, both read their fill.
    """
    a0, b0, na, nb, va, vb = symbols("a0 b0 n_a n_b v_a v_b", integer=True)
    p.given(Ge(n, 1), Ge(na, 1), Ge(nb, 1))
    taken = p.define("X", virtual, j)
    p.equal(taken(j), x[j - p0], "in the core", when=[Le(p0, j), Le(j, p0 + n - 1)])
    p.equal(taken(j), V, "before it", when=[Le(j, p0 - 1)])
    p.equal(taken(j), V, "after it", when=[Le(p0 + n, j)])

    def other(at: Any, start: Any, length: Any, fill: Any) -> Any:
        core = inside(at - start, length)
        return core * w[at - start] + (1 - core) * fill

    both = other(j, a0, na, va) + other(j, b0, nb, vb)
    p.equal(both, va + vb, "before the union", when=[Le(j, a0 - 1), Le(j, b0 - 1)])
    return p.equal(both, va + vb, "after it", when=[Le(a0 + na, j), Le(b0 + nb, j)])


@theorem("Extend, crop")
def extend_and_crop(p: Proof) -> Any:
    """Take positions t … t + m − 1 of the virtual array; t < 0 extends it with its own fill.

    Position j of the result is position j + t of before.
    """
    p.given(Ge(n, 0), Ge(m, 0))
    kept = And(Le(0, j), Le(j, m - 1), Le(p0, j + t), Le(j + t, p0 + n - 1))
    p.solve(p.start(kept, "position j exists and lies in the core"), j, "subtract t")
    core = p.let(u, Max(0, Min(m, p0 + n - t) - Max(0, p0 - t)))
    rest = m - core - Max(0, p0 - t)
    p.lemma(And(Le(0, core), Le(core, n)), "the new core is no longer than the old one")
    longer = Implies(Ge(core, 1), Ge(rest, 0))
    return p.holds(longer, "and what is left after it is the new pad after")


@theorem("Nearest upsampling")
def upsampling(p: Proof) -> Any:
    """Each position t times: the core t·p₀ … t·(p₀ + n) − 1; core and pads are multiplied by t."""
    p.given(Ge(t, 1))
    reads_core = And(Le(p0, floor(j / t)), Le(floor(j / t), p0 + n - 1))
    p.start(reads_core, "position j repeats position ⌊j/t⌋, which lies in the core")
    return p.iff(reads_core, And(Le(t * p0, j), Le(j, t * (p0 + n) - 1)), "multiply by t")


@theorem("Global sum")
def global_sum(p: Proof) -> Any:
    """Over the whole virtual array: the sum of the core and the fill times the padding."""
    p.given(*PADDED[:-1])
    taken = p.define("X", virtual, j)
    whole = Sum(taken(j), (j, 0, T - 1))
    return p.equal(whole, Sum(x[j], (j, 0, n - 1)) + (T - n) * V, "split at the core's ends")


@theorem("The divisor of average pooling")
def pooling_divisor(p: Proof) -> Any:
    """How many of the f taps of window i read data, when the padding is not counted (d = 1)."""
    p.given(Ge(f, 1), Ge(n, 1), Ge(s, 1))
    here = And(Le(0, k), Le(k, f - 1), Le(0, i * s - p0 + k), Le(i * s - p0 + k, n - 1))
    interval = p.solve(p.start(here, "tap k of window i reads data"), k, "subtract i·s − p₀")
    low, high = (
        next(iter(a.args[at] for a in interval.args if a.args[1 - at] == k)) for at in (0, 1)
    )
    touching = And(Le(i * s - p0, n - 1), Ge(i * s - p0 + f - 1, 0))
    return p.holds(
        Implies(touching, Ge(high - low + 1, 1)), "at least one if the window touches it"
    )
