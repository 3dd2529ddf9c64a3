"""The plain reference: pad, slide windows, sum in float64 or exact integers.

What tests and the verifier compare with. It shares no code with the kernels or with the checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ._geometry import Axis, ConvGeometry

    Array = np.ndarray[Any, np.dtype[Any]]

NUMPY_MODES = {
    "constant": "constant",
    "replicate": "edge",
    "reflect": "reflect",
    "symmetric": "symmetric",
    "circular": "wrap",
}


def explicit_pad(input: Array, axes: Sequence[Axis], fill: Array) -> Array:
    """The padded copy of `input` (..., C, *spatial) that the library never makes.

    Where an element is outside on several axes, a constant axis wins over the other modes.
    """
    spatial = range(input.ndim - len(axes), input.ndim)
    padded = input
    for constant in (False, True):
        for at, axis in zip(spatial, axes, strict=True):
            if (axis.mode == "constant") is constant:
                padded = _pad_axis(padded, at, axis, np.asarray(fill), len(axes))
    return padded


def _pad_axis(input: Array, at: int, axis: Axis, fill: Array, rank: int) -> Array:
    before, after = max(axis.before, 0), max(axis.after, 0)
    if axis.mode == "constant":
        shape = list(input.shape)
        shape[at] += before + after
        padded = np.empty(shape, input.dtype)
        padded[...] = fill.reshape(*fill.shape, *(1,) * rank)
        _slice(padded, at, before, before + axis.size)[...] = input
    else:
        widths = [(0, 0)] * input.ndim
        widths[at] = (before, after)
        padded = np.pad(input, widths, mode=NUMPY_MODES[axis.mode])  # type: ignore[call-overload]
    length = padded.shape[at]
    return _slice(padded, at, max(-axis.before, 0), length - max(-axis.after, 0))


def _slice(array: Array, at: int, start: int, stop: int) -> Array:
    return array[(slice(None),) * at + (slice(start, stop),)]


def windows(input: Array, axes: Sequence[Axis]) -> Array:
    """Windows (..., C, *out, *kernel) of an array that needs no more padding."""
    spatial = tuple(range(input.ndim - len(axes), input.ndim))
    extents = [axis.dilation * (axis.kernel - 1) + 1 for axis in axes]
    view = np.lib.stride_tricks.sliding_window_view(input, extents, axis=spatial)
    steps = [slice(None, None, axis.stride) for axis in axes]
    taps = [slice(None, None, axis.dilation) for axis in axes]
    index: Any = (..., *steps, *taps)
    seen: Array = view[index]
    return seen


def conv(geometry: ConvGeometry, input: Array, weight: Array, bias: Array | None = None) -> Array:
    """Convolve in float64 or in 64-bit integers; the result is not rounded to `out_dtype`."""
    exact = geometry.compute.kind != "f"
    wide = (
        np.dtype(np.uint64 if geometry.compute == np.uint64 else np.int64) if exact else np.float64
    )
    padded = explicit_pad(input, geometry.axes, geometry.fill).astype(wide)
    if not geometry.batched:
        padded = padded[None]
    rank, groups = len(geometry.axes), geometry.groups
    seen = windows(padded, geometry.axes)  # (N, C, *out, *kernel)
    seen = seen.reshape(seen.shape[0], groups, -1, *seen.shape[2:])
    taps = weight.astype(wide).reshape(groups, -1, *weight.shape[1:])
    out, kernel = "xyz"[:rank], "uvw"[:rank]
    with np.errstate(all="ignore"):
        sums = np.einsum(f"ngc{out}{kernel},gkc{kernel}->ngk{out}", seen, taps)
        result: Array = sums.reshape(sums.shape[0], -1, *sums.shape[3:])
        if bias is not None:
            result = result + bias.astype(wide).reshape(-1, *(1,) * rank)
    return result if geometry.batched else result[0]


def finish(sums: Array, residual: Array | None, activation: Any) -> Array:
    """What a layer makes of its sums, in their own type: a residual added, then an activation."""
    with np.errstate(all="ignore"):
        z = sums if residual is None else sums + residual
        if activation is None:
            return z
        name, *values = (activation,) if isinstance(activation, str) else activation
        if name == "leaky_relu":
            return np.where(z < 0, z * z.dtype.type(values[0]), z)
        low, high = (0, np.inf) if name == "relu" else values
        z = np.where(z < low, np.asarray(low).astype(z.dtype), z)
        return np.where(z > high, np.asarray(high).astype(z.dtype), z)
