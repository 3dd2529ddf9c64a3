"""Pooling to a size: global_avg_pool, global_max_pool, adaptive_avg_pool1d, 2d, 3d."""

from __future__ import annotations

from typing import Any

from ._arguments import arithmetic, integer
from ._backend import as_array, backend_of, operation_of
from ._geometry import check_input
from ._geometry_pool import avg_pool_geometry, check_floating, check_plane, flag
from .padded.array import PaddedArray


def global_avg_pool(x: Any, keepdims: bool = False) -> Any:
    """Mean over all spatial axes.

    Parameters
    ----------
    x : array, shape (N, C, *spatial)
        float16, bfloat16, float32 or float64; at least one spatial axis. Read only; any strides.
    keepdims : bool
        Keep the spatial axes, with size 1.

    Returns
    -------
    array, shape (N, C) or (N, C, 1, ...), dtype of `x`
        Summed in float64, blocks of 1,024 elements of shorter types in float32.

    Raises
    ------
    TypeError
        A kind of array, dtype or argument that is not accepted.
    ValueError
        `x` has no spatial axis, or none of its elements.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> ip.global_avg_pool(np.arange(8.0).reshape(1, 2, 2, 2))
    array([[1.5, 5.5]])
    """
    if isinstance(x, PaddedArray):
        from .padded.pooling import global_average

        return global_average(x, flag("global_avg_pool", "keepdims", keepdims))
    x = _planes("global_avg_pool", x)
    check_floating("global_avg_pool", x.dtype)
    return _global_pool("global_avg_pool", "mean", x, keepdims)


def global_max_pool(x: Any, keepdims: bool = False) -> Any:
    """Largest element over all spatial axes; a NaN is.

    Parameters
    ----------
    x : array, shape (N, C, *spatial)
        A floating or integer dtype; at least one spatial axis. Read only; any strides.
    keepdims : bool
        Keep the spatial axes, with size 1.

    Returns
    -------
    array, shape (N, C) or (N, C, 1, ...), dtype of `x`

    Raises
    ------
    TypeError
        A kind of array, dtype or argument that is not accepted.
    ValueError
        `x` has no spatial axis, or none of its elements.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> ip.global_max_pool(np.arange(8).reshape(1, 2, 2, 2), keepdims=True).shape
    (1, 2, 1, 1)
    """
    if isinstance(x, PaddedArray):
        from .padded.pooling import global_maximum

        return global_maximum(x, flag("global_max_pool", "keepdims", keepdims))
    x = _planes("global_max_pool", x)
    arithmetic("global_max_pool", "x", x.dtype)
    return _global_pool("global_max_pool", "max", x, keepdims)


def adaptive_avg_pool1d(input: Any, output_size: Any) -> Any:
    """Means of windows that divide a signal into `output_size` parts; see `adaptive_avg_pool2d`.

    Parameters
    ----------
    input : array, shape (N, C, L) or (C, L)
    output_size : int or None
        None keeps the size.

    Returns
    -------
    array, shape (N, C, m) or (C, m), dtype of the input

    Raises
    ------
    TypeError, ValueError
        As `adaptive_avg_pool2d` does.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> ip.adaptive_avg_pool1d(np.arange(5.0).reshape(1, 5), 2)
    array([[1., 3.]])
    """
    return _adaptive_avg_pool("adaptive_avg_pool1d", 1, input, output_size)


def adaptive_avg_pool2d(input: Any, output_size: Any) -> Any:
    """Means of windows that divide an image into `output_size` parts.

    Part i of m along an axis of n is floor(i n / m) ... ceil((i + 1) n / m) - 1, as in PyTorch:
    neighbours overlap where m does not divide n.

    Parameters
    ----------
    input : array, shape (N, C, H, W) or (C, H, W)
        float16, bfloat16, float32 or float64. Read only; any strides.
    output_size : int, None or a pair of them
        None keeps the size of an axis.

    Returns
    -------
    array, shape (N, C, m_0, m_1) or (C, m_0, m_1), dtype of the input
        Summed in float32, or in float64 for float64.

    Raises
    ------
    TypeError
        A kind of array, dtype or argument that is not accepted.
    ValueError
        A size is out of range, or the input has no elements.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> ip.adaptive_avg_pool2d(np.arange(12.0).reshape(1, 3, 4), (1, 2))
    array([[[4.5, 6.5]]])
    """
    return _adaptive_avg_pool("adaptive_avg_pool2d", 2, input, output_size)


def adaptive_avg_pool3d(input: Any, output_size: Any) -> Any:
    """Means of windows that divide a volume into `output_size` parts; see `adaptive_avg_pool2d`.

    Parameters
    ----------
    input : array, shape (N, C, D, H, W) or (C, D, H, W)
    output_size : int, None or three of them
        None keeps the size of an axis.

    Returns
    -------
    array, shape (N, C, m_0, m_1, m_2) or (C, m_0, m_1, m_2), dtype of the input

    Raises
    ------
    TypeError, ValueError
        As `adaptive_avg_pool2d` does.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> ip.adaptive_avg_pool3d(np.ones((1, 4, 4, 4)), (1, 2, None)).shape
    (1, 1, 2, 4)
    """
    return _adaptive_avg_pool("adaptive_avg_pool3d", 3, input, output_size)


def _adaptive_avg_pool(function: str, rank: int, input: Any, output_size: Any) -> Any:
    padded = isinstance(input, PaddedArray)
    if not padded:
        compute = operation_of("adaptive_mean", function, input=input)
        input = as_array(function, "input", input)
    check_input(function, rank, input)
    check_floating(function, input.dtype)
    sizes = _output_sizes(function, rank, input.shape[-rank:], output_size)
    if padded:
        from .padded.resizing import adaptive_average

        return adaptive_average(function, input, sizes)
    check_plane(function, "input", input.shape, input.ndim - rank)
    sides = input.shape[-rank:]
    if max(sizes) > 1 and not any(n % m for n, m in zip(sides, sizes, strict=True)):
        parts = tuple(n // m for n, m in zip(sides, sizes, strict=True))
        geometry = avg_pool_geometry(
            function, rank, input, parts, stride=None, padding=0, dilation=1, ceil_mode=False,
            count_include_pad=True, divisor_override=None, fill_value=None,
            padding_mode="constant",
        )  # fmt: skip
        return operation_of("pool", function, input=input)(geometry, input, False)[0]
    return compute(input, sizes)


def _output_sizes(function: str, rank: int, sizes: tuple[int, ...], value: Any) -> tuple[int, ...]:
    items = tuple(value) if isinstance(value, tuple | list) else (value,) * rank
    if len(items) != rank:
        raise ValueError(
            f"{function}: output_size has {len(items)} values for {rank} spatial axes, got "
            f"{value!r}; pass an int or {rank} values."
        )
    return tuple(
        size if item is None else integer(function, "output_size", item, 1)
        for size, item in zip(sizes, items, strict=True)
    )


def _planes(function: str, x: Any) -> Any:
    backend_of(function, x=x)
    x = as_array(function, "x", x)
    if x.ndim < 3:
        raise ValueError(
            f"{function}: x must have shape (N, C, *spatial), got {x.ndim} axes, "
            f"x.shape={x.shape}; add axes with x[None]."
        )
    check_plane(function, "x", x.shape, 2)
    return x


def _global_pool(function: str, operation: str, x: Any, keepdims: Any) -> Any:
    keep = flag(function, "keepdims", keepdims)
    found = operation_of("global_pool", function, x=x)(operation, x)
    return found.reshape(*found.shape, *(1,) * (x.ndim - 2)) if keep else found
