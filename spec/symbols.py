"""The letters.

All are integers unless said otherwise; what else is assumed of a letter stands in the ``given``
of each theorem, so that nothing is assumed silently.
"""

from __future__ import annotations

from sympy import Eq, Ge, IndexedBase, Le, symbols

# Input size, output size, taps, their extent, stride, dilation; padding before, after; and
# T = p0 + n + p1, P = p0 + p1.
n, m, f, F, s, d, p0, p1, T, P = symbols("n m f F s d p0 p1 T P", integer=True)
# Output, input, tap, layer, channels, any number.
i, j, k, level, c, o, t, u, i0, i1 = symbols("i j k l c o t u i0 i1", integer=True)
C_in, C_out, N, g = symbols("C_in C_out N g", integer=True)
# Data, weights, gradient from above, bias, fill: numbers of any kind, with indices.
x, w, y, b, v = map(IndexedBase, "xwybv")

# The definition everything follows from: the position that tap k of output i reads.
READ = i * s - p0 + k * d

# f taps, d apart, reach over F positions.
EXTENT = (Ge(d, 1), Ge(f, 1), Eq(F, d * (f - 1) + 1))
# All that most theorems need to know of a layer.
WINDOW = (Ge(s, 1), Ge(F, 1))
# An input of n positions, padded to T >= F.
PADDED = (Ge(n, 1), Ge(p0, 0), Ge(p1, 0), Eq(T, p0 + n + p1), Le(F, T))
