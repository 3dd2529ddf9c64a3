"""Every instantiation of the kernels: their types and their tiles."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

# Storage type -> type of the sums, for the tiled kernels; the direct kernel takes all others too.
FLOATS = {
    "float16": "float32",
    "bfloat16": "float32",
    "float32": "float32",
    "float64": "float64",
}
# Tiles of the matrix product: rows, columns and depth of a block, rows and columns of a thread.
LARGE_TILE, SMALL_TILE = (128, 128, 8, 8, 8), (64, 64, 16, 4, 4)
FEW_PIXELS, FEW_OUTPUTS = 2, 16  # outputs of a thread of conv_few_channels
PLANE_ROWS, LINE_COLUMNS, STRIP_COLUMNS = 4, 4, 4
# Window sizes with a loop of their own, for each storage type; 0 takes every size. These and the
# tiles are where instantiations multiply: each one is compiled for every architecture in the tests.
WINDOWS = {
    "float16": (0, 3, 7),
    "bfloat16": (0, 3, 7),
    "float32": (0, 3, 5, 7),
    "float64": (0,),
}
VIEW_TYPE = "float32"  # of the large tiles, and of the product over windows inside the input
INTEGERS: dict[tuple[str, str], str] = {
    **{(x, w): "int32" for x in ("int8", "uint8") for w in ("int8", "uint8")},
    **{(f"int{bits}",) * 2: "int64" for bits in (16, 32, 64)},
    **{(f"uint{bits}",) * 2: "uint64" for bits in (16, 32, 64)},
}
# Storage type -> type that elements are compared in.
ORDERED = {
    **FLOATS,
    **{f"int{bits}": "int32" for bits in (8, 16, 32)},
    **{f"uint{bits}": "uint32" for bits in (8, 16, 32)},
    "int64": "int64",
    "uint64": "uint64",
}


def expression(source: str, *arguments: Any) -> str:
    return f"{source}<{', '.join(str(argument) for argument in arguments)}>"


def instantiations() -> dict[str, Sequence[str]]:
    """Every kernel that a launch can ask for: source -> name expressions."""
    names: dict[str, Sequence[str]] = {
        "index_table": ["index_table"],
        "conv_direct": [
            *(expression("conv_direct", t, t, acc, t) for t, acc in FLOATS.items()),
            *(expression("conv_direct", *t, acc, acc) for t, acc in INTEGERS.items()),
        ],
        "conv_planes": [
            expression("conv_planes", t, acc, *shape)
            for t, acc in FLOATS.items()
            for shape in [(LINE_COLUMNS, 1, 0), *((1, PLANE_ROWS, size) for size in WINDOWS[t])]
        ],
        "conv_channels_last": [
            expression("conv_channels_last", t, acc, STRIP_COLUMNS, size)
            for t, acc in FLOATS.items()
            for size in WINDOWS[t]
        ],
        "conv_few_channels": [
            expression("conv_few_channels", t, acc, FEW_PIXELS, FEW_OUTPUTS)
            for t, acc in FLOATS.items()
        ],
        "conv_gemm": [
            expression("conv_gemm", t, acc, *tile, last, index)
            for t, acc in FLOATS.items()
            for tile, index in product((SMALL_TILE, LARGE_TILE), ("int32", "int64"))
            if t == VIEW_TYPE or (tile, index) == (SMALL_TILE, "int32")
            for last in ("false", "true")
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
            ("bias", "float64", "float64", t),  # the same, of a pooling's fill
        )
    ]
    names["conv_gradients"] = list(dict.fromkeys(gradients))
    names["pool"] = [
        *(expression("pool_largest", *types) for types in ORDERED.items()),
        *(expression("pool_mean", *types) for types in FLOATS.items()),
    ]
    names["pool_gradients"] = [
        expression(f"pool_{what}gradient", *types)
        for t, acc in FLOATS.items()
        for what, *types in (
            ("largest_", t, acc), ("largest_fill_", t), ("mean_", t, acc), ("mean_fill_", t, acc)
        )
    ]  # fmt: skip
    names["pool_planes"] = [
        *(expression("plane_mean", t) for t in FLOATS),
        *(expression("plane_largest", *types) for types in ORDERED.items()),
        *(expression("adaptive_mean", *types) for types in FLOATS.items()),
    ]
    weights = {(t, t) for t in FLOATS} | {(t[1], t[1]) for t in INTEGERS}
    wide = {(t[1], acc) for t, acc in INTEGERS.items() if acc != "int32"}
    biases = set(FLOATS.items()) | wide  # an 8-bit bias would be too coarse: it is int32
    biases |= {(acc, acc) for acc in INTEGERS.values()}
    names["pack_weights"] = [expression("pack_weights", *t) for t in sorted(weights | biases)]
    return names
