"""The structures that kernels take by value, and how a geometry fills them.

Names and order are those of the structures of the same name in ``cuda/``; the emulator and the
driver both refuse an argument of another size.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

I32, I64 = np.dtype(np.int32), np.dtype(np.int64)
MODES = ("constant", "replicate", "reflect", "symmetric", "circular")  # order of enum Mode


def _structure(*fields: tuple[Any, ...]) -> np.dtype:
    return np.dtype(list(fields), align=True)


CONV = _structure(
    ("x_batch", I64), ("x_channel", I64), ("x_axis", I64, 3),
    ("y_batch", I64), ("y_channel", I64), ("y_axis", I64, 3),
    ("r_batch", I64), ("r_channel", I64), ("r_axis", I64, 3),
    ("fill", np.uint64), ("slope", np.uint64), ("low", np.uint64), ("high", np.uint64),
    ("batch", I32), ("out_channels", I32), ("groups", I32),
    ("in_group", I32), ("out_group", I32), ("packed_outputs", I32),
    ("kernel", I32, 3), ("stride", I32, 3), ("dilation", I32, 3), ("out", I32, 3),
    ("table", I32, 3), ("fill_per_channel", I32), ("has_bias", I32), ("finishes", I32),
)  # fmt: skip

ADJOINT = _structure(
    ("x_batch", I64), ("x_channel", I64), ("x_axis", I64, 3),
    ("y_batch", I64), ("y_channel", I64), ("y_axis", I64, 3),
    ("batch", I32), ("in_channels", I32), ("out_channels", I32),
    ("in_group", I32), ("out_group", I32), ("packed_outputs", I32),
    ("size", I32, 3), ("kernel", I32, 3), ("stride", I32, 3), ("dilation", I32, 3),
    ("out", I32, 3), ("table", I32, 3), ("has_bias", I32),
)  # fmt: skip

TABLE = _structure(
    ("first", I32, 3), ("length", I32, 3), ("extent", I32, 3), ("before", I32, 3),
    ("size", I32, 3), ("mode", I32, 3),
)  # fmt: skip

POOL = _structure(
    ("x_batch", I64), ("x_channel", I64), ("x_axis", I64, 3),
    ("y_batch", I64), ("y_channel", I64), ("y_axis", I64, 3),
    ("fill", np.uint64),
    ("batch", I32), ("channels", I32), ("divisor", I32),
    ("size", I32, 3), ("kernel", I32, 3), ("stride", I32, 3), ("dilation", I32, 3),
    ("out", I32, 3), ("table", I32, 3),
    ("fill_per_channel", I32), ("fill_given", I32), ("count_pad", I32),
)  # fmt: skip

PLANE = _structure(
    ("x_batch", I64), ("x_channel", I64), ("x_axis", I64, 3),
    ("y_batch", I64), ("y_channel", I64), ("y_axis", I64, 3),
    ("batch", I32), ("channels", I32), ("size", I32, 3), ("out", I32, 3),
)  # fmt: skip

POOL_GRADIENT = _structure(
    ("x_batch", I64), ("x_channel", I64), ("x_axis", I64, 3),
    ("y_batch", I64), ("y_channel", I64), ("y_axis", I64, 3),
    ("batch", I32), ("channels", I32), ("divisor", I32),
    ("size", I32, 3), ("out", I32, 3), ("readers", I32, 3), ("counts", I32, 3),
    ("count_pad", I32),
)  # fmt: skip

PACK = _structure(
    ("w_out", I64), ("w_in", I64), ("w_axis", I64, 3),
    ("outputs", I32), ("packed_outputs", I32), ("inputs", I32), ("kernel", I32, 3),
)  # fmt: skip


def three(values: Iterable[int], missing: int) -> tuple[int, ...]:
    """Values of one to three axes as values of three; the missing axes come first."""
    values = tuple(values)
    return (missing,) * (3 - len(values)) + values


def strides_of(batched: bool, **arrays: Any) -> dict[str, Any]:
    """The fields x_batch, x_channel, x_axis of an array x, in elements, for each array given.

    The arrays are (N, C, *spatial), or (C, *spatial) if not batched.
    """
    fields: dict[str, Any] = {}
    for name, array in arrays.items():
        steps = [step // array.dtype.itemsize for step in array.strides]
        fields[f"{name}_batch"] = steps.pop(0) if batched else 0
        fields[f"{name}_channel"], fields[f"{name}_axis"] = steps[0], three(steps[1:], 0)
    return fields


def structure(dtype: np.dtype, **fields: Any) -> np.ndarray:
    """One structure, as an array of size one: what CuPy passes by value."""
    if set(fields) != set(dtype.names or ()):
        raise TypeError(f"structure: fields {sorted(fields)} are not {dtype.names}")
    value = np.zeros(1, dtype)
    for name, content in fields.items():
        value[name] = content
    return value
