"""What a layer costs: counted from its loops."""

from __future__ import annotations

from typing import Any

from sympy import And, Eq, Function, Ge, Le, Sum, oo, symbols

from .brackets import inside
from .proof import Proof
from .quantifiers import Forall
from .symbols import C_in, C_out, N, c, f, i, k, level, o, p0
from .theorem import theorem

H, W, h, w, r = symbols("H W h w r", integer=True)
n1, n2, a1, b1, a2, b2, u, v, batch, y, x = symbols("n1 n2 a1 b1 a2 b2 u v a y x", integer=True)
KERNEL = ((v, 0, w - 1), (u, 0, h - 1), (c, 0, r - 1))


@theorem("Multiply-adds")
def multiply_adds(p: Proof) -> Any:
    """One for each image, output channel, output position, input channel of its group, and tap.

    r = C_in/g is the number of input channels of a group.
    """
    p.given(*(Ge(size, 1) for size in (N, C_out, H, W, r, h, w)))
    outputs = ((x, 0, W - 1), (y, 0, H - 1), (o, 0, C_out - 1), (batch, 0, N - 1))
    p.equal(Sum(1, *KERNEL, *outputs), N * C_out * H * W * r * h * w, "count the loops")
    return N * C_out * H * W * r * h * w


@theorem("Separable", "A. Howard et al.: MobileNets, arXiv 1704.04861, 2017")
def separable(p: Proof) -> Any:
    """Depthwise f × f, then 1 × 1, against a full f × f convolution: 1/C_out + 1/f² of it."""
    full = N * C_out * H * W * C_in * f * f
    depthwise, pointwise = N * C_in * H * W * f * f, N * C_out * H * W * C_in
    ratio = 1 / C_out + 1 / f**2
    p.table([((depthwise + pointwise) / full, ratio)], "divide")
    return ratio


@theorem("Taps that read padding")
def padding_taps(p: Proof) -> Any:
    """Stride and dilation 1, p₀ ≤ f: output i < p₀ has p₀ − i taps before the data.

    Together p₀(p₀ + 1)/2; as many after the data, for p₁.
    """
    S = Function("S", integer=True)
    p.given(Ge(i, 0), Le(i, p0 - 1), Le(p0, f), Eq(S(0), 0))
    p.given(Forall(level, 0, oo, Eq(S(level + 1), S(level) + level + 1)))
    outside = And(Le(0, k), Le(k, f - 1), Le(i - p0 + k, -1))
    p.start(outside, "tap k of output i reads before the data")
    taps = p.count(k, p.solve(outside, k, "solve for k"))
    p.holds(Eq(taps, p0 - i), "p₀ − i of them")
    return p.induction(level, Eq(2 * S(level), level * (level + 1)), "S(l) = 1 + 2 + … + l")


@theorem("Parameters")
def parameters(p: Proof) -> Any:
    """A weight for each output channel, channel of its group, and tap; a bias each."""
    p.given(*(Ge(size, 1) for size in (C_out, r, h, w)))
    weights = Sum(1, *KERNEL, (o, 0, C_out - 1))
    return p.equal(weights + Sum(1, (o, 0, C_out - 1)), C_out * (r * h * w + 1), "count")


@theorem("Memory")
def memory(p: Proof) -> Any:
    """What an explicit copy holds beyond the data, for each image and channel."""
    p.given(Ge(n1, 1), Ge(n2, 1), *(Ge(pad, 0) for pad in (a1, b1, a2, b2)))
    span = (u, -a1, n1 + b1 - 1), (v, -a2, n2 + b2 - 1)
    copy = (n1 + a1 + b1) * (n2 + a2 + b2)
    p.equal(Sum(1, *span), copy, "positions of the copy")
    outside = Sum(1 - inside(u, n1) * inside(v, n2), *span)
    p.equal(outside, copy - n1 * n2, "positions that hold the fill: implicit padding stores none")
    return copy - n1 * n2


@theorem("Fully connected")
def fully_connected(p: Proof) -> Any:
    """It is a convolution whose kernel is the whole input: there is one output position."""
    p.given(*(Ge(size, 1) for size in (C_out, r, h, w)))
    return p.equal(Sum(1, *KERNEL, (o, 0, C_out - 1)), (r * h * w) * C_out, "inputs times outputs")
