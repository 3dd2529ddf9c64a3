"""Activations and normalisation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..padded import normalization
from .layer import Layer
from .layout import Layout, through


class ReLU(Layer):
    """max(x, 0)."""

    def __call__(self, x: Any) -> Any:
        return np.maximum(x, 0)


class LeakyReLU(Layer):
    """x above 0, `slope` x below."""

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = slope

    def __call__(self, x: Any) -> Any:
        return np.where(x > 0, x, x * self.slope)


class Sigmoid(Layer):
    """1 / (1 + exp(−x)), as a hyperbolic tangent, which does not overflow."""

    def __call__(self, x: Any) -> Any:
        return np.tanh(x * 0.5) * 0.5 + 0.5


class Tanh(Layer):
    """tanh(x)."""

    def __call__(self, x: Any) -> Any:
        return np.tanh(x)


class SiLU(Layer):
    """x · sigmoid(x)."""

    def __call__(self, x: Any) -> Any:
        return x * (np.tanh(x * 0.5) * 0.5 + 0.5)


class GELU(Layer):
    """The tanh form of the Gaussian error linear unit (Hendrycks and Gimpel 2016)."""

    def __call__(self, x: Any) -> Any:
        inner = (x * x * 0.044715 + 1.0) * x * math.sqrt(2 / math.pi)
        return (np.tanh(inner) + 1.0) * x * 0.5


class Softmax(Layer):
    """Over the channels, at each position."""

    def __call__(self, x: Any) -> Any:
        return through(lambda a: normalization.over_channels(normalization.softmax, a), x)


class _Norm(Layer):
    """`weight` and `bias` scale the result, one value for each channel; None is 1 and 0."""

    def __init__(self, channels: int, epsilon: float = 1e-5) -> None:
        self.channels, self.epsilon = channels, epsilon
        self.weight: Any = None
        self.bias: Any = None

    def follow(self, layout: Layout) -> Layout:
        if layout.lead[-1] != self.channels:
            raise ValueError(
                f"nn.{type(self).__name__}: input must have {self.channels} channels, got shape "
                f"{layout.shape}; pass such an input."
            )
        return layout

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.channels})"


class BatchNorm(_Norm):
    """By `mean` and `variance` of each channel; None takes those of the batch, over the virtual area."""

    def __init__(self, channels: int, epsilon: float = 1e-5) -> None:
        super().__init__(channels, epsilon)
        self.mean: Any = np.zeros(channels)
        self.variance: Any = np.ones(channels)

    def __call__(self, x: Any) -> Any:
        return through(
            normalization.batch_norm, x, self.mean, self.variance, self.weight, self.bias, self.epsilon
        )


class GroupNorm(_Norm):
    """By mean and variance of each sample and group of channels, over the virtual area."""

    def __init__(self, groups: int, channels: int, epsilon: float = 1e-5) -> None:
        super().__init__(channels, epsilon)
        self.groups = groups

    def __call__(self, x: Any) -> Any:
        return through(
            normalization.group_norm, x, self.groups, self.weight, self.bias, self.epsilon
        )

    def __repr__(self) -> str:
        return f"GroupNorm({self.groups}, {self.channels})"


class InstanceNorm(_Norm):
    """By mean and variance of each sample and channel, over the virtual area."""

    def __call__(self, x: Any) -> Any:
        return through(
            normalization.group_norm, x, self.channels, self.weight, self.bias, self.epsilon
        )


class LayerNorm(_Norm):
    """By mean and variance over the channels, at each position."""

    def __call__(self, x: Any) -> Any:
        return through(normalization.layer_norm, x, self.weight, self.bias, self.epsilon)
