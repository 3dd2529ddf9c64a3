"""What the fill value adds to a convolution: identities between finite sums."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sympy import Eq, Ge, IndexedBase, Le, Sum, symbols

from .brackets import inside
from .proof import Proof
from .symbols import READ, C_in, b, c, d, f, g, i, j, k, n, o, p0, s, t, v, w, x
from .theorem import theorem

TAPS = (k, 0, f - 1)
LAYER = (Ge(s, 1), Ge(d, 1), Ge(f, 1))
V, B = symbols("v b")  # one fill value, one bias
WEIGHT = Sum(w[k], TAPS)
OUTSIDE = Sum((1 - inside(READ, n)) * w[k], TAPS)  # the weight of the taps that read the fill

Signal = Callable[[Any], Any]


def extend(data: Signal, fill: Any) -> Signal:
    """A signal: `data` at 0 … n − 1, the fill elsewhere."""
    return lambda j: inside(j, n) * data(j) + (1 - inside(j, n)) * fill


def data(j: Any) -> Any:
    return x[j]


def conv(signal: Signal) -> Any:
    """Output i, by the definition."""
    return Sum(w[k] * signal(READ), TAPS) + B


@theorem("Fill identity")
def fill_identity(p: Proof) -> Any:
    """A window wholly in the padding gives z = (Σ w)·v + b."""
    p.given(*LAYER)
    xv = p.define("x_v", extend(data, V), j)
    z = V * WEIGHT + B
    ends_before = [Le(i * s - p0 + (f - 1) * d, -1)]
    p.equal(conv(xv), z, "before the data: every tap reads v", when=ends_before)
    return p.equal(conv(xv), z, "after the data", when=[Ge(i * s - p0, n)])


@theorem("Border identity", "the correction that oneDNN's int8 zero points and larq use")
def border_identity(p: Proof) -> Any:
    """Padding with v is padding with 0, plus v times the weight of the taps that fall outside."""
    xv = p.define("x_v", extend(data, V), j)
    x0 = p.define("x_0", extend(data, 0), j)
    return p.equal(conv(xv), conv(x0) + V * OUTSIDE, "tap by tap")


@theorem("Shift identity")
def shift_identity(p: Proof) -> Any:
    """Padding with v is a zero-padded convolution of x − v, plus v Σ w."""
    xv = p.define("x_v", extend(data, V), j)
    shifted = p.define("x_s", extend(lambda j: x[j] - V, 0), j)
    why = "tap by tap: x = (x − v) + v inside, v = 0 + v outside"
    return p.equal(conv(xv), conv(shifted) + V * WEIGHT, why)


@theorem("Any number of axes")
def any_axes(p: Proof) -> Any:
    """Number all taps k = 0 … f − 1 of all axes and channels; e[k] is 1 where tap k reads data.

    r[k] is what it reads there, v[k] the fill of its channel.  Nothing else about e is used, so the
    identities hold for every rank, kernel shape, stride, dilation, grouping and crop.
    """
    e, r = IndexedBase("e"), IndexedBase("r")
    taps = Sum(w[k] * (e[k] * r[k] + (1 - e[k]) * v[k]), TAPS)
    zero_padded = Sum(w[k] * e[k] * r[k], TAPS)
    p.equal(taps, zero_padded + Sum(w[k] * v[k] * (1 - e[k]), TAPS), "border identity")
    shifted = Sum(w[k] * e[k] * (r[k] - v[k]), TAPS)
    return p.equal(taps, shifted + Sum(w[k] * v[k], TAPS), "shift identity; all e[k] = 0: z")


@theorem("Fill per channel, in two dimensions")
def channels(p: Proof) -> Any:
    """The same, written out for C_in input channels, each with its own fill, in two dimensions."""
    n1, n2, f1, f2, i1, i2, k1, k2 = symbols("n1 n2 f1 f2 i1 i2 k1 k2", integer=True)
    s1, s2, d1, d2, q1, q2, a, e = symbols("s1 s2 d1 d2 q1 q2 a e", integer=True)
    p.given(Ge(d1, 1), Ge(f1, 1), Ge(d2, 1), Ge(f2, 1))

    def within(a: Any, e: Any) -> Any:
        return inside(a, n1) * inside(e, n2)

    def filled(c: Any, a: Any, e: Any) -> Any:
        return within(a, e) * x[c, a, e] + (1 - within(a, e)) * v[c]

    xv = p.define("x_v", filled, c, a, e)
    x0 = p.define("x_0", lambda c, a, e: within(a, e) * x[c, a, e], c, a, e)
    read = (i1 * s1 - q1 + k1 * d1, i2 * s2 - q2 + k2 * d2)
    taps = ((k2, 0, f2 - 1), (k1, 0, f1 - 1), (c, 0, C_in - 1))
    weight = w[o, c, k1, k2]

    def conv(signal: Any) -> Any:
        return Sum(weight * signal(c, *read), *taps) + b[o]

    border = Sum(v[c] * weight * (1 - within(*read)), *taps)
    p.equal(conv(xv), conv(x0) + border, "border identity")
    z = Sum(v[c] * Sum(weight, *taps[:2]), taps[2]) + b[o]
    sides = {
        "above": Le(i1 * s1 - q1 + (f1 - 1) * d1, -1),
        "below": Ge(i1 * s1 - q1, n1),
        "left of": Le(i2 * s2 - q2 + (f2 - 1) * d2, -1),
        "right of": Ge(i2 * s2 - q2, n2),
    }
    for side, fact in sides.items():
        p.equal(conv(xv), z, f"fill identity, window {side} the data", when=[fact])
    return z


@theorem("Groups")
def groups(p: Proof) -> Any:
    """A convolution in g groups is an ordinary one whose weights are 0 between the groups.

    Each group has r input channels; the output channel belongs to group t, 0 ≤ t < g.
    """
    r = symbols("r", integer=True)
    p.given(Ge(r, 1), Le(0, t), Le(t, g - 1), Ge(f, 1), Eq(C_in, r * g))
    own = inside(c - t * r, r)
    ordinary = Sum(own * w[c - t * r, k] * x[c, READ], TAPS, (c, 0, r * g - 1))
    grouped = Sum(w[c, k] * x[t * r + c, READ], TAPS, (c, 0, r - 1))
    return p.equal(ordinary, grouped, "only the group's own channels remain")


@theorem("Batch norm", "S. Ioffe, C. Szegedy, arXiv 1502.03167, 2015; x ↦ αx + β at inference")
def batch_norm(p: Proof) -> Any:
    """Before a layer padded with v: the layer αw, b + βΣw, padded with (v − β)/α.

    After a layer the fill of its input stays as it is.
    """
    alpha, beta = symbols("alpha beta", nonzero=True)
    xv = p.define("x_v", extend(data, V), j)
    y = p.define("y_v", extend(lambda j: alpha * x[j] + beta, V), j)
    xu = p.define("x_u", extend(data, (V - beta) / alpha), j)
    folded = Sum(alpha * w[k] * xu(READ), TAPS) + B + beta * WEIGHT
    p.equal(conv(y), folded, "before")
    after = Sum(alpha * w[k] * xv(READ), TAPS) + alpha * B + beta
    return p.equal(alpha * conv(xv) + beta, after, "after")


@theorem("Zero point", "B. Jacob et al., arXiv 1712.05877, 2017")
def zero_point(p: Proof) -> Any:
    """A quantised tensor q stands for S·(q − Z): its real zero padding is padding with q = Z."""
    S, Z = symbols("S Z", nonzero=True)
    q = p.define("q_Z", extend(data, Z), j)
    real = p.define("r_0", extend(lambda j: S * (x[j] - Z), 0), j)
    quantised = S * (Sum(w[k] * q(READ), TAPS) - Z * WEIGHT) + B
    return p.equal(conv(real), quantised, "tap by tap")
