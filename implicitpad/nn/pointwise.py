"""Activations and normalisation."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

import numpy as np

from ..padded import normalization
from ..padded.array import PaddedArray
from ..padded.gradients import PaddedGrad
from ..padded.normalization_gradients import (
    Gradients,
    affine_backward,
    batch_norm_backward,
    group_norm_backward,
    layer_norm_backward,
    softmax_backward,
)
from .layer import Elementwise, Layer, Parameters, Pullback
from .layout import Layout, through


class ReLU(Elementwise):
    """max(x, 0)."""

    def slope_at(self, x: Any) -> Any:
        return x > 0

    def __call__(self, x: Any) -> Any:
        return np.maximum(x, 0)


class LeakyReLU(Elementwise):
    """x above 0, `slope` x below."""

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = slope

    def slope_at(self, x: Any) -> Any:
        return np.where(x > 0, x.dtype.type(1), x.dtype.type(self.slope))

    def __call__(self, x: Any) -> Any:
        return np.where(x > 0, x, x * self.slope)


class Sigmoid(Elementwise):
    """1 / (1 + exp(−x)), as a hyperbolic tangent, which does not overflow."""

    def slope_at(self, x: Any) -> Any:
        y = np.tanh(x * 0.5) * 0.5 + 0.5
        return y * (1 - y)

    def __call__(self, x: Any) -> Any:
        return np.tanh(x * 0.5) * 0.5 + 0.5


class Tanh(Elementwise):
    """tanh(x)."""

    def slope_at(self, x: Any) -> Any:
        return 1 - np.tanh(x) ** 2

    def __call__(self, x: Any) -> Any:
        return np.tanh(x)


class SiLU(Elementwise):
    """x · sigmoid(x)."""

    def slope_at(self, x: Any) -> Any:
        y = np.tanh(x * 0.5) * 0.5 + 0.5
        return y * (1 + x * (1 - y))

    def __call__(self, x: Any) -> Any:
        return x * (np.tanh(x * 0.5) * 0.5 + 0.5)


class GELU(Elementwise):
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
        return through(normalization.softmax, x)

    def gradient_rule(self, x: PaddedArray) -> tuple[Any, Pullback]:
        return self(x), lambda grad: (softmax_backward(grad, x), {})


class _Norm(Layer):
    """`weight` and `bias` scale the result, one value for each channel; None is 1 and 0."""

    def __init__(self, channels: int, epsilon: float = 1e-5) -> None:
        self.channels, self.epsilon = channels, epsilon
        self.weight: Any = None
        self.bias: Any = None

    @abstractmethod
    def backward(self, grad: PaddedGrad, x: PaddedArray) -> Gradients:
        """For the input, weight and bias."""

    def gradient_rule(self, x: PaddedArray) -> tuple[Any, Pullback]:
        def pullback(grad: PaddedGrad) -> tuple[PaddedGrad, Parameters]:
            found, weight, bias = self.backward(grad, x)
            parameters = {"weight": weight, "bias": bias}
            return found, {
                (self, name): value
                for name, value in parameters.items()
                if getattr(self, name) is not None
            }

        return self(x), pullback

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

    def backward(self, grad: PaddedGrad, x: PaddedArray) -> Gradients:
        if self.mean is None or self.variance is None:
            return batch_norm_backward(grad, x, self.weight, self.epsilon)
        return affine_backward(grad, x, self.mean, self.variance, self.weight, self.epsilon)


class GroupNorm(_Norm):
    """By mean and variance of each sample and group of channels, over the virtual area."""

    def __init__(self, groups: int, channels: int, epsilon: float = 1e-5) -> None:
        super().__init__(channels, epsilon)
        self.groups = groups

    def __call__(self, x: Any) -> Any:
        return through(
            normalization.group_norm, x, self.groups, self.weight, self.bias, self.epsilon
        )

    def backward(self, grad: PaddedGrad, x: PaddedArray) -> Gradients:
        return group_norm_backward(grad, x, self.groups, self.weight, self.epsilon)

    def __repr__(self) -> str:
        return f"GroupNorm({self.groups}, {self.channels})"


class InstanceNorm(GroupNorm):
    """By mean and variance of each sample and channel, over the virtual area."""

    def __init__(self, channels: int, epsilon: float = 1e-5) -> None:
        super().__init__(channels, channels, epsilon)

    def __repr__(self) -> str:
        return f"InstanceNorm({self.channels})"


class LayerNorm(_Norm):
    """By mean and variance over the channels, at each position."""

    def __call__(self, x: Any) -> Any:
        return through(normalization.layer_norm, x, self.weight, self.bias, self.epsilon)

    def backward(self, grad: PaddedGrad, x: PaddedArray) -> Gradients:
        return layer_norm_backward(grad, x, self.weight, self.epsilon)
