"""Transposed convolution layers."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, ClassVar, NamedTuple

import numpy as np

from .. import _backward, _conv, _transpose
from .._arguments import integer, padding_widths, per_axis
from .._geometry_transpose import TransposeGeometry, transpose_geometry
from ..padded.array import PaddedArray
from ..padded.gradients import PaddedGrad
from ..padded.spans import Span
from ..padded.window_gradients import transpose_backward
from .convolutions import _short, _Weighted
from .layer import Parameters, Pullback
from .layout import Layout


class _Array(NamedTuple):
    """What the checks of a call read."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class _ConvTranspose(_Weighted):
    _rank: ClassVar[int]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        *,
        rng: Any = None,
        dtype: Any = np.float32,
    ) -> None:
        name = f"nn.{type(self).__name__}"
        self.in_channels = integer(name, "in_channels", in_channels, 1)
        self.out_channels = self._outputs = integer(name, "out_channels", out_channels, 1)
        self.kernel_size = per_axis(name, "kernel_size", kernel_size, self._rank)
        self.groups = integer(name, "groups", groups, 1)
        self.stride = per_axis(name, "stride", stride, self._rank)
        self.dilation = per_axis(name, "dilation", dilation, self._rank)
        self.padding = padding_widths(name, padding, self._rank)
        self.output_padding = output_padding
        self._shape = (self.in_channels, self.out_channels // self.groups, *self.kernel_size)
        taps = math.prod(-(-f // s) for f, s in zip(self.kernel_size, self.stride, strict=True))
        self._fan = max(1, self.in_channels // self.groups * taps)
        self._prepare(bias, rng, dtype)

    def __call__(self, x: Any) -> Any:
        if self._planned is None:
            self._planned = {}
        return _transpose._conv_transpose(
            f"conv_transpose{self._rank}d", self._rank, x, self.weight, self.bias, self.stride,
            self.padding, self.output_padding, self.groups, self.dilation, self._planned,
        )  # fmt: skip

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_planned": None}  # packed weights are this process's own

    def gradient_rule(self, x: PaddedArray) -> tuple[Any, Pullback]:
        rank = self._rank
        convolve = getattr(_conv, f"conv{rank}d")
        backward = getattr(_backward, f"conv{rank}d_backward")
        options = {"stride": self.stride, "dilation": self.dilation, "groups": self.groups}

        def run(grad: Any, array: Any, crop: Any) -> tuple[Any, Any]:
            # The transpose of a transposed convolution is the convolution with the same weights.
            inner = convolve(grad, self.weight, padding=crop, **options)
            needs = ("weight",)
            found = backward(array, grad, self.weight, padding=crop, needs=needs, **options)
            return inner, found.weight

        def pullback(grad: PaddedGrad) -> tuple[PaddedGrad, Parameters]:
            found, weight, bias = transpose_backward(self._geometry(x), grad, x, run)
            parameters: Parameters = {(self, "weight"): weight}
            if self.bias is not None:
                parameters[self, "bias"] = bias
            return found, parameters

        return self(x), pullback

    def _geometry(self, x: Any) -> TransposeGeometry:
        """Of a layout or array."""
        return transpose_geometry(
            f"nn.{type(self).__name__}",
            self._rank,
            _Array(x.shape, self._dtype),
            _Array(self._shape, self._dtype),
            None,
            stride=self.stride,
            padding=self.padding,
            output_padding=self.output_padding,
            groups=self.groups,
            dilation=self.dilation,
        )

    def follow(self, layout: Layout) -> Layout:
        axes = self._geometry(layout).axes
        if all(span.size == span.total for span in layout.spans):
            spans = tuple([Span(0, a.out, 0) for a in axes])
        else:
            spans = tuple(
                [
                    span.spread(a.kernel, a.stride, a.dilation, a.first, a.out)
                    for span, a in zip(layout.spans, axes, strict=True)
                ]
            )
        views = [
            view.through(
                -(-a.extent // a.stride),
                Fraction(1, a.stride),
                (a.first - Fraction(a.extent - 1, 2)) / a.stride,
            )
            for view, a in zip(layout.views, axes, strict=True)
        ]
        period = [p * a.stride for p, a in zip(layout.period, axes, strict=True)]
        return layout.moved(spans, views, period, self.out_channels)

    def work(self, layout: Layout) -> Fraction:
        return Fraction(math.prod(self._shape), math.prod(self.stride))

    def __repr__(self) -> str:
        parts = (self.in_channels, self.out_channels, self.kernel_size, self.stride)
        return f"{type(self).__name__}({', '.join(map(_short, parts))})"


class ConvTranspose1d(_ConvTranspose):
    """`implicitpad.conv_transpose1d` with its weights; see `ConvTranspose2d`."""

    _rank = 1


class ConvTranspose2d(_ConvTranspose):
    """`implicitpad.conv_transpose2d` with its weights.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size : int or (int, int)
    stride, padding, output_padding, groups, dilation
        As for `implicitpad.conv_transpose2d`.
    bias, rng, dtype
        As for `Conv2d`.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> double = ip.nn.ConvTranspose2d(3, 8, 2, stride=2)
    >>> double(ip.PaddedArray(np.zeros((1, 3, 9, 9), np.float32), 100)).shape
    (1, 8, 418, 418)
    """

    _rank = 2


class ConvTranspose3d(_ConvTranspose):
    """`implicitpad.conv_transpose3d` with its weights; see `ConvTranspose2d`."""

    _rank = 3
