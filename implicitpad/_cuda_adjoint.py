"""Transposed convolution and the gradients of convolution on a device."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ._conv_cpu import index_table as host_table
from ._cuda_conv import NULL, constant, fill_array
from ._cuda_device import Device, kernel
from ._cuda_families import GRID_LIMIT
from ._cuda_instances import expression
from ._cuda_params import ADJOINT, strides_of, structure, three
from ._cuda_table import THREADS, firsts, index_table, inverse_table, lengths

BLOCK = (THREADS,)


def _params(
    axes: tuple[Any, ...], x: Any, y: Any, batched: bool, groups: int, tables: tuple[int, ...],
    has_bias: bool = False,
) -> np.ndarray:  # fmt: skip
    """The structure for forward input ``x``, forward output ``y`` and the axes of the windows."""
    in_channels, out_channels = x.shape[batched], y.shape[batched]
    return structure(
        ADJOINT,
        **strides_of(batched, x=x, y=y),
        batch=x.shape[0] if batched else 1,
        in_channels=in_channels,
        out_channels=out_channels,
        in_group=in_channels // groups,
        out_group=out_channels // groups,
        packed_outputs=-(-out_channels // 4) * 4,
        size=three(x.shape[1 + batched :], 1),
        kernel=three((axis.kernel for axis in axes), 1),
        stride=three((axis.stride for axis in axes), 1),
        dilation=three((axis.dilation for axis in axes), 1),
        out=three(y.shape[1 + batched :], 1),
        table=tables,
        has_bias=has_bias,
    )


@functools.lru_cache(maxsize=256)
def _inverse(device: Device, axes: tuple[Any, ...]) -> tuple[Any, tuple[int, ...]]:
    """The inverse of the index map of the axes, on the device."""
    missing = [np.zeros(1, np.int32)] * (3 - len(axes))
    reach = lengths(axes)[3 - len(axes) :]
    sources = missing + [
        np.asarray(host_table(axis.size, axis.before, length, axis.mode))
        for axis, length in zip(axes, reach, strict=True)
    ]
    lists = [(source, np.arange(len(source))) for source in sources]
    table, starts = inverse_table(lists, three((axis.size for axis in axes), 1))
    return constant(device, table.dtype, table.tobytes()), starts


@functools.lru_cache(maxsize=256)
def _shifted(device: Device, axes: tuple[Any, ...]) -> tuple[Any, tuple[int, ...]]:
    """The inverse for transposed axes: output i is virtual position first + i, and no other."""
    sources = [np.zeros(1, np.int32)] * (3 - len(axes))
    for axis in axes:
        source = np.full(max(axis.first + axis.out, 0), -1)
        inside = np.arange(max(-axis.first, 0), axis.out)
        source[axis.first + inside] = inside
        sources.append(source)
    lists = [(source, np.arange(len(source))) for source in sources]
    table, starts = inverse_table(lists, three((axis.out for axis in axes), 1))
    return constant(device, table.dtype, table.tobytes()), starts


def _adjoint(
    device: Device, y: Any, weight: Any, bias: Any, x: Any, compute: np.dtype,
    inverse: Any, params: np.ndarray,
) -> None:  # fmt: skip
    positions = int(np.prod(params["size"], dtype=np.int64))
    types = (y.dtype.name, weight.dtype.name, compute.name, x.dtype.name)
    launch = kernel(device, "conv_adjoint", expression("conv_adjoint", *types))
    grid = (
        -(-positions // THREADS),
        min(int(params["in_channels"][0]), GRID_LIMIT),
        min(int(params["batch"][0]), GRID_LIMIT),
    )
    launch(grid, BLOCK, (y, weight, NULL if bias is None else bias, inverse, x, params))


def conv_transpose(device: Device, geometry: Any, input: Any, packed: Any, out: Any = None) -> Any:
    """Transposed convolution of ``input`` with weights of shape (C_in, C_out / groups, *kernel)."""
    output = device.empty(geometry.out_shape, geometry.out_dtype) if out is None else out
    if output.size:
        inverse, starts = _shifted(device, geometry.axes)
        params = _params(
            geometry.axes, output, input, geometry.batched, geometry.groups, starts,
            packed.bias is not None,
        )  # fmt: skip
        _adjoint(
            device, input, packed.weight, packed.bias, output, geometry.compute, inverse, params
        )
    return output


def input_gradient(device: Device, geometry: Any, grad_output: Any, packed: Any) -> Any:
    """Gradient for the input, given that for the output; any boundary mode."""
    gradient = device.empty(geometry.in_shape, geometry.dtype)
    if gradient.size:
        inverse, starts = _inverse(device, geometry.axes)
        params = _params(
            geometry.axes, gradient, grad_output, geometry.batched, geometry.groups, starts
        )
        _adjoint(
            device, grad_output, packed.weight, None, gradient, geometry.compute, inverse, params
        )
    return gradient


def weight_gradient(device: Device, geometry: Any, grad_output: Any, input: Any) -> Any:
    """Gradient for the weights, shape (C_out, C_in / groups, *kernel)."""
    kernel_sizes = tuple(axis.kernel for axis in geometry.axes)
    in_group = geometry.in_channels // geometry.groups
    gradient = device.empty((geometry.out_channels, in_group, *kernel_sizes), geometry.weight_dtype)
    fill = geometry.fill if geometry.fill.ndim else np.full(geometry.in_channels, geometry.fill)
    params = _forward_params(geometry, input, grad_output)
    types = (geometry.dtype.name, geometry.compute.name)
    launch = kernel(device, "conv_gradients", expression("conv_weight_gradient", *types))
    launch(
        (in_group * int(np.prod(kernel_sizes)), min(geometry.out_channels, GRID_LIMIT)),
        BLOCK,
        (grad_output, input, fill_array(device, fill), index_table(device, geometry.axes),
         gradient, params),
    )  # fmt: skip
    return gradient


def bias_gradient(device: Device, geometry: Any, grad_output: Any) -> Any:
    """Gradient for the bias, shape (C_out,)."""
    gradient = device.empty((geometry.out_channels,), geometry.dtype)
    params = _forward_params(geometry, grad_output, grad_output)
    _sums(device, grad_output, gradient, geometry.compute, params)
    return gradient


def fill_gradient(device: Device, geometry: Any, grad_output: Any, packed: Any) -> Any:
    """Gradient for the fill value: one for each channel, or their sum if the fill is a scalar."""
    scalar = geometry.fill.ndim == 0
    channels, compute = geometry.in_channels, geometry.compute
    gradient = device.empty((channels,), compute if scalar else geometry.dtype)
    params = _forward_params(geometry, grad_output, grad_output)
    params["in_channels"], params["in_group"] = channels, channels // geometry.groups
    types = (geometry.dtype.name, compute.name, gradient.dtype.name)
    launch = kernel(device, "conv_gradients", expression("conv_fill_gradient", *types))
    table = index_table(device, geometry.axes)
    launch((channels,), BLOCK, (grad_output, packed.weight, table, gradient, params))
    if not scalar:
        return gradient
    total = device.empty((), geometry.dtype)
    sum_rows(device, gradient, total)
    return total


def sum_rows(device: Device, values: Any, sums: Any) -> None:
    """Sums of the rows of a contiguous (sums.size, n) array; the type of `values` is summed in."""
    line = structure(ADJOINT, **dict.fromkeys(ADJOINT.names or (), 0))
    n = values.size // sums.size
    line["batch"], line["out"], line["y_channel"], line["y_axis"] = 1, (1, 1, n), n, (0, 0, 1)
    _sums(device, values, sums, values.dtype, line)


def _forward_params(geometry: Any, x: Any, y: Any) -> np.ndarray:
    return _params(geometry.axes, x, y, geometry.batched, geometry.groups, firsts(geometry.axes))


def _sums(
    device: Device, values: Any, sums: Any, compute: np.dtype, params: np.ndarray
) -> None:  # fmt: skip
    types = (values.dtype.name, compute.name, sums.dtype.name)
    launch = kernel(device, "conv_gradients", expression("conv_bias_gradient", *types))
    launch((sums.size,), BLOCK, (values, sums, params))
