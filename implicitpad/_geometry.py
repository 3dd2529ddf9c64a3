"""Geometry of window operations: every check of a call, before anything is allocated."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._arguments import (
    INDEX_MAX,
    arithmetic,
    boundary_modes,
    fill_of,
    integer,
    is_cupy,
    named_padding,
    padding_widths,
    per_axis,
)
from ._precision import precision_of


@dataclass(frozen=True, slots=True)
class Axis:
    """One spatial axis of a window operation.

    Tap k of output i reads element i * stride + k * dilation of the padded axis.
    """

    size: int
    kernel: int
    stride: int
    dilation: int
    before: int  # padding widths; negative ones crop
    after: int
    mode: str

    @property
    def extent(self) -> int:
        """What one window spans."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def virtual(self) -> int:
        """Size with the padding."""
        return self.before + self.size + self.after

    @property
    def out(self) -> int:
        return (self.before + self.size + self.after - self.extent) // self.stride + 1


@dataclass(frozen=True, slots=True, eq=False)
class ConvGeometry:
    """A checked convolution: everything a backend has to know but the data."""

    function: str  # public name, for messages
    batched: bool
    batch: int  # 1 when unbatched
    in_channels: int
    out_channels: int
    groups: int
    axes: tuple[Axis, ...]
    fill: np.ndarray[Any, Any]  # read-only, shape () or (in_channels,), dtype of the input
    dtype: np.dtype[Any]
    weight_dtype: np.dtype[Any]
    compute: np.dtype[Any]
    out_dtype: np.dtype[Any]
    precision: str

    @property
    def in_shape(self) -> tuple[int, ...]:
        core = (self.in_channels, *(axis.size for axis in self.axes))
        return (self.batch, *core) if self.batched else core

    @property
    def out_shape(self) -> tuple[int, ...]:
        core = (self.out_channels, *(axis.out for axis in self.axes))
        return (self.batch, *core) if self.batched else core


def conv_geometry(
    function: str,
    rank: int,
    input: Any,
    weight: Any,
    bias: Any,
    *,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
    fill_value: Any,
    padding_mode: Any,
    precision: Any,
    out: Any,
) -> ConvGeometry:
    """Check a convolution of arrays (anything with shape and dtype) and resolve its arguments."""
    batched, batch, channels = check_input(function, rank, input)
    groups = integer(function, "groups", groups, 1)
    check_weight(function, rank, weight, bias, groups)
    check_channels(function, input, weight, groups, channels)
    axes = window_axes(
        function,
        "weight",
        input.shape[-rank:],
        weight.shape[2:],
        stride,
        padding,
        dilation,
        padding_mode,
    )
    compute, out_dtype = check_dtypes(function, input, weight, bias)
    geometry = ConvGeometry(
        function,
        batched,
        batch,
        channels,
        weight.shape[0],
        groups,
        axes,
        fill_of(function, fill_value, input.dtype, channels, tuple(axis.mode for axis in axes)),
        input.dtype,
        weight.dtype,
        compute,
        out_dtype,
        precision_of(function, precision),
    )
    check_size(function, geometry.out_shape, out_dtype)
    if out is not None:
        check_out(
            function, out, geometry.out_shape, out_dtype, input=input, weight=weight, bias=bias
        )
    return geometry


def layer_options(
    function: str,
    rank: int,
    weight: Any,
    bias: Any,
    *,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
    padding_mode: Any,
    precision: Any,
) -> dict[str, Any]:
    """Check and canonicalise what can be told of a convolution before its input is known."""
    groups = integer(function, "groups", groups, 1)
    check_weight(function, rank, weight, bias, groups)
    arithmetic(function, "weight", weight.dtype)
    check_dtypes(function, weight, weight, bias)
    strides = per_axis(function, "stride", stride, rank)
    dilations = per_axis(function, "dilation", dilation, rank)
    if isinstance(padding, str):
        named_padding(function, padding, (1,) * rank, (1,) * rank, strides)
    else:
        padding = padding_widths(function, padding, rank)
    return {
        "stride": strides,
        "padding": padding,
        "dilation": dilations,
        "groups": groups,
        "padding_mode": boundary_modes(function, padding_mode, rank),
        "precision": precision_of(function, precision),
    }


