"""Pooling layers."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, ClassVar

from .. import _pool, _pool_average, _pool_average_backward, _pool_backward
from .._arguments import padding_widths, per_axis
from .._geometry import Axis
from .._geometry_pool import pool_axes
from .layer import Layer, Pullback
from .layout import Layout


class _Pool(Layer):
    """Windows that see nothing outside the array."""

    _rank: ClassVar[int]

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> None:
        name = f"nn.{type(self).__name__}"
        self.kernel_size = per_axis(name, "kernel_size", kernel_size, self._rank)
        self.stride = (
            self.kernel_size if stride is None else per_axis(name, "stride", stride, self._rank)
        )
        self.padding = padding_widths(name, padding, self._rank)
        self.dilation = per_axis(name, "dilation", dilation, self._rank)
        self.ceil_mode = ceil_mode

    def _axes(self, x: Any) -> tuple[Axis, ...]:
        """Of a layout or array."""
        return pool_axes(
            f"nn.{type(self).__name__}", self._rank, x, self.kernel_size, self.stride,
            self.padding, self.dilation, self.ceil_mode, "constant",
        )  # fmt: skip

    def follow(self, layout: Layout) -> Layout:
        if layout.rank != self._rank:
            raise ValueError(
                f"nn.{type(self).__name__}: input must have {self._rank} spatial axes, got shape "
                f"{layout.shape}; pass such an input."
            )
        axes = self._axes(layout)
        spans = [
            span.windows(a.kernel, a.stride, a.dilation, a.before, a.out)
            for span, a in zip(layout.spans, axes, strict=True)
        ]
        views = [
            view.through(a.extent, Fraction(a.stride), Fraction(a.extent - 1, 2) - a.before)
            for view, a in zip(layout.views, axes, strict=True)
        ]
        period = [p // math.gcd(p, a.stride) for p, a in zip(layout.period, axes, strict=True)]
        return layout.moved(tuple(spans), views, period)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.kernel_size[0]}, {self.stride[0]})"


class _MaxPool(_Pool):
    def __call__(self, x: Any) -> Any:
        pool = getattr(_pool, f"max_pool{self._rank}d")
        return pool(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)

    def linearize(self, x: Any) -> tuple[Any, Pullback]:
        backward = getattr(_pool_backward, f"max_pool{self._rank}d_backward")
        return self(x), lambda grad: (
            backward(
                grad, x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
            ).input,
            {},
        )


class _AvgPool(_Pool):
    """Averages of what the windows see: positions outside the array do not count."""

    def __call__(self, x: Any) -> Any:
        pool = getattr(_pool_average, f"avg_pool{self._rank}d")
        return pool(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            False,
            dilation=self.dilation,
        )

    def linearize(self, x: Any) -> tuple[Any, Pullback]:
        backward = getattr(_pool_average_backward, f"avg_pool{self._rank}d_backward")
        return self(x), lambda grad: (
            backward(
                grad, x, self.kernel_size, self.stride, self.padding, self.ceil_mode, False,
                dilation=self.dilation,
            ).input,
            {},
        )  # fmt: skip


class MaxPool1d(_MaxPool):
    """Largest element of each window."""

    _rank = 1


class MaxPool2d(_MaxPool):
    """Largest element of each window."""

    _rank = 2


class MaxPool3d(_MaxPool):
    """Largest element of each window."""

    _rank = 3


class AvgPool1d(_AvgPool):
    """Mean of each window."""

    _rank = 1


class AvgPool2d(_AvgPool):
    """Mean of each window."""

    _rank = 2


class AvgPool3d(_AvgPool):
    """Mean of each window."""

    _rank = 3
