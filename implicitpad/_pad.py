"""The explicit padding, whole or a part of it at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ._arguments import INDEX_MAX, arithmetic, fill_of, is_cupy
from ._backend import as_array, backend_of
from ._conv_cpu import index_table
from ._geometry import Axis, check_size, window_axes

Array = np.ndarray[Any, np.dtype[Any]]


def pad(x: Any, padding: Any, *, fill_value: Any = None, padding_mode: Any = "constant") -> Any:
    """Pad an array explicitly: the copy that the rest of the library never makes.

    For comparison, and for leaving the library. Equals `numpy.pad` where that has the mode, also
    for widths beyond the size of the array, and crops where a width is negative.

    Parameters
    ----------
    x : array, shape (..., C, *spatial)
        Any number of axes before the spatial ones, of which a CuPy array has at most three. Read
        only; any strides. float16, bfloat16, float32, float64 or any integer type.
    padding : int, ints or (before, after) pairs
        One item for each spatial axis, which are the last ones. An int is for arrays (N, C,
        *spatial): it pads all axes but the first two.
    fill_value : number or shape (C,), optional
        What padding holds under mode "constant"; 0 if left out. Where an element lies outside on
        several axes, "constant" wins over the other modes.
    padding_mode : str or one for each spatial axis
        See `conv2d`.

    Returns
    -------
    array, dtype of `x`
        A new array; each spatial axis is longer by before + after.

    Raises
    ------
    TypeError
        A kind of array, dtype or argument that is not accepted.
    ValueError
        A value is out of range.

    Notes
    -----
    Costs time and memory in proportion to the result.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> ip.pad(np.arange(4), ((2, 3),), padding_mode="reflect")
    array([2, 1, 0, 1, 2, 3, 2, 1, 0])
    >>> ip.pad(np.arange(6).reshape(2, 3), ((0, 1), (-1, 1)), fill_value=9)
    array([[1, 2, 9],
           [4, 5, 9],
           [9, 9, 9]])
    """
    x = array_of("pad", x, fill_value)
    rank = rank_of("pad", "padding", padding, x)
    sizes = x.shape[x.ndim - rank :]
    axes = window_axes("pad", "window", sizes, (1,) * rank, 1, padding, 1, padding_mode)
    fill = fill_for("pad", fill_value, x, axes)
    check_size("pad", (*x.shape[: x.ndim - rank], *(axis.virtual for axis in axes)), x.dtype)
    return panel(x, [(axis, 0, axis.virtual) for axis in axes], fill)


def panel(x: Any, parts: Sequence[tuple[Axis, int, int]], fill: Any) -> Any:
    """A part of the padded array: on each of the last axes, `length` positions from `start` on."""
    if not is_cupy(x):
        return _gather(x, [_table(*part) for part in parts], fill)
    from . import _cupy

    axes = [
        replace(
            axis, kernel=1, stride=1, dilation=1, before=axis.before - start,
            after=length - axis.size - axis.before + start,
        )
        for axis, start, length in parts
    ]  # fmt: skip
    return _cupy.pad(x, tuple(axes), fill)


def _gather(x: Array, tables: list[Array], fill: Array) -> Array:
    """Elements of the last axes through one index table each, in which -1 stands for the fill."""
    lead = x.shape[: x.ndim - len(tables)]
    shape = (*lead, *map(len, tables))
    inside = []
    for at, table in enumerate(tables, len(lead)):
        real = np.flatnonzero(table >= 0)
        inside.append(slice(real[0], real[-1] + 1) if real.size else slice(0, 0))
        table = table[inside[-1]]
        if len(table) and table[-1] - table[0] == len(table) - 1 and (np.diff(table) == 1).all():
            x = x[(slice(None),) * at + (slice(table[0], table[-1] + 1),)]
        else:
            x = np.take(x, table, axis=at)
    if x.shape == shape:
        return x.copy() if x.base is not None else x
    padded = np.empty(shape, x.dtype)
    padded[...] = fill.reshape(*fill.shape, *(1,) * len(tables))
    core: tuple[Any, ...] = (..., *inside)
    padded[core] = x
    return padded


def _table(axis: Axis, start: int, length: int) -> Array:
    """The input position of `length` virtual positions from `start` on."""
    return np.asarray(index_table(axis.size, axis.before - start, length, axis.mode))


def array_of(function: str, x: Any, fill_value: Any) -> Any:
    """`x` as an array that can be padded."""
    backend_of(function, x=x, fill_value=fill_value)
    x = as_array(function, "x", x)
    arithmetic(function, "x", x.dtype)
    if x.size and max(x.shape) > INDEX_MAX:
        raise ValueError(
            f"{function}: no axis of x may be longer than {INDEX_MAX}, got shape {x.shape}; "
            "split the array."
        )
    return x


def rank_of(function: str, name: str, value: Any, x: Any) -> int:
    """How many of the last axes are spatial, as `value` tells."""
    if isinstance(value, tuple | list) or (isinstance(value, np.ndarray) and value.ndim):
        rank, most = len(value), x.ndim
        if not 1 <= rank <= most:
            raise ValueError(
                f"{function}: {name} must have one item for each spatial axis, got {value!r} for "
                f"an array of shape {x.shape}; pass 1 to {most} items."
            )
        return _on_device(function, rank, x)
    if x.ndim < 3:
        raise ValueError(
            f"{function}: an int {name} is for arrays (N, C, *spatial), got {value!r} for an array "
            f"of shape {x.shape}; pass one item for each spatial axis."
        )
    return _on_device(function, x.ndim - 2, x)


def _on_device(function: str, rank: int, x: Any) -> int:
    if rank > 3 and is_cupy(x):
        raise ValueError(
            f"{function}: a CuPy array has at most 3 spatial axes here, got {rank} for shape "
            f"{x.shape}; treat some of them as leading axes, or pass cupy.asnumpy(x)."
        )
    return rank


def fill_for(function: str, fill_value: Any, x: Any, axes: tuple[Axis, ...]) -> Any:
    """The fill of the padding of `x`."""
    lead = x.shape[: x.ndim - len(axes)]
    modes = tuple(axis.mode for axis in axes)
    return fill_of(function, fill_value, x.dtype, lead[-1] if lead else 1, modes)
