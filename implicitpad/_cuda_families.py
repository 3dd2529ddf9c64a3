"""Which kernel runs a convolution, and with what grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._cuda_instances import (
    FEW_OUTPUTS,
    FEW_PIXELS,
    FLOATS,
    LARGE_TILE,
    LINE_COLUMNS,
    PLANE_ROWS,
    SMALL_TILE,
    STRIP_COLUMNS,
    VIEW_TYPE,
    WINDOWS,
    expression,
)

GRID_LIMIT = 65535  # blocks along y and z
SHARED_LIMIT = 48 * 1024  # bytes of shared memory every device grants
LARGE_BLOCKS = 128  # large tiles only where they still give every processor a block


@dataclass(frozen=True)
class Launch:
    """A kernel of ``cuda/SOURCE.cu`` and the shape of its launch.

    ``offsets`` asks for one offset per element of a window instead of the tables of the axes.
    """

    source: str
    expression: str
    grid: tuple[int, ...]
    block: tuple[int, ...]
    shared: int = 0
    offsets: bool = False


def _types(dtype: np.dtype) -> tuple[str, str]:
    return dtype.name, FLOATS[dtype.name]


def direct(geometry: Any, params: np.void) -> Launch:
    types = (geometry.dtype, geometry.weight_dtype, geometry.compute, geometry.out_dtype)
    return Launch(
        "conv_direct",
        expression("conv_direct", *(dtype.name for dtype in types)),
        (
            -(-_positions(params) // 256),
            min(geometry.out_channels, GRID_LIMIT),
            min(geometry.batch, GRID_LIMIT),
        ),
        (256,),
    )


def planes(geometry: Any, params: np.void) -> Launch | None:
    """Depthwise and small groups; also one filter over an image."""
    if geometry.dtype.name not in FLOATS or params["in_group"] * params["out_group"] > 16:
        return None
    windows = WINDOWS[geometry.dtype.name]
    batch, outputs = min(geometry.batch, GRID_LIMIT), geometry.out_channels
    depth, height, width = (int(size) for size in params["out"])
    _, kernel_h, kernel_w = (int(size) for size in params["kernel"])
    if _channels_last(geometry, params):
        sliding = params["stride"][2] == params["dilation"][2] == 1 and kernel_w in windows
        shape = (STRIP_COLUMNS, kernel_w if sliding else 0)
        strips = -(-width // STRIP_COLUMNS) * height * depth
        if -(-outputs // 32) > GRID_LIMIT:
            return None
        return Launch(
            "conv_channels_last",
            expression("conv_channels_last", *_types(geometry.dtype), *shape),
            (-(-strips // 8), -(-outputs // 32), batch),
            (32, 8),
        )
    line = height == 1
    block, columns, rows = ((256, 1), LINE_COLUMNS, 1) if line else ((32, 8), 1, PLANE_ROWS)
    sliding = (
        not line
        and kernel_h == kernel_w
        and kernel_h in windows
        and params["stride"][1] == params["dilation"][1] == 1
    )
    tile_h, tile_w = block[1] * rows, block[0] * columns
    in_h, in_w = (
        (tile - 1) * int(params["stride"][axis])
        + (int(params["kernel"][axis]) - 1) * int(params["dilation"][axis])
        + 1
        for axis, tile in ((1, tile_h), (2, tile_w))
    )
    shared = (in_h * in_w + kernel_h * kernel_w) * geometry.compute.itemsize
    if shared > SHARED_LIMIT:
        return None
    tiles = -(-height // tile_h) * -(-width // tile_w) * depth
    arguments = (*_types(geometry.dtype), columns, rows, kernel_h if sliding else 0)
    return Launch(
        "conv_planes",
        expression("conv_planes", *arguments),
        (tiles, min(outputs, GRID_LIMIT), batch),
        block,
        shared,
    )


def gemm_view(geometry: Any, params: np.void) -> Launch | None:
    """Windows that never leave the input: 1 x 1, patches, and every unpadded convolution."""
    inside = all(
        axis.before <= 0 and axis.stride * (axis.out - 1) + axis.extent - axis.before <= axis.size
        for axis in geometry.axes
    )
    terms = int(params["in_group"]) * int(np.prod(params["kernel"], dtype=np.int64))
    if not inside or terms < 16 or geometry.dtype.name != VIEW_TYPE:
        return None
    return _gemm(geometry, params, offsets=True)


def few_channels(geometry: Any, params: np.void) -> Launch | None:
    if geometry.dtype.name not in FLOATS or params["in_group"] > 4:
        return None
    terms = int(params["in_group"]) * int(np.prod(params["kernel"], dtype=np.int64))
    shared = terms * FEW_OUTPUTS * geometry.compute.itemsize
    tiles = -(-int(params["out_group"]) // FEW_OUTPUTS) * geometry.groups
    if shared > SHARED_LIMIT or tiles > GRID_LIMIT:
        return None
    return Launch(
        "conv_few_channels",
        expression("conv_few_channels", *_types(geometry.dtype), FEW_PIXELS, FEW_OUTPUTS),
        (-(-_positions(params) // (128 * FEW_PIXELS)), tiles, min(geometry.batch, GRID_LIMIT)),
        (128,),
        shared,
    )


def gemm(geometry: Any, params: np.void) -> Launch | None:
    return _gemm(geometry, params, offsets=False)


def _gemm(geometry: Any, params: np.void, offsets: bool) -> Launch | None:
    out_group = int(params["out_group"])
    if geometry.dtype.name not in FLOATS or out_group < 8 or geometry.groups > GRID_LIMIT:
        return None
    rows = geometry.batch * _positions(params)
    tile = LARGE_TILE
    blocks = -(-rows // tile[0]) * -(-out_group // tile[1]) * geometry.groups
    if blocks < LARGE_BLOCKS or out_group <= 64 or geometry.dtype.name != VIEW_TYPE:
        tile = SMALL_TILE
    last = "true" if _channels_last(geometry, params) else "false"
    index = "int64" if offsets else "int32"
    return Launch(
        "conv_gemm",
        expression("conv_gemm", *_types(geometry.dtype), *tile, last, index),
        (-(-rows // tile[0]), -(-out_group // tile[1]), geometry.groups),
        (tile[0] // tile[3] * (tile[1] // tile[4]),),
        offsets=offsets,
    )


def _positions(params: np.void) -> int:
    return int(np.prod(params["out"], dtype=np.int64))


def _channels_last(geometry: Any, params: np.void) -> bool:
    return geometry.in_channels > 1 and bool(params["x_channel"] == 1)


# The first family that takes a problem runs it; direct takes every problem.
FAMILIES: dict[str, Callable[[Any, np.void], Launch | None]] = {
    "planes": planes,
    "gemm_view": gemm_view,
    "few_channels": few_channels,
    "gemm": gemm,
    "direct": direct,
}


def choose(geometry: Any, params: np.void, family: str | None = None) -> Launch:
    """The launch of the first family that takes this problem, or of the family named."""
    for name, request in FAMILIES.items():
        launch = request(geometry, params) if family in (None, name) else None
        if launch is not None:
            return launch
    raise ValueError(f"choose: kernel family {family!r} does not take this problem.")
