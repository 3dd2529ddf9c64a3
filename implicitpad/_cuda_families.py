"""Which kernel runs a convolution, with what grid, and every instantiation there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

GRID_LIMIT = 65535  # blocks along y and z
SHARED_LIMIT = 48 * 1024  # bytes of shared memory every device grants
# Storage type -> type of the sums, for the tiled kernels; the direct kernel takes all others too.
FLOATS = {
    "float16": "float32",
    "bfloat16": "float32",
    "float32": "float32",
    "float64": "float64",
}
# Tiles of the matrix product: rows, columns and depth of a block, rows and columns of a thread.
LARGE_TILE, SMALL_TILE = (128, 128, 8, 8, 8), (64, 64, 16, 4, 4)
LARGE_BLOCKS = 128  # large tiles only where they still give every processor a block
FEW_PIXELS, FEW_OUTPUTS = 2, 16  # outputs of a thread of conv_few_channels
PLANE_ROWS, LINE_COLUMNS, STRIP_COLUMNS = 4, 4, 4
WINDOWS = (0, 3, 5, 7)  # kernel sizes with a loop of their own; 0 takes every size


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


def expression(source: str, *arguments: Any) -> str:
    return f"{source}<{', '.join(str(argument) for argument in arguments)}>"


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
    batch, outputs = min(geometry.batch, GRID_LIMIT), geometry.out_channels
    depth, height, width = (int(size) for size in params["out"])
    _, kernel_h, kernel_w = (int(size) for size in params["kernel"])
    if _channels_last(geometry, params):
        sliding = params["stride"][2] == params["dilation"][2] == 1 and kernel_w in WINDOWS
        arguments = (*_types(geometry.dtype), STRIP_COLUMNS, kernel_w if sliding else 0)
        strips = -(-width // STRIP_COLUMNS) * height * depth
        if -(-outputs // 32) > GRID_LIMIT:
            return None
        return Launch(
            "conv_channels_last",
            expression("conv_channels_last", *arguments),
            (-(-strips // 8), -(-outputs // 32), batch),
            (32, 8),
        )
    line = height == 1
    block, columns, rows = ((256, 1), LINE_COLUMNS, 1) if line else ((32, 8), 1, PLANE_ROWS)
    sliding = (
        not line
        and kernel_h == kernel_w
        and kernel_h in WINDOWS
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
    if not inside or terms < 16:
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
    if blocks < LARGE_BLOCKS or out_group <= 64 or geometry.dtype != np.float32:
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


INTEGERS = {
    **{(x, w): "int32" for x, w in product(("int8", "uint8"), repeat=2)},
    **{(f"int{bits}",) * 2: "int64" for bits in (16, 32, 64)},
    **{(f"uint{bits}",) * 2: "uint64" for bits in (16, 32, 64)},
}


def instantiations() -> dict[str, Sequence[str]]:
    """Every kernel that a launch can ask for: source -> name expressions."""
    names = {
        "index_table": ["index_table"],
        "conv_direct": [
            *(expression("conv_direct", t, t, acc, t) for t, acc in FLOATS.items()),
            *(expression("conv_direct", *t, acc, acc) for t, acc in INTEGERS.items()),
        ],
        "conv_planes": [
            expression("conv_planes", t, acc, *shape)
            for t, acc in FLOATS.items()
            for shape in [(LINE_COLUMNS, 1, 0), *((1, PLANE_ROWS, size) for size in WINDOWS)]
        ],
        "conv_channels_last": [
            expression("conv_channels_last", t, acc, STRIP_COLUMNS, size)
            for t, acc in FLOATS.items()
            for size in WINDOWS
        ],
        "conv_few_channels": [
            expression("conv_few_channels", t, acc, FEW_PIXELS, FEW_OUTPUTS)
            for t, acc in FLOATS.items()
        ],
        "conv_gemm": [
            expression("conv_gemm", t, acc, *tile, last, index)
            for t, acc in FLOATS.items()
            for tile in (SMALL_TILE, LARGE_TILE)
            if tile == SMALL_TILE or t == "float32"
            for last, index in product(("false", "true"), ("int32", "int64"))
        ],
    }
    names["conv_adjoint"] = [
        name.replace("conv_direct", "conv_adjoint") for name in names["conv_direct"]
    ]
    gradients = [
        expression(f"conv_{what}_gradient", *types)
        for t, acc in FLOATS.items()
        for what, *types in (
            ("weight", t, acc),
            ("bias", t, acc, t),
            ("bias", acc, acc, t),  # the sum over channels, of a scalar fill
            ("fill", t, acc, t),
            ("fill", t, acc, acc),
        )
    ]
    names["conv_gradients"] = list(dict.fromkeys(gradients))
    weights = {(t, t) for t in FLOATS} | {(t[1], t[1]) for t in INTEGERS}
    wide = {(t[1], acc) for t, acc in INTEGERS.items() if acc != "int32"}
    biases = set(FLOATS.items()) | wide  # an 8-bit bias would be too coarse: it is int32
    biases |= {(acc, acc) for acc in INTEGERS.values()}
    names["pack_weights"] = [expression("pack_weights", *t) for t in sorted(weights | biases)]
    return names
