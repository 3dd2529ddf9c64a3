"""Geometry of pooling: every check of a call, before anything is allocated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial, wraps
from typing import Any, NamedTuple

import numpy as np

from ._arguments import INDEX_MAX, arithmetic, fill_of, per_axis
from ._geometry import Axis, check_input, check_size, window_axes


@dataclass(frozen=True, slots=True)
class PoolAxis(Axis):
    """An axis on which a last window may hang out of the padding, if `ceil`."""

    ceil: bool = False

    @property
    def out(self) -> int:
        room = self.virtual - self.extent
        if not self.ceil:
            return room // self.stride + 1
        if room <= -self.stride:
            return 0
        # The last window starts no later than in the input or in the padding before it.
        starts = min(self.before + self.size, self.virtual)
        return min(-(-room // self.stride), -(-starts // self.stride) - 1) + 1


@dataclass(frozen=True, slots=True, eq=False)
class PoolGeometry:
    """A checked pooling: everything a backend has to know but the data."""

    function: str  # public name, for messages
    operation: str  # "max" or "mean"
    batched: bool
    batch: int  # 1 when unbatched
    channels: int
    axes: tuple[Axis, ...]
    fill: np.ndarray[Any, Any]  # read-only, shape () or (channels,), dtype of the input
    fill_given: bool
    dtype: np.dtype[Any]
    divisor: int  # of every window, or 0: the number of elements in it
    count_pad: bool  # whether the padding is part of that number

    @property
    def out_shape(self) -> tuple[int, ...]:
        core = (self.channels, *(axis.out for axis in self.axes))
        return (self.batch, *core) if self.batched else core


class _Like(NamedTuple):
    """What a check may know of an array."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def _remembered(check: Callable[..., PoolGeometry]) -> Callable[..., PoolGeometry]:
    """`check`, which answers calls with the same plain arguments from memory: the same object."""

    @lru_cache(maxsize=64, typed=True)
    def known(
        function: str, rank: int, shape: Any, dtype: Any, kernel: Any, **options: Any
    ) -> PoolGeometry:
        return check(function, rank, _Like(shape, dtype), kernel, **options)

    @wraps(check)
    def found(function: str, rank: int, input: Any, kernel: Any, **options: Any) -> PoolGeometry:
        if _is_plain(kernel) and (
            _ATOMS.issuperset(map(type, options.values())) or all(map(_is_plain, options.values()))
        ):
            return known(function, rank, input.shape, input.dtype, kernel, **options)
        return check(function, rank, input, kernel, **options)

    return found


# Two such arguments that compare equal, and are of one type, mean the same.
_ATOMS = {int, str, bool, type(None)}


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind is tuple:
        return all(type(item) is int or type(item) is str for item in value)
    return kind in _ATOMS or (kind is float and value != 0)


@_remembered
def max_pool_geometry(
    function: str,
    rank: int,
    input: Any,
    kernel_size: Any,
    *,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: Any,
    return_indices: Any,
    fill_value: Any,
    padding_mode: Any,
) -> PoolGeometry:
    """Check a max pooling of an array (anything with shape and dtype) and resolve its arguments."""
    batched, batch, channels = check_input(function, rank, input)
    arithmetic(function, "input", input.dtype)
    flag(function, "return_indices", return_indices)
    axes = pool_axes(
        function, rank, input, kernel_size, stride, padding, dilation, ceil_mode, padding_mode
    )
    modes = tuple(axis.mode for axis in axes)
    fill = fill_of(function, fill_value, input.dtype, channels, modes)
    if fill_value is None:
        fill = lowest(input.dtype)
    geometry = PoolGeometry(
        function, "max", batched, batch, channels, axes, fill, fill_value is not None, input.dtype,
        0, True,
    )  # fmt: skip
    check_size(function, geometry.out_shape, np.dtype(np.int64))
    return geometry


