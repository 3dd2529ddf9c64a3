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
    counted: bool = False,
) -> PoolGradients:
    from .padded.window_gradients import pool_backward

    function = geometry.function
    if counted or fill_value is not None or any(a.mode != "constant" for a in geometry.axes):
        raise ValueError(
            f"{function}: gradients of a PaddedArray are for padding that windows do not see; "
            "extend() the input and pass padding=0 for padding that continues its border."
        )
    found = pool_backward(function, grad_output, input, geometry.axes, run)
    return PoolGradients(found, found.fill)
