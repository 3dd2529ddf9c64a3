"""Gradients of normalisation: the border enters through the sums of its gradient alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from .array import PaddedArray
from .gradients import PaddedGrad, shared
from .normalization import by_channel, group_moments
from .reductions import phase_counts


def affine_backward(
    grad: PaddedGrad, x: PaddedArray, mean: Any, variance: Any, weight: Any, epsilon: float
) -> tuple[PaddedGrad, Any, Any]:
    """For the input, weight and bias of `batch_norm` with given mean and variance."""
    scale = 1 / np.sqrt(by_channel(x, variance) + np.asarray(epsilon, x.dtype))
    centre = by_channel(x, mean)
    core, fill = (x.core - centre) * scale, (x.fill - centre) * scale
    parameters = _by_parameter(grad, core, fill, x.rank)
    if weight is not None:
        scale = scale * by_channel(x, weight)
    found = PaddedGrad(grad.core * scale, shared(grad.fill * scale, x.fill))
    return found, *parameters


def group_norm_backward(
    grad: PaddedGrad, x: PaddedArray, groups: int, weight: Any, epsilon: float
) -> tuple[PaddedGrad, Any, Any]:
    """For the input, weight and bias of `group_norm`.

    dx = r (g' − mean(g') − x̂ mean(g' x̂)) with g' = weight g and means over the virtual group.
    """
    mean, variance = group_moments(x, groups)
    r = 1 / np.sqrt(variance + np.asarray(epsilon, x.dtype))
    core, fill = (x.core - mean) * r, (x.fill - mean) * r
    parameters = _by_parameter(grad, core, fill, x.rank)
    inner, outer = grad.core, grad.fill
    if weight is not None:
        inner, outer = inner * by_channel(x, weight), outer * by_channel(x, weight)
    space = tuple(range(-x.rank, 0))
    channels = x.lead[-1] // groups
    count = channels * int(np.prod([span.total for span in x.spans]))

    def averaged(on_core: Any, on_fill: Any) -> Any:
        total = on_core.sum(axis=space, keepdims=True) + on_fill.sum(axis=space, keepdims=True)
        grouped = total.reshape(*total.shape[: -x.rank - 1], groups, channels, *(1,) * x.rank)
        every = grouped.sum(axis=-x.rank - 1, keepdims=True) / count
        return np.broadcast_to(every, grouped.shape).reshape(total.shape)

    first, second = averaged(inner, outer), averaged(inner * core, outer * fill)
    held = phase_counts(x)  # how many border positions hold each value
    found = PaddedGrad(
        r * (inner - first - core * second),
        shared(r * (outer - held * (first + fill * second)), x.fill),
    )
    return found, *parameters


def _by_parameter(grad: PaddedGrad, core: Any, fill: Any, rank: int) -> tuple[Any, Any]:
    """Sums for each channel: of the gradient times the normalised array, and of the gradient."""
    others = tuple([axis for axis in range(core.ndim) if axis != core.ndim - rank - 1])
    weight = (grad.core * core).sum(axis=others) + (grad.fill * fill).sum(axis=others)
    return weight, grad.core.sum(axis=others) + grad.fill.sum(axis=others)