def check_input(function: str, rank: int, input: Any) -> tuple[bool, int, int]:
    """(batched, batch, channels) of an array (N, C, *spatial) or (C, *spatial)."""
    shape = input.shape
    batched = len(shape) == rank + 2
    if not batched and len(shape) != rank + 1:
        letters = ", ".join("DHW"[-rank:]) if rank > 1 else "L"
        raise ValueError(
            f"{function}: input must have shape (N, C, {letters}) or (C, {letters}), "
            f"got {len(shape)} axes, input.shape={shape}; add or remove axes."
        )
    channels = shape[1] if batched else shape[0]
    if not channels:
        raise ValueError(
            f"{function}: input must have at least 1 channel, got input.shape={shape}; "
            f"channels are axis {int(batched)}; pass an input with channels."
        )
    if max(shape) > INDEX_MAX:
        raise ValueError(
            f"{function}: no axis of input may be longer than {INDEX_MAX}, got "
            f"input.shape={shape}; split the input."
        )
    return batched, shape[0] if batched else 1, channels


def check_weight(function: str, rank: int, weight: Any, bias: Any, groups: int) -> None:
    """What can be told of weight and bias without the input."""
    shape = weight.shape
    if len(shape) != rank + 2:
        raise ValueError(
            f"{function}: weight must have {rank + 2} axes (C_out, C_in/groups, then the kernel), "
            f"got {len(shape)}, weight.shape={shape}; add or remove axes."
        )
    if not all(shape):
        raise ValueError(
            f"{function}: no axis of weight may be empty, got weight.shape={shape}; "
            "pass at least 1 filter, channel and tap."
        )
    if max(shape) > INDEX_MAX:
        raise ValueError(
            f"{function}: no axis of weight may be longer than {INDEX_MAX}, got "
            f"weight.shape={shape}; split the weight."
        )
    if shape[0] % groups:
        raise ValueError(
            f"{function}: groups must divide the output channels, got groups={groups} and "
            f"weight.shape={shape}; pass groups=1 or a divisor of {shape[0]}."
        )
    if bias is not None and bias.shape != shape[:1]:
        raise ValueError(
            f"{function}: bias must have shape {shape[:1]}, one value for each output channel, "
            f"got {bias.shape}; weight.shape={shape}; pass a bias of that shape."
        )


def check_channels(function: str, input: Any, weight: Any, groups: int, channels: int) -> None:
    """Input and weight must agree on C_in."""
    filters, own = weight.shape[:2]
    if own * groups != channels:
        shapes = f"input.shape={input.shape}, weight.shape={weight.shape}, groups={groups}"
        fitting, rest = divmod(channels, own)
        if rest == 0 and filters % fitting == 0:
            fix = f"pass groups={fitting}"
        elif channels % groups == 0:
            fix = f"pass a weight with {channels // groups} on axis 1"
        else:
            fix = f"pass an input with {own * groups} channels"
        each = f" in each of {groups} groups" if groups > 1 else ""
        raise ValueError(
            f"{function}: weight has {own} input channels{each} but input has {channels} "
            f"(axis 1 of weight is C_in/groups); {shapes}; {fix}."
        )


def window_axes(
    function: str,
    kernel_name: str,
    sizes: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: Any,
    padding: Any,
    dilation: Any,
    padding_mode: Any,
    axis_type: Callable[..., Axis] = Axis,
) -> tuple[Axis, ...]:
    """The axes of windows of shape `kernel` sliding over `sizes`, all arguments checked."""
    rank = len(sizes)
    strides = per_axis(function, "stride", stride, rank)
    dilations = per_axis(function, "dilation", dilation, rank)
    modes = boundary_modes(function, padding_mode, rank)
    if isinstance(padding, str):
        extents = [d * (f - 1) + 1 for d, f in zip(dilations, kernel, strict=True)]
        widths = named_padding(function, padding, sizes, extents, strides)
    else:
        widths = padding_widths(function, padding, rank)
    axes = tuple(
        [
            axis_type(size, f, s, d, before, after, mode)
            for size, f, s, d, (before, after), mode in zip(
                sizes, kernel, strides, dilations, widths, modes, strict=True
            )
        ]
    )
    for index, axis in enumerate(axes):
        if axis.size == 0 and axis.mode != "constant":
            raise ValueError(
                f"{function}: padding_mode {axis.mode!r} needs at least one element, got spatial "
                f"axis {index} of size 0, spatial shape {sizes}; pass padding_mode='constant'."
            )
        if axis.out < 1:
            raise ValueError(
                f"{function}: {kernel_name} spans {axis.extent} on spatial axis {index} but input "
                f"with padding has {axis.virtual} there (kernel {axis.kernel}, dilation "
                f"{axis.dilation}, size {axis.size}, padding {(axis.before, axis.after)}); pass a "
                f"padding at least {max(1, axis.extent - axis.virtual)} wider in total."
            )
        if axis.virtual > INDEX_MAX:
            raise ValueError(
                f"{function}: padding makes spatial axis {index} longer than {INDEX_MAX}: got size "
                f"{axis.size} and padding {(axis.before, axis.after)}; pass smaller widths."
            )
    return axes


