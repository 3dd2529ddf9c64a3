"""Pooling layers."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, ClassVar

from .. import _pool
from .._arguments import padding_widths, per_axis
from ..padded.pooling import pooled_size
from .layer import Layer
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
        self.stride = self.kernel_size if stride is None else per_axis(name, "stride", stride, self._rank)
        self.padding = padding_widths(name, padding, self._rank)
        self.dilation = per_axis(name, "dilation", dilation, self._rank)
        self.ceil_mode = ceil_mode

    def follow(self, layout: Layout) -> Layout:
        if layout.rank != self._rank:
            raise ValueError(
                f"nn.{type(self).__name__}: input must have {self._rank} spatial axes, got shape "
                f"{layout.shape}; pass such an input."
            )
        spans, views, period = [], [], []
        for span, view, length, f, st, d, widths in zip(
            layout.spans, layout.views, layout.period,
            self.kernel_size, self.stride, self.dilation, self.padding, strict=True,
        ):  # fmt: skip
            count = pooled_size(span.total, f, st, d, widths, self.ceil_mode)
            extent = d * (f - 1) + 1
            if count < 1:
                raise ValueError(
                    f"nn.{type(self).__name__}: the kernel spans {extent} but input has shape "
                    f"{layout.shape}; pass a larger input."
                )
            spans.append(span.windows(f, st, d, widths[0], count))
            views.append(view.through(extent, Fraction(st), Fraction(extent - 1, 2) - widths[0]))
            period.append(length // math.gcd(length, st))
        return layout.moved(tuple(spans), views, period)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.kernel_size[0]}, {self.stride[0]})"


class _MaxPool(_Pool):
    def __call__(self, x: Any) -> Any:
        pool = getattr(_pool, f"max_pool{self._rank}d")
        return pool(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)


class _AvgPool(_Pool):
    """Averages of what the windows see: positions outside the array do not count."""

    def __call__(self, x: Any) -> Any:
        pool = getattr(_pool, f"avg_pool{self._rank}d")
        return pool(
            x, self.kernel_size, self.stride, self.padding, self.ceil_mode, False, dilation=self.dilation
        )


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
