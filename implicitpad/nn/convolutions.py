"""Convolution layers with their weights."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from .. import _backward, _layers
from .._activation import Activation, activation_of
from .._arguments import integer, per_axis
from .._geometry import window_axes
from ..padded.array import PaddedArray
from ..padded.gradients import PaddedGrad
from .layer import Elementwise, Layer, Parameters, Pullback
from .layout import Layout


class _Weighted(Layer):
    """Weights that are drawn when first needed, or set."""

    _shape: tuple[int, ...]
    _fan: int
    _outputs: int

    def _prepare(self, bias: bool, rng: Any, dtype: Any) -> None:
        self._rng, self._dtype, self._has_bias = rng, np.dtype(dtype), bool(bias)
        self._weight: Any = None
        self._bias: Any = None
        self._planned: Any = None

    @property
    def weight(self) -> Any:
        """Shape as for the function of the same name. Read-only: to change it, set a new one.

        A layer packs its weights once, and what is packed must not go stale.
        """
        if self._weight is None:
            self._draw()
        return self._weight

    @weight.setter
    def weight(self, value: Any) -> None:
        if np.shape(value) != self._shape:
            raise ValueError(
                f"nn.{type(self).__name__}: weight must have shape {self._shape}, got "
                f"{np.shape(value)}; pass weights of that shape."
            )
        if self._weight is None:
            self._draw()
        self._weight, self._planned = _frozen(value.copy()), None

    @property
    def bias(self) -> Any:
        """Shape (C_out,), or None."""
        if self._weight is None:
            self._draw()
        return self._bias

    @bias.setter
    def bias(self, value: Any) -> None:
        if value is not None and np.shape(value) != (self._outputs,):
            raise ValueError(
                f"nn.{type(self).__name__}: bias must have shape {(self._outputs,)}, got "
                f"{np.shape(value)}; pass a bias of that shape."
            )
        if self._weight is None:
            self._draw()
        self._bias = None if value is None else _frozen(value.copy())
        self._planned = None

    def _draw(self) -> None:
        """Uniform with variance 2 / fan-in (He et al. 2015), so that ReLUs keep the scale."""
        rng = np.random.default_rng(self._rng)
        limit = math.sqrt(6 / self._fan)
        self._weight = _frozen(rng.uniform(-limit, limit, self._shape).astype(self._dtype))
        if self._has_bias:
            limit = 1 / math.sqrt(self._fan)
            self._bias = _frozen(rng.uniform(-limit, limit, self._outputs).astype(self._dtype))


class _Finish(Elementwise):
    """An activation that a convolution otherwise applies to its own results."""

    def __init__(self, activation: Activation) -> None:
        self.activation = activation

    def __call__(self, x: Any) -> Any:
        slope, low, high = self.activation
        return np.minimum(np.maximum(np.where(x < 0, x * slope, x), low), high)

    def slope_at(self, x: Any) -> Any:
        slope, low, high = self.activation
        inside = (low < x * slope) & (x < high)
        return np.where(inside, np.where(x > 0, x.dtype.type(1), x.dtype.type(slope)), 0)


class _Conv(_Weighted):
    _rank: ClassVar[int]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        fill_value: Any = None,
        padding_mode: Any = "constant",
        precision: str | None = None,
        activation: Any = None,
        rng: Any = None,
        dtype: Any = np.float32,
    ) -> None:
        name = f"nn.{type(self).__name__}"
        self.in_channels = integer(name, "in_channels", in_channels, 1)
        self.out_channels = self._outputs = integer(name, "out_channels", out_channels, 1)
        self.kernel_size = per_axis(name, "kernel_size", kernel_size, self._rank)
        self.groups = integer(name, "groups", groups, 1)
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(
                f"{name}: groups must divide in_channels and out_channels, got groups={groups}, "
                f"in_channels={in_channels}, out_channels={out_channels}; pass groups=1."
            )
        self.stride = per_axis(name, "stride", stride, self._rank)
        self.dilation = per_axis(name, "dilation", dilation, self._rank)
        self.padding, self.padding_mode = padding, padding_mode
        self.activation = tuple(activation) if isinstance(activation, list) else activation
        self._finish = activation_of(name, activation, np.dtype(dtype))
        self._options = {"fill_value": fill_value, "precision": precision}
        self._shape = (self.out_channels, self.in_channels // self.groups, *self.kernel_size)
        self._fan = math.prod(self._shape[1:])
        self._prepare(bias, rng, dtype)

    def __call__(self, x: Any, residual: Any = None) -> Any:
        return self._layer(self.activation)(x, residual=residual)

    def _layer(self, activation: Any) -> Any:
        if self._planned is None:
            self._planned = {}
        if activation not in self._planned:
            self._planned[activation] = getattr(_layers, type(self).__name__)(
                self.weight,
                self.bias,
                self.stride,
                self.padding,
                self.dilation,
                self.groups,
                padding_mode=self.padding_mode,
                activation=activation,
                **self._options,
            )
        return self._planned[activation]

    def linearize(self, x: Any) -> tuple[Any, Pullback]:
        y, through_sums = self._linear(x)
        if self._finish is None:
            return y, through_sums
        z, through_activation = _Finish(self._finish).linearize(y)

        def pullback(grad: Any) -> tuple[Any, Parameters]:
            return through_sums(through_activation(grad)[0])

        return z, pullback

    def _linear(self, x: Any) -> tuple[Any, Pullback]:
        """Without the activation."""
        backward = getattr(_backward, f"conv{self._rank}d_backward")
        seen, fill_value = x, self._options["fill_value"]
        if isinstance(x, PaddedArray) and fill_value is not None:
            # An array's border has this value already; where there is none, the layer makes one.
            seen = x if x.n_pad else PaddedArray(x.core, x.pad, fill_value)
            fill_value = None

        def pullback(grad: Any) -> tuple[Any, Parameters]:
            found = backward(
                grad, seen, self.weight, stride=self.stride, padding=self.padding,
                dilation=self.dilation, groups=self.groups, fill_value=fill_value,
                padding_mode=self.padding_mode,
            )  # fmt: skip
            parameters: Parameters = {(self, "weight"): found.weight}
            if self.bias is not None:
                parameters[self, "bias"] = found.bias
            if seen is x:
                return found.input, parameters
            return PaddedGrad(found.input.core, np.zeros_like(x.fill)), parameters

        return self._layer(None)(x), pullback

    def follow(self, layout: Layout) -> Layout:
        name = f"nn.{type(self).__name__}"
        if layout.rank != self._rank or layout.lead[-1] != self.in_channels:
            raise ValueError(
                f"{name}: input must have {self.in_channels} channels and {self._rank} spatial "
                f"axes, got shape {layout.shape}; pass such an input."
            )
        axes = window_axes(
            name, "kernel", layout.size, self.kernel_size,
            self.stride, self.padding, self.dilation, self.padding_mode,
        )  # fmt: skip
        spans = tuple(
            [
                s.widened(a.before, a.after).windows(a.kernel, a.stride, a.dilation)
                for s, a in zip(layout.spans, axes, strict=True)
            ]
        )
        views = [
            v.through(a.extent, Fraction(a.stride), Fraction(a.extent - 1, 2) - a.before)
            for v, a in zip(layout.views, axes, strict=True)
        ]
        period = [p // math.gcd(p, a.stride) for p, a in zip(layout.period, axes, strict=True)]
        return layout.moved(spans, views, period, self.out_channels)

    def work(self, layout: Layout) -> int:
        return math.prod(self._shape)

    def __repr__(self) -> str:
        parts = [str(self.in_channels), str(self.out_channels), _short(self.kernel_size)]
        for name, plain in (("stride", 1), ("padding", 0), ("dilation", 1), ("groups", 1)):
            value = getattr(self, name)
            if _short(value) != str(plain):
                parts.append(f"{name}={_short(value)}")
        if self.activation is not None:
            parts.append(f"activation={self.activation!r}")
        return f"{type(self).__name__}({', '.join(parts)})"


class Conv1d(_Conv):
    """`implicitpad.conv1d` with its weights; see `Conv2d`."""

    _rank = 1


class Conv2d(_Conv):
    """`implicitpad.conv2d` with its weights.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size : int or (int, int)
    stride, padding, dilation, groups, fill_value, padding_mode, precision
        As for `implicitpad.conv2d`; on a PaddedArray, padding extends it by its own fill.
    activation : None, "relu", ("leaky_relu", slope) or ("clamp", low, high)
        Applied to the results as they are stored, as by `implicitpad.Conv2d`; so is the addition of
        r in ``layer(x, residual=r)``. `linearize` knows the activation; for the gradient of a
        residual use `Residual`.
    bias : bool
        Whether outputs have one.
    rng : seed or numpy.random.Generator, optional
        Where weights are drawn from when first needed; set `weight` and `bias` to have others.
    dtype : dtype
        Of the drawn weights.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> layer = ip.nn.Conv2d(3, 8, 3, stride=2)
    >>> layer(ip.PaddedArray(np.zeros((1, 3, 9, 9), np.float32), 100)).shape
    (1, 8, 104, 104)
    """

    _rank = 2


class Conv3d(_Conv):
    """`implicitpad.conv3d` with its weights; see `Conv2d`."""

    _rank = 3


def _frozen(array: Any) -> Any:
    """Made read-only, where arrays can be."""
    if isinstance(array, np.ndarray):
        array.flags.writeable = False
    return array


def _short(value: Any) -> str:
    """(3, 3) as 3."""
    if isinstance(value, tuple) and len(set(value)) == 1:
        value = value[0]
    return str(value)
