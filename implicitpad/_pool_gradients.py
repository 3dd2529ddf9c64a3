"""What the gradients of all pools share: their tuple, and those of padded arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ._geometry_pool import PoolGeometry
from .padded.array import PaddedArray


class PoolGradients(NamedTuple):
    """Gradients of a pooling: of the input, and of the fill in its shape.

    `fill_value` is None where the padding is no number: without a fill value in max pooling,
    without counted padding in average pooling, under boundary modes on all axes.
    """

    input: Any
    fill_value: Any


def padded_backward(
    geometry: PoolGeometry,
    grad_output: Any,
    input: PaddedArray,
    fill_value: Any,
    run: Callable[..., Any],
    counted: bool,
) -> PoolGradients:
    """`counted`: padding continues the border; otherwise windows do not see it."""
    from .padded.window_gradients import pool_backward

    function = geometry.function
    if fill_value is not None and not input.n_pad:
        raise ValueError(
            f"{function}: padding continues a PaddedArray by its own fill, got "
            f"fill_value={fill_value!r} with one that has no border; make that its fill."
        )
    found = pool_backward(function, grad_output, input, geometry.axes, run, counted, fill_value)
    return PoolGradients(found, found.fill)
