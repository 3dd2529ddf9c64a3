"""Activations and normalisation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..padded import normalization
from ..padded.gradients import PaddedGrad, shared
from ..padded.normalization_gradients import affine_backward, group_norm_backward
from .layer import Layer, Parameters, Pullback
from .layout import Layout, through


class _Activation(Layer):
    """An elementwise function with its derivative."""

    def slope_at(self, x: Any) -> Any:
        """The derivative, of an ordinary array."""
        raise TypeError(f"nn.{type(self).__name__}: an activation must define its derivative.")

    def linearize(self, x: Any) -> tuple[Any, Pullback]:
        def pullback(grad: PaddedGrad) -> tuple[PaddedGrad, Parameters]:
            core = grad.core * self.slope_at(x.core)
            return PaddedGrad(core, shared(grad.fill * self.slope_at(x.fill), x.fill)), {}

        return self(x), pullback


class ReLU(_Activation):
    """max(x, 0)."""

    def slope_at(self, x: Any) -> Any:
        return x > 0

    def __call__(self, x: Any) -> Any:
        return np.maximum(x, 0)


class LeakyReLU(_Activation):
    """x above 0, `slope` x below."""

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = slope

    def slope_at(self, x: Any) -> Any:
        return np.where(x > 0, x.dtype.type(1), x.dtype.type(self.slope))

    def __call__(self, x: Any) -> Any:
        return np.where(x > 0, x, x * self.slope)


class Sigmoid(_Activation):
    """1 / (1 + exp(−x)), as a hyperbolic tangent, which does not overflow."""

    def slope_at(self, x: Any) -> Any:
        y = np.tanh(x * 0.5) * 0.5 + 0.5
        return y * (1 - y)

    def __call__(self, x: Any) -> Any:
        return np.tanh(x * 0.5) * 0.5 + 0.5


class Tanh(_Activation):
    """tanh(x)."""

    def slope_at(self, x: Any) -> Any:
        return 1 - np.tanh(x) ** 2

    def __call__(self, x: Any) -> Any:
        return np.tanh(x)


class SiLU(_Activation):
    """x · sigmoid(x)."""

    def slope_at(self, x: Any) -> Any:
        y = np.tanh(x * 0.5) * 0.5 + 0.5
        return y * (1 + x * (1 - y))

    def __call__(self, x: Any) -> Any:
        return x * (np.tanh(x * 0.5) * 0.5 + 0.5)


class GELU(_Activation):
    """The tanh form of the Gaussian error linear unit (Hendrycks and Gimpel 2016)."""

    def slope_at(self, x: Any) -> Any:
        c = math.sqrt(2 / math.pi)
        y = np.tanh((x * x * 0.044715 + 1.0) * x * c)
        return 0.5 * (1 + y) + 0.5 * x * (1 - y * y) * c * (1 + 3 * 0.044715 * x * x)

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

    def _parameters(self, weight: Any, bias: Any) -> Parameters:
        found: Parameters = {}
        if self.weight is not None:
            found[self, "weight"] = weight
        if self.bias is not None:
            found[self, "bias"] = bias
        return found

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
    """By `mean` and `variance` of each channel; None takes the batch's, over the virtual area."""

    def __init__(self, channels: int, epsilon: float = 1e-5) -> None:
        super().__init__(channels, epsilon)
        self.mean: Any = np.zeros(channels)
        self.variance: Any = np.ones(channels)

    def __call__(self, x: Any) -> Any:
        return through(
            normalization.batch_norm,
            x,
            self.mean,
            self.variance,
            self.weight,
            self.bias,
            self.epsilon,
        )

    def linearize(self, x: Any) -> tuple[Any, Pullback]:
        if self.mean is None or self.variance is None:
            return super().linearize(x)

        def pullback(grad: PaddedGrad) -> tuple[PaddedGrad, Parameters]:
            found, *parameters = affine_backward(
                grad, x, self.mean, self.variance, self.weight, self.epsilon
            )
            return found, self._parameters(*parameters)

        return self(x), pullback


class _GroupNorm(_Norm):
    groups: int

    def linearize(self, x: Any) -> tuple[Any, Pullback]:
        def pullback(grad: PaddedGrad) -> tuple[PaddedGrad, Parameters]:
            found, *parameters = group_norm_backward(
                grad, x, self.groups, self.weight, self.epsilon
            )
            return found, self._parameters(*parameters)

        return self(x), pullback


class GroupNorm(_GroupNorm):
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


class InstanceNorm(_GroupNorm):
    """By mean and variance of each sample and channel, over the virtual area."""

    def __init__(self, channels: int, epsilon: float = 1e-5) -> None:
        super().__init__(channels, epsilon)
        self.groups = channels

    def __call__(self, x: Any) -> Any:
        return through(
            normalization.group_norm, x, self.groups, self.weight, self.bias, self.epsilon
        )


class LayerNorm(_Norm):
    """By mean and variance over the channels, at each position."""

    def __call__(self, x: Any) -> Any:
        return through(normalization.layer_norm, x, self.weight, self.bias, self.epsilon)
