"""Geometry of transposed convolutions and of gradients: every check of a call."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._arguments import INDEX_MAX, integer, padding_widths, per_axis
from ._geometry import (
    ConvGeometry,
    check_dtypes,
    check_input,
    check_size,
    conv_geometry,
)


@dataclass(frozen=True, slots=True)
class TransposeAxis:
    """One spatial axis of a transposed window operation.

    Input i, tap k adds to position i * stride + k * dilation; outputs are positions
    first ... first + out - 1.
    """

    size: int
    kernel: int
    stride: int
    dilation: int
    first: int
    out: int

    @property
    def extent(self) -> int:
        """What one window spans."""
        return self.dilation * (self.kernel - 1) + 1


@dataclass(frozen=True, slots=True, eq=False)
class TransposeGeometry:
    """A checked transposed convolution: everything a backend has to know but the data."""

    function: str  # public name, for messages
    batched: bool
    batch: int  # 1 when unbatched
    in_channels: int
    out_channels: int
    groups: int
    axes: tuple[TransposeAxis, ...]
    dtype: np.dtype[Any]
    weight_dtype: np.dtype[Any]
    compute: np.dtype[Any]
    out_dtype: np.dtype[Any]

    @property
    def out_shape(self) -> tuple[int, ...]:
        core = (self.out_channels, *(axis.out for axis in self.axes))
        return (self.batch, *core) if self.batched else core


def transpose_geometry(
    function: str,
    rank: int,
    input: Any,
    weight: Any,
    bias: Any,
    *,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: Any,
    dilation: Any,
) -> TransposeGeometry:
    """Check a transposed convolution of arrays and resolve its arguments."""
    batched, batch, channels = check_input(function, rank, input)
    groups = integer(function, "groups", groups, 1)
    _check_transposed_weight(function, rank, input, weight, groups, channels)
    strides = per_axis(function, "stride", stride, rank)
    dilations = per_axis(function, "dilation", dilation, rank)
    widths = padding_widths(function, padding, rank)
    extra = per_axis(function, "output_padding", output_padding, rank, least=0)
    axes = tuple(
        [
            _transpose_axis(function, index, *numbers)
            for index, numbers in enumerate(
                zip(
                    input.shape[-rank:],
                    weight.shape[2:],
                    strides,
                    dilations,
                    widths,
                    extra,
                    strict=True,
                )
            )
        ]
    )
    compute, out_dtype = check_dtypes(function, input, weight, bias)
    out_channels = weight.shape[1] * groups
    if bias is not None and bias.shape != (out_channels,):
        raise ValueError(
            f"{function}: bias must have shape {(out_channels,)}, one value for each output "
            f"channel, got {bias.shape}; weight.shape={weight.shape}; pass a bias of that shape."
        )
    geometry = TransposeGeometry(
        function,
        batched,
        batch,
        channels,
        out_channels,
        groups,
        axes,
        input.dtype,
        weight.dtype,
        compute,
        out_dtype,
    )
    check_size(function, geometry.out_shape, out_dtype)
    return geometry


def _check_transposed_weight(
    function: str, rank: int, input: Any, weight: Any, groups: int, channels: int
) -> None:
    shape = weight.shape
    shapes = f"input.shape={input.shape}, weight.shape={shape}"
    if len(shape) != rank + 2:
        raise ValueError(
            f"{function}: weight must have {rank + 2} axes (C_in, C_out/groups, then the kernel), "
            f"got {len(shape)}; {shapes}; add or remove axes."
        )
    if not all(shape) or max(shape) > INDEX_MAX:
        raise ValueError(
            f"{function}: every axis of weight must have 1 to {INDEX_MAX} elements, got "
            f"weight.shape={shape}; pass at least 1 channel, filter and tap."
        )
    if shape[0] != channels:
        raise ValueError(
            f"{function}: weight is for {shape[0]} input channels but input has {channels} "
            f"(axis 0 of weight must be C_in); {shapes}; pass a weight with {channels} on axis 0."
        )
    if channels % groups:
        raise ValueError(
            f"{function}: groups must divide the channels, got groups={groups} and input with "
            f"{channels} input channels; {shapes}; pass groups=1 or a divisor of {channels}."
        )


def _transpose_axis(
    function: str,
    index: int,
    size: int,
    kernel: int,
    stride: int,
    dilation: int,
    width: tuple[int, int],
    extra: int,
) -> TransposeAxis:
    before, after = width
    if extra and extra >= max(stride, dilation):
        raise ValueError(
            f"{function}: output_padding must be smaller than stride or dilation, got {extra} "
            f"on spatial axis {index} with stride {stride} and dilation {dilation}; "
            "pass output_padding=0."
        )
    out = (size - 1) * stride + dilation * (kernel - 1) + 1 - before - after + extra
    if size == 0:
        raise ValueError(
            f"{function}: every spatial axis of input must have at least 1 element, got axis "
            f"{index} of size 0; pass an input with elements."
        )
    if out < 1:
        raise ValueError(
            f"{function}: padding {(before, after)} crops all of spatial axis {index} "
            f"(size {size}, kernel {kernel}, stride {stride}, dilation {dilation}), "
            f"got an output of size {out}; "
            f"pass a padding at least {1 - out} narrower in total."
        )
    if out > INDEX_MAX or abs(before) + out > INDEX_MAX:
        raise ValueError(
            f"{function}: spatial axis {index} of the output would be longer than "
            f"{INDEX_MAX}, got size {size}, stride {stride}, padding {(before, after)}; "
            "split the input."
        )
    return TransposeAxis(size, kernel, stride, dilation, before, out)


GRADIENTS = ("input", "weight", "bias", "fill_value")


def backward_geometry(
    function: str,
    rank: int,
    grad_output: Any,
    input: Any,
    weight: Any,
    needs: Any,
    *,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
    fill_value: Any,
    padding_mode: Any,
    precision: Any,
) -> ConvGeometry:
    """Check a convolution's gradient: the convolution, then what came back for its output."""
    geometry = conv_geometry(
        function,
        rank,
        input,
        weight,
        None,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        fill_value=fill_value,
        padding_mode=padding_mode,
        precision=precision,
        out=None,
    )
    if geometry.compute.kind != "f":
        raise TypeError(
            f"{function}: gradients are for floats, got input of dtype {input.dtype}; "
            "convert with input.astype('float32')."
        )
    if grad_output.dtype != geometry.out_dtype:
        raise TypeError(
            f"{function}: grad_output must have the dtype of the output, {geometry.out_dtype}, got "
            f"{grad_output.dtype}; convert with grad_output.astype({geometry.out_dtype.name!r})."
        )
    if grad_output.shape != geometry.out_shape:
        raise ValueError(
            f"{function}: grad_output must have the shape of the output, {geometry.out_shape}, got "
            f"{grad_output.shape}; input.shape={input.shape}, weight.shape={weight.shape}; "
            "pass the arguments of the forward call."
        )
    if isinstance(needs, str) or not isinstance(needs, Collection):
        raise TypeError(
            f"{function}: needs must be a collection of names out of {GRADIENTS}, got {needs!r}; "
            "leave it out for all of them."
        )
    unknown = [name for name in needs if name not in GRADIENTS]
    if unknown:
        raise ValueError(
            f"{function}: needs must name gradients out of {GRADIENTS}, got {unknown[0]!r}; "
            "leave it out for all of them."
        )
    return geometry
