"""Normalisation over the virtual array, and functions of the channels at each position."""

from __future__ import annotations

from typing import Any

import numpy as np

from .array import PaddedArray
from .statistics import moments


def batch_norm(
    x: PaddedArray,
    mean: Any = None,
    variance: Any = None,
    weight: Any = None,
    bias: Any = None,
    epsilon: float = 1e-5,
) -> PaddedArray:
    """Each channel by the mean and variance given, or by those of the batch."""
    if mean is None or variance is None:
        mean, variance = batch_moments(x)
    else:
        mean, variance = by_channel(x, mean), by_channel(x, variance)
    return _normalized(x, mean, variance, weight, bias, epsilon)


def group_norm(
    x: PaddedArray, groups: int, weight: Any = None, bias: Any = None, epsilon: float = 1e-5
) -> PaddedArray:
    """Each sample by mean and variance of each group of channels, over the virtual area."""
    channels = x.lead[-1]
    if groups < 1 or channels % groups:
        raise ValueError(
            f"group_norm: groups must divide the channels, got groups={groups} with {channels} "
            f"channels; pass a divisor of {channels}."
        )
    mean, variance = group_moments(x, groups)
    return _normalized(x, mean, variance, weight, bias, epsilon)


def batch_moments(x: PaddedArray) -> tuple[Any, Any]:
    """Mean and variance of each channel."""
    total = moments(x, tuple(range(x.ndim - x.rank - 1)))
    return total.mean, total.squares / total.number


def group_moments(x: PaddedArray, groups: int) -> tuple[Any, Any]:
    """Mean and variance of each sample and group of channels, repeated for each channel."""
    channels = x.lead[-1]
    each = moments(x)
    grouped = (*x.lead[:-1], groups, channels // groups) + (1,) * x.rank
    axis = -x.rank - 1
    means, squares = each.mean.reshape(grouped), each.squares.reshape(grouped)
    mean = means.mean(axis=axis, keepdims=True)
    spread = np.square(means - mean).sum(axis=axis, keepdims=True)
    variance = squares.sum(axis=axis, keepdims=True) / each.number + spread
    variance = variance / (channels // groups)
    shape = each.mean.shape
    return (
        np.broadcast_to(mean, grouped).reshape(shape),
        np.broadcast_to(variance, grouped).reshape(shape),
    )


def layer_norm(
    x: PaddedArray, weight: Any = None, bias: Any = None, epsilon: float = 1e-5
) -> PaddedArray:
    """Each position by mean and variance of its channels."""
    channel = x.ndim - x.rank - 1
    mean = np.mean(x, axis=channel, keepdims=True)
    variance = np.mean(np.square(x - mean), axis=channel, keepdims=True)
    return _normalized(x, mean, variance, weight, bias, epsilon)


def softmax(x: PaddedArray) -> PaddedArray:
    """Over the channels at each position."""
    channel = x.ndim - x.rank - 1
    return x._make(softmax_along(x.core, channel), x.spans, softmax_along(x.fill, channel))


def softmax_along(a: Any, axis: int) -> Any:
    """Of an ordinary array."""
    e = np.exp(a - a.max(axis=axis, keepdims=True))
    e /= e.sum(axis=axis, keepdims=True)
    return e


def by_channel(x: PaddedArray, values: Any) -> Any:
    """(C,) as an array that broadcasts against `x`."""
    return np.asarray(values, x.dtype, like=x.core).reshape((-1,) + (1,) * x.rank)


def _normalized(
    x: PaddedArray, mean: Any, variance: Any, weight: Any, bias: Any, epsilon: float
) -> PaddedArray:
    # The mean goes first: x·scale − mean·scale would cancel.
    y: PaddedArray = x - mean
    scale = 1 / np.sqrt(variance + y.dtype.type(epsilon))
    if weight is not None:
        scale = scale * by_channel(y, weight)
    y *= scale
    if bias is not None:
        y += by_channel(y, bias)
    return y.astype(x.dtype) if x.dtype.kind == "f" and y.dtype != x.dtype else y
