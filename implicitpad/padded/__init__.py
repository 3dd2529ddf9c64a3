"""Padding carried through a network: an array as core, width of the border, and fill.

`array` holds the class, with its methods in `borders` and `numpy_methods`. Positions are decided in
`spans` alone, values of the border in `fills`. Rules for one subject each: `indexing`, `joining`,
`elementwise`, `reductions`, `statistics`, `normalization`, `resizing`, `windows` (convolution),
`transposed` and `pooling`; `functions` lists NumPy's that have one. `gradients` holds `PaddedGrad`
and the rules for elementwise and structural operations, the other `*_gradients` those of the
subject in their name.
"""

from .array import PaddedArray

__all__ = ["PaddedArray"]