@_remembered
def avg_pool_geometry(
    function: str,
    rank: int,
    input: Any,
    kernel_size: Any,
    *,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: Any,
    count_include_pad: Any,
    divisor_override: Any,
    fill_value: Any,
    padding_mode: Any,
) -> PoolGeometry:
    """Check an average pooling of an array and resolve its arguments."""
    batched, batch, channels = check_input(function, rank, input)
    check_floating(function, input.dtype)
    axes = pool_axes(
        function, rank, input, kernel_size, stride, padding, dilation, ceil_mode, padding_mode
    )
    modes = tuple(axis.mode for axis in axes)
    fill = fill_of(function, fill_value, input.dtype, channels, modes)
    if not flag(function, "count_include_pad", count_include_pad):
        if fill_value is not None:
            raise ValueError(
                f"{function}: count_include_pad=False leaves the padding out of the average, got "
                f"fill_value={fill_value!r} as well; leave fill_value out or pass "
                "count_include_pad=True."
            )
        if set(modes) != {"constant"}:
            raise ValueError(
                f"{function}: count_include_pad=False leaves the padding out of the average, got "
                f"padding_mode={padding_mode!r} as well; pass padding_mode='constant' or "
                "count_include_pad=True."
            )
        fill = np.negative(fill)  # adding -0.0 changes no sum
    geometry = PoolGeometry(
        function, "mean", batched, batch, channels, axes, fill, fill_value is not None,
        input.dtype, divisor_of(function, divisor_override), bool(count_include_pad),
    )  # fmt: skip
    check_size(function, geometry.out_shape, input.dtype)
    return geometry


def pool_axes(
    function: str,
    rank: int,
    input: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: Any,
    padding_mode: Any,
) -> tuple[Axis, ...]:
    kernel = per_axis(function, "kernel_size", kernel_size, rank)
    return window_axes(
        function,
        "kernel_size",
        input.shape[-rank:],
        kernel,
        kernel if stride is None else stride,
        padding,
        dilation,
        padding_mode,
        partial(PoolAxis, ceil=flag(function, "ceil_mode", ceil_mode)),
    )


def lowest(dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """The value that is the maximum of nothing, as a read-only array of shape ()."""
    value = np.asarray(np.iinfo(dtype).min if dtype.kind in "iu" else -np.inf).astype(dtype)
    value.flags.writeable = False
    return value


def check_floating(function: str, dtype: np.dtype[Any]) -> None:
    arithmetic(function, "input", dtype)
    if dtype.kind in "iu":
        raise TypeError(
            f"{function}: input must have a floating dtype, since an average is no integer, "
            f"got {dtype}; convert with input.astype('float32')."
        )


def check_plane(function: str, name: str, shape: tuple[int, ...], first: int) -> None:
    """The spatial axes, from `first` on, must have elements."""
    if not all(shape[first:]):
        raise ValueError(
            f"{function}: {name} must have elements on all spatial axes, since there is no mean or "
            f"maximum of nothing, got {name}.shape={shape}; pass an array that is not empty."
        )


def check_grad_output(function: str, grad_output: Any, input: Any, geometry: PoolGeometry) -> None:
    if grad_output.dtype != input.dtype:
        raise TypeError(
            f"{function}: grad_output and input must have one dtype, got {grad_output.dtype} and "
            f"{input.dtype}; convert with grad_output.astype({input.dtype.name!r})."
        )
    if grad_output.shape != geometry.out_shape:
        raise ValueError(
            f"{function}: grad_output must have the shape of the output, {geometry.out_shape}, got "
            f"{grad_output.shape}; input.shape={input.shape}; pass the gradient of that output."
        )


def check_indices(function: str, indices: Any, geometry: PoolGeometry) -> None:
    if indices.dtype != np.int64:
        raise TypeError(
            f"{function}: indices must have dtype int64, got {indices.dtype}; pass what the pooling "
            "returned with return_indices=True."
        )
    if indices.shape != geometry.out_shape:
        raise ValueError(
            f"{function}: indices must have the shape of the output, {geometry.out_shape}, got "
            f"{indices.shape}; pass what the pooling returned with return_indices=True."
        )


def flag(function: str, name: str, value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise TypeError(
            f"{function}: {name} must be True or False, got {value!r}; pass {name}=False."
        )
    return bool(value)


def divisor_of(function: str, divisor_override: Any) -> int:
    if divisor_override is None:
        return 0
    if isinstance(divisor_override, bool) or not isinstance(divisor_override, int | np.integer):
        raise TypeError(
            f"{function}: divisor_override must be None or an int, got {divisor_override!r}; "
            "leave it out."
        )
    if not 0 < abs(divisor_override) <= INDEX_MAX:
        raise ValueError(
            f"{function}: divisor_override must not be 0 and must lie within ±{INDEX_MAX}, "
            f"got {divisor_override!r}; leave it out."
        )
    return int(divisor_override)
