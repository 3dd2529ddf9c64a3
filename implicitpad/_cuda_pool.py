"""Pooling on a device."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._cuda_conv import NULL, fill_array, fill_bits
from ._cuda_device import Device, kernel
from ._cuda_families import GRID_LIMIT
from ._cuda_instances import FLOATS, ORDERED, expression
from ._cuda_params import POOL, strides_of, structure, three
from ._cuda_table import THREADS, firsts, index_table


def pool(device: Device, geometry: Any, input: Any, indices: bool = False) -> tuple[Any, Any]:
    """Pool ``input``: values, and int64 indices of the maxima if wanted; else None."""
    values = device.empty(geometry.out_shape, geometry.dtype)
    index = device.empty(geometry.out_shape, np.dtype(np.int64)) if indices else None
    if not values.size:
        return values, index
    axes, fill = geometry.axes, geometry.fill
    out = three((axis.out for axis in axes), 1)
    params = structure(
        POOL,
        **strides_of(geometry.batched, x=input, y=values),
        fill=fill_bits(fill),
        batch=geometry.batch,
        channels=geometry.channels,
        divisor=geometry.divisor,
        size=three((axis.size for axis in axes), 1),
        kernel=three((axis.kernel for axis in axes), 1),
        stride=three((axis.stride for axis in axes), 1),
        dilation=three((axis.dilation for axis in axes), 1),
        out=out,
        table=firsts(axes),
        fill_per_channel=fill.ndim,
        fill_given=geometry.fill_given,
        count_pad=geometry.count_pad,
    )
    name, largest = geometry.dtype.name, geometry.operation == "max"
    source = "pool_largest" if largest else "pool_mean"
    types = (name, ORDERED[name] if largest else FLOATS[name])
    extra = (NULL if index is None else index,) if largest else ()
    grid = (
        -(-int(np.prod(out, dtype=np.int64)) // THREADS),
        min(geometry.channels, GRID_LIMIT),
        min(geometry.batch, GRID_LIMIT),
    )
    arguments = (
        input, fill_array(device, fill), index_table(device, axes), values, *extra, params
    )  # fmt: skip
    kernel(device, "pool", expression(source, *types))(grid, (THREADS,), arguments)
    return values, index
