"""Gradients of pooling on a device."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ._conv_cpu import index_table as host_table
from ._cuda_adjoint import sum_rows
from ._cuda_conv import constant
from ._cuda_device import Device, kernel
from ._cuda_families import GRID_LIMIT
from ._cuda_instances import FLOATS, expression
from ._cuda_params import POOL_GRADIENT, strides_of, structure, three
from ._cuda_pool import pool
from ._cuda_table import THREADS, inverse_table

ABSENT = -2  # a virtual position past the padding, where ceil_mode lets a window hang out
BLOCK = (THREADS,)


def max_pool_backward(
    device: Device, geometry: Any, grad_output: Any, input: Any, indices: Any = None
) -> tuple[Any, Any]:
    """Gradients for input and fill: each window's to its maximum, added in their order.

    An element asks the windows that read it, so that no index can lead astray.
    """
    index = pool(device, geometry, input, True)[1] if indices is None else indices
    name = geometry.dtype.name
    readers, starts = _readers(device, geometry.axes, False)
    gradient = device.empty(input.shape, geometry.dtype)
    params = _params(geometry, gradient, grad_output, starts)
    if gradient.size:
        launch = kernel(
            device, "pool_gradients", expression("pool_largest_gradient", name, FLOATS[name])
        )
        launch(_grid(params), BLOCK, (grad_output, index, readers, gradient, params))
    if not geometry.fill_given:
        return gradient, None
    source = expression("pool_largest_fill_gradient", name)
    return gradient, _fill_gradient(device, geometry, source, (grad_output, index), params)


def avg_pool_backward(
    device: Device, geometry: Any, grad_output: Any, input: Any
) -> tuple[Any, Any]:
    """Gradients for input and fill: the adjoint of summing, divided as the means were."""
    types = (geometry.dtype.name, FLOATS[geometry.dtype.name])
    readers, starts = _readers(device, geometry.axes, True)
    counts, firsts = _counts(device, geometry.axes)
    gradient = device.empty(input.shape, geometry.dtype)
    params = _params(geometry, gradient, grad_output, starts, firsts)
    if gradient.size:
        launch = kernel(device, "pool_gradients", expression("pool_mean_gradient", *types))
        launch(_grid(params), BLOCK, (grad_output, readers, counts, gradient, params))
    if not (geometry.count_pad and any(axis.mode == "constant" for axis in geometry.axes)):
        return gradient, None
    source = expression("pool_mean_fill_gradient", *types)
    return gradient, _fill_gradient(device, geometry, source, (grad_output, counts), params)


def _fill_gradient(
    device: Device, geometry: Any, source: str, inputs: tuple[Any, Any], params: np.ndarray
) -> Any:
    """One for each channel, or their sum if the fill is a scalar; summed in float64."""
    each = device.empty((geometry.channels,), np.dtype(np.float64))
    kernel(device, "pool_gradients", source)((geometry.channels,), BLOCK, (*inputs, each, params))
    gradient = device.empty(geometry.fill.shape, geometry.dtype)
    sum_rows(device, each, gradient)
    return gradient


def _params(
    geometry: Any, x: Any, y: Any, readers: tuple[int, ...], counts: tuple[int, ...] = (0, 0, 0)
) -> np.ndarray:
    return structure(
        POOL_GRADIENT,
        **strides_of(geometry.batched, x=x, y=y),
        batch=geometry.batch,
        channels=geometry.channels,
        divisor=geometry.divisor,
        size=three((axis.size for axis in geometry.axes), 1),
        out=three((axis.out for axis in geometry.axes), 1),
        readers=readers,
        counts=counts,
        count_pad=geometry.count_pad,
    )


def _grid(params: np.ndarray) -> tuple[int, ...]:
    return (
        -(-int(np.prod(params["size"], dtype=np.int64)) // THREADS),
        min(int(params["channels"][0]), GRID_LIMIT),
        min(int(params["batch"][0]), GRID_LIMIT),
    )


@functools.lru_cache(maxsize=256)
def _readers(device: Device, axes: tuple[Any, ...], each_tap: bool) -> tuple[Any, tuple[int, ...]]:
    """For every index of every axis, the outputs whose windows read it.

    ``each_tap``: one entry for each tap that reads it, tap by tap; else one for each window.
    """
    lists = [(np.zeros(1, np.int32), np.zeros(1, np.int32))] * (3 - len(axes))
    for axis in axes:
        sources = _sources(axis)
        outputs = np.broadcast_to(np.arange(axis.out)[:, None], sources.shape)
        pairs = np.stack([sources.T.ravel(), outputs.T.ravel()])
        source, reader = pairs if each_tap else np.unique(pairs, axis=1)
        lists.append((source, reader))
    table, starts = inverse_table(lists, three((axis.size for axis in axes), 1))
    return constant(device, table.dtype, table.tobytes()), starts


@functools.lru_cache(maxsize=256)
def _counts(device: Device, axes: tuple[Any, ...]) -> tuple[Any, tuple[int, ...]]:
    """Taps of the windows of every axis: in input and padding, then in the input alone."""
    parts = [np.ones(2, np.int64)] * (3 - len(axes))
    for axis in axes:
        sources = _sources(axis)
        parts += [(sources > ABSENT).sum(axis=1), (sources >= 0).sum(axis=1)]
    # The axes that are missing come first, with one output each.
    starts = np.cumsum([0, *(2 * out for out in three((axis.out for axis in axes), 1)[:2])])
    table = np.concatenate(parts).astype(np.int32)
    return constant(device, table.dtype, table.tobytes()), tuple(starts.tolist())


def _sources(axis: Any) -> np.ndarray:
    """(out, kernel): the index that each tap reads, -1 in the padding, ABSENT past it."""
    reach = (axis.out - 1) * axis.stride + axis.extent
    table = np.asarray(host_table(axis.size, axis.before, reach, axis.mode)).copy()
    table[axis.virtual :] = ABSENT
    return table[np.add.outer(np.arange(axis.out) * axis.stride,
                              np.arange(axis.kernel) * axis.dilation)]  # fmt: skip
