"""A convolution as the matrix it is; its adjoint; its gradients, by differentiation."""

from __future__ import annotations

from typing import Any

from sympy import KroneckerDelta, Le, Sum, expand

from .brackets import inside
from .fill import LAYER, OUTSIDE, TAPS, WEIGHT, B, V, conv, data, extend
from .proof import Proof
from .quantifiers import partial
from .symbols import d, f, i, i0, j, k, level, m, n, p0, s, w, x
from .symbols import y as g  # the gradient from above: one number per output
from .theorem import theorem

OUT, IN = (i, 0, m - 1), (j, 0, n - 1)


def A(i: Any, j: Any) -> Any:
    """Row i, column j: the weights of the taps of output i that read position j."""
    return Sum(w[k] * KroneckerDelta(j, i * s - p0 + k * d), TAPS)


@theorem("Convolution is a Toeplitz matrix")
def matrix(p: Proof) -> Any:
    """conv(x) = A x + v·(weight outside) + b with A[i, j] = Σ_k w[k]·[j = i·s − p₀ + k·d]."""
    p.given(*LAYER)
    xv = p.define("x_v", extend(data, V), j)
    p.equal(conv(xv), Sum(A(i, j) * x[j], IN) + V * OUTSIDE + B, "sift")
    p.equal(A(i + 1, j + s), A(i, j), "one row down is s columns right")
    one_weight = inside(j + p0 - i * s, f) * w[j + p0 - i * s]
    return p.equal(A(i, j).subs(d, 1), one_weight, "for d = 1 an entry is one weight")


@theorem("Adjoint")
def adjoint(p: Proof) -> Any:
    """⟨A x, g⟩ = ⟨x, Aᵀ g⟩: the transposed convolution scatters where the convolution gathers."""
    x0 = p.define("x_0", extend(data, 0), j)
    scattered = Sum(x[j] * Sum(A(i, j) * g[i], OUT), IN)
    return p.equal(Sum(g[i] * (conv(x0) - B), OUT), scattered, "exchange the sums")


@theorem("Gradients")
def gradients(p: Proof) -> Any:
    """L = Σ_i g[i]·conv(x)[i], differentiated; j is any position of the data, l any tap."""
    p.given(*LAYER, Le(0, j), Le(j, n - 1), Le(0, level), Le(level, f - 1))
    xv = p.define("x_v", extend(data, V), j)
    loss = p.define("L", lambda m: Sum(g[i] * conv(xv), (i, 0, m - 1)), m)
    transposed = Sum(A(i, j) * g[i], OUT)
    p.equal(partial(loss(m), x[j]), transposed, "input: the adjoint, whatever the fill")
    correlation = Sum(g[i] * xv(i * s - p0 + level * d), OUT)
    p.equal(partial(loss(m), w[level]), correlation, "weight: correlation with the padded signal")
    p.equal(partial(loss(m), B), Sum(g[i], OUT), "bias")
    p.equal(partial(loss(m), V), Sum(g[i] * OUTSIDE, OUT), "fill: the weight outside")
    in_padding = [Le((i0 - 1) * s - p0 + (f - 1) * d, -1)]
    first = WEIGHT * Sum(g[i], (i, 0, i0 - 1))
    why = "where outputs 0 … i₀ − 1 all lie in the padding, only Σ g is needed"
    p.equal(partial(loss(i0), V), first, why, when=in_padding)
    gather = Sum(w[k] * g[j + p0 - k * d] * inside(j + p0 - k * d, m), TAPS)
    why = "for s = 1 the adjoint is a gather: the kernel reversed"
    return p.equal(transposed.subs(s, 1), gather, why)


@theorem("A transposed convolution of a constant")
def phases(p: Proof) -> Any:
    """Away from the ends it is not constant: it has period s, one value per stride phase."""
    p.given(*LAYER)

    def of_constant(j: Any, low: Any, high: Any) -> Any:
        return Sum(V * A(i, j), (i, low, high))

    return p.equal(
        of_constant(expand(j + s), i0 + 1, m + 1), of_constant(j, i0, m), "shift i by one"
    )
