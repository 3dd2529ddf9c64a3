"""Gradients of global pooling: each value of the fill stands for all positions that hold it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .array import PaddedArray
from .gradients import PaddedGrad, shared
from .reductions import phase_counts


def global_average_backward(grad: Any, x: PaddedArray) -> PaddedGrad:
    """Of the mean over space, with kept axes."""
    each = grad / math.prod(x.shape[-x.rank :])
    held = np.asarray(phase_counts(x), x.dtype, like=x.core)
    core = np.broadcast_to(each, x.core.shape).astype(x.dtype)
    return PaddedGrad(core, shared(held * each, x))


def global_maximum_backward(grad: Any, x: PaddedArray, largest: Any) -> PaddedGrad:
    """Of the maximum over space, with kept axes; equal maxima share the gradient equally."""
    space = tuple(range(-x.rank, 0))
    core = (x.core == largest).astype(x.dtype)
    fill = (x.fill == largest) * np.asarray(phase_counts(x), x.dtype, like=x.core)
    each = grad / (core.sum(axis=space, keepdims=True) + fill.sum(axis=space, keepdims=True))
    return PaddedGrad(core * each, shared(fill * each, x))