def check_dtypes(
    function: str, input: Any, weight: Any, bias: Any
) -> tuple[np.dtype[Any], np.dtype[Any]]:
    """The types to compute in and to store; input, weight and bias must go together."""
    compute, out = arithmetic(function, "input", input.dtype)
    if weight.dtype != input.dtype:
        arithmetic(function, "weight", weight.dtype)
        if not input.dtype.itemsize == weight.dtype.itemsize == 1:
            raise TypeError(
                f"{function}: input and weight must have one dtype (int8 and uint8 may mix), got "
                f"input {input.dtype} and weight {weight.dtype}; convert with "
                "weight.astype(input.dtype)."
            )
    if bias is not None:
        allowed = (out,) if input.dtype.itemsize == 1 else (input.dtype, compute, out)
        if bias.dtype not in allowed:
            names = " or ".join(dict.fromkeys(dtype.name for dtype in allowed))
            raise TypeError(
                f"{function}: bias must have dtype {names} with input {input.dtype}, got "
                f"{bias.dtype}; convert with bias.astype({allowed[0].name!r})."
            )
    return compute, out


def check_size(function: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """An array of `shape` must be addressable."""
    size = dtype.itemsize
    for length in shape:
        size *= length
    if size > sys.maxsize:
        raise ValueError(
            f"{function}: out would have shape {shape}, more bytes than can be addressed; "
            "pass a smaller padding, a larger stride, or split the input."
        )


def check_out(
    function: str, out: Any, shape: tuple[int, ...], dtype: np.dtype[Any], **read: Any
) -> None:
    """`out` must be exactly what would be allocated, writeable, and apart from what is read."""
    if out.dtype != dtype:
        raise TypeError(
            f"{function}: out must have dtype {dtype}, got {out.dtype}; "
            "pass an array of that dtype."
        )
    if out.shape != shape:
        raise ValueError(
            f"{function}: out must have shape {shape}, got {out.shape}; "
            "pass an array of that shape."
        )
    if not getattr(out.flags, "writeable", True):
        raise ValueError(f"{function}: out must be writeable, got a read-only array; pass a copy.")
    reach = out.dtype.itemsize
    for stride, length in sorted(zip(map(abs, out.strides), out.shape, strict=True)):
        if length > 1 and stride < reach:
            raise ValueError(
                f"{function}: elements of out must not share memory, got strides {out.strides} for "
                f"shape {out.shape}; pass a copy."
            )
        reach += stride * max(length - 1, 0)
    low, high = byte_bounds(out)
    for name, array in read.items():
        if array is not None and out.size:
            start, end = byte_bounds(array)
            if start < high and low < end and array.size:
                raise ValueError(
                    f"{function}: out must not share memory with {name}, got overlapping arrays of "
                    f"shapes {out.shape} and {array.shape}; pass another array, or {name}.copy()."
                )


def check_residual(
    function: str, residual: Any, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> None:
    """What is added to a result must be like it."""
    if residual.dtype != dtype:
        raise TypeError(
            f"{function}: residual must have the result's dtype {dtype}, got {residual.dtype}; "
            f"convert with residual.astype({dtype.name!r})."
        )
    if tuple(residual.shape) != shape:
        raise ValueError(
            f"{function}: residual must have the result's shape {shape}, got {residual.shape}; "
            "pass an array of that shape."
        )


def byte_bounds(array: Any) -> tuple[int, int]:
    """First byte of an array on either device, and one past its last."""
    low = high = array.data.ptr if is_cupy(array) else array.__array_interface__["data"][0]
    for stride, length in zip(array.strides, array.shape, strict=True):
        if length > 1:
            low += min(stride * (length - 1), 0)
            high += max(stride * (length - 1), 0)
    return low, high + array.dtype.itemsize
