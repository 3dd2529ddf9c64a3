"""Whole planes on a device: their mean and maximum, means of their parts, and padded copies."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._cuda_device import Device, kernel
from ._cuda_families import GRID_LIMIT
from ._cuda_instances import FLOATS, ORDERED, expression
from ._cuda_params import PLANE, strides_of, structure, three
from ._cuda_pool import pool
from ._cuda_table import THREADS
from ._geometry_pool import PoolGeometry


def global_pool(device: Device, operation: str, x: Any) -> Any:
    """The mean or maximum over the spatial axes of (N, C, *spatial), as (N, C)."""
    if x.ndim > 5:
        x = x.reshape(*x.shape[:2], -1)
    y = device.empty(x.shape[:2], x.dtype)
    if y.size:
        name = x.dtype.name
        types = (name,) if operation == "mean" else (name, ORDERED[name])
        source = {"mean": "plane_mean", "max": "plane_largest"}[operation]
        launch = kernel(device, "pool_planes", expression(source, *types))
        grid = (x.shape[1], min(x.shape[0], GRID_LIMIT))
        launch(grid, (THREADS,), (x, y, _params(x, y, True, ())))
    return y


def adaptive_mean(device: Device, x: Any, sizes: tuple[int, ...]) -> Any:
    """Means of the parts of the last axes of (N, C, *spatial) or (C, *spatial)."""
    rank = len(sizes)
    batched = x.ndim == rank + 2
    y = device.empty((*x.shape[:-rank], *sizes), x.dtype)
    if y.size:
        types = (x.dtype.name, FLOATS[x.dtype.name])
        launch = kernel(device, "pool_planes", expression("adaptive_mean", *types))
        params = _params(x, y, batched, sizes)
        grid = (
            -(-math.prod(sizes) // THREADS),
            min(int(params["channels"][0]), GRID_LIMIT),
            min(int(params["batch"][0]), GRID_LIMIT),
        )
        launch(grid, (THREADS,), (x, y, params))
    return y


def pad(device: Device, x: Any, axes: tuple[Any, ...], fill: Any) -> Any:
    """The explicitly padded copy, of one to three axes: pooling by windows of one element."""
    rank = len(axes)
    lead = x.shape[: x.ndim - rank]
    planes = x.reshape(-1, *(lead[-1:] or (1,)), *x.shape[x.ndim - rank :]) if len(lead) != 2 else x
    geometry = PoolGeometry(
        "pad", "max", True, planes.shape[0], planes.shape[1], axes, fill, True, x.dtype, 0, True
    )
    y = pool(device, geometry, planes)[0]
    return y.reshape(*lead, *y.shape[2:]) if len(lead) != 2 else y


def _params(x: Any, y: Any, batched: bool, sizes: tuple[int, ...]) -> np.ndarray:
    return structure(
        PLANE,
        **strides_of(batched, x=x, y=y),
        batch=x.shape[0] if batched else 1,
        channels=x.shape[batched],
        size=three(x.shape[1 + batched :], 1),
        out=three(sizes, 1),
    )
