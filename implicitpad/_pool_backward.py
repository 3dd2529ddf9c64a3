"""Gradients of pooling: max_pool{1,2,3}d_backward and avg_pool{1,2,3}d_backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ._backend import as_array, operation_of
from ._geometry_pool import (
    PoolGeometry,
    avg_pool_geometry,
    check_floating,
    check_grad_output,
    max_pool_geometry,
)
from .padded.array import PaddedArray


class PoolGradients(NamedTuple):
    """Gradients of a pooling: of the input, and of the fill in its shape.

    `fill_value` is None where the padding is no number: without a fill value in max pooling,
    without counted padding in average pooling, under boundary modes on all axes.
    """

    input: Any
    fill_value: Any


def max_pool1d_backward(
    grad_output: Any,
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    *,
    fill_value: Any = None,
    padding_mode: Any = "constant",
) -> PoolGradients:
    """Gradients of `max_pool1d` for its input and its fill value.

    Parameters
    ----------
    grad_output : array, shape (N, C, m) or (C, m), dtype of `input`
        Gradient of the result. Read only; any strides.
    input, ...
        As for `max_pool1d`; floating dtypes only.

    Returns
    -------
    PoolGradients
        Named tuple (input, fill_value); see `max_pool2d_backward`.

    Raises
    ------
    TypeError, ValueError
        As `max_pool2d_backward` does.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> ip.max_pool1d_backward(np.ones((1, 2)), np.array([[1.0, 2.0, 5.0, 3.0]]), 2)
    PoolGradients(input=array([[0., 1., 1., 0.]]), fill_value=None)
    """
    return _max_backward(
        "max_pool1d_backward", 1, grad_output, input, kernel_size, stride, padding, dilation,
        ceil_mode, fill_value, padding_mode,
    )  # fmt: skip


def max_pool2d_backward(
    grad_output: Any,
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    *,
    fill_value: Any = None,
    padding_mode: Any = "constant",
) -> PoolGradients:
    """Gradients of `max_pool2d` for its input and its fill value.

    The gradient of a window goes to its maximum, by the rule that `max_pool2d` has for indices.

    Parameters
    ----------
    grad_output : array, shape (N, C, m_0, m_1) or (C, m_0, m_1), dtype of `input`
        Gradient of the values. Read only; any strides.
    input, kernel_size, stride, padding, dilation, ceil_mode, fill_value, padding_mode
        As for `max_pool2d`; floating dtypes only.

    Returns
    -------
    PoolGradients
        Named tuple (input, fill_value): shape of the input; shape of the fill value, or None if
        none was given.

    Raises
    ------
    TypeError
        A kind of array, dtype or argument that is not accepted; integers have no gradients.
    ValueError
        Shapes disagree, a value is out of range, or no window fits.

    Notes
    -----
    Finds the indices again, then adds up plane by plane in the order of the windows, in float64:
    bits do not depend on the number of threads. Memory: the indices and one plane of the input.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> x = np.array([[[1.0, 2.0], [4.0, 3.0]]])
    >>> ip.max_pool2d_backward(np.ones((1, 3, 3)), x, 2, 1, padding=1, fill_value=2.5)
    PoolGradients(input=array([[[0., 0.],
            [4., 2.]]]), fill_value=array(3.))
    """
    return _max_backward(
        "max_pool2d_backward", 2, grad_output, input, kernel_size, stride, padding, dilation,
        ceil_mode, fill_value, padding_mode,
    )  # fmt: skip


def max_pool3d_backward(
    grad_output: Any,
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    *,
    fill_value: Any = None,
    padding_mode: Any = "constant",
) -> PoolGradients:
    """Gradients of `max_pool3d` for its input and its fill value.

    Parameters
    ----------
    grad_output : array, shape (N, C, m_0, m_1, m_2) or (C, m_0, m_1, m_2), dtype of `input`
        Gradient of the result. Read only; any strides.
    input, ...
        As for `max_pool3d`; floating dtypes only.

    Returns
    -------
    PoolGradients
        Named tuple (input, fill_value); see `max_pool2d_backward`.

    Raises
    ------
    TypeError, ValueError
        As `max_pool2d_backward` does.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> x = np.arange(8.0).reshape(1, 2, 2, 2)
    >>> ip.max_pool3d_backward(np.ones((1, 1, 1, 1)), x, 2).input.ravel()
    array([0., 0., 0., 0., 0., 0., 0., 1.])
    """
    return _max_backward(
        "max_pool3d_backward", 3, grad_output, input, kernel_size, stride, padding, dilation,
        ceil_mode, fill_value, padding_mode,
    )  # fmt: skip


def avg_pool1d_backward(
    grad_output: Any,
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dilation: Any = 1,
    fill_value: Any = None,
    padding_mode: Any = "constant",
) -> PoolGradients:
    """Gradients of `avg_pool1d` for its input and its fill value.

    Parameters
    ----------
    grad_output : array, shape (N, C, m) or (C, m), dtype of `input`
        Gradient of the result. Read only; any strides.
    input, ...
        As for `avg_pool1d`; floating dtypes only.

    Returns
    -------
    PoolGradients
        Named tuple (input, fill_value); see `avg_pool2d_backward`.

    Raises
    ------
    TypeError, ValueError
        As `avg_pool2d_backward` does.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> ip.avg_pool1d_backward(np.ones((1, 2)), np.zeros((1, 4)), 2).input
    array([[0.5, 0.5, 0.5, 0.5]])
    """
    return _avg_backward(
        "avg_pool1d_backward", 1, grad_output, input, kernel_size, stride, padding, ceil_mode,
        count_include_pad, divisor_override, dilation, fill_value, padding_mode,
    )  # fmt: skip


def avg_pool2d_backward(
    grad_output: Any,
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dilation: Any = 1,
    fill_value: Any = None,
    padding_mode: Any = "constant",
) -> PoolGradients:
    """Gradients of `avg_pool2d` for its input and its fill value.

    Parameters
    ----------
    grad_output : array, shape (N, C, m_0, m_1) or (C, m_0, m_1), dtype of `input`
        Gradient of the means. Read only; any strides.
    input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, dilation
        As for `avg_pool2d`; of `input`, shape and dtype matter.
    fill_value, padding_mode
        As for `avg_pool2d`.

    Returns
    -------
    PoolGradients
        Named tuple (input, fill_value): shape of the input; shape of the fill value (() if it was
        left out), or None where the padding is no number that counts.

    Raises
    ------
    TypeError
        A kind of array, dtype or argument that is not accepted; integers have no gradients.
    ValueError
        Shapes disagree, a value is out of range, or no window fits.

    Notes
    -----
    The adjoint of the index map, one axis after the other: an element collects the gradients of the
    windows that see it, in their order, on one thread. Memory: two arrays the size of the
    larger of `input` and `grad_output`; nothing of the size of the padded input.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> ip.avg_pool2d_backward(np.ones((1, 3, 3)), np.ones((1, 2, 2)), 2, 1, padding=1)
    PoolGradients(input=array([[[1., 1.],
            [1., 1.]]]), fill_value=array(5.))
    """
    return _avg_backward(
        "avg_pool2d_backward", 2, grad_output, input, kernel_size, stride, padding, ceil_mode,
        count_include_pad, divisor_override, dilation, fill_value, padding_mode,
    )  # fmt: skip


def avg_pool3d_backward(
    grad_output: Any,
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dilation: Any = 1,
    fill_value: Any = None,
    padding_mode: Any = "constant",
) -> PoolGradients:
    """Gradients of `avg_pool3d` for its input and its fill value.

    Parameters
    ----------
    grad_output : array, shape (N, C, m_0, m_1, m_2) or (C, m_0, m_1, m_2), dtype of `input`
        Gradient of the result. Read only; any strides.
    input, ...
        As for `avg_pool3d`; floating dtypes only.

    Returns
    -------
    PoolGradients
        Named tuple (input, fill_value); see `avg_pool2d_backward`.

    Raises
    ------
    TypeError, ValueError
        As `avg_pool2d_backward` does.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> ip.avg_pool3d_backward(np.ones((1, 1, 1, 1)), np.zeros((1, 2, 2, 2)), 2).input.ravel()
    array([0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125])
    """
    return _avg_backward(
        "avg_pool3d_backward", 3, grad_output, input, kernel_size, stride, padding, ceil_mode,
        count_include_pad, divisor_override, dilation, fill_value, padding_mode,
    )  # fmt: skip


def _max_backward(
    function: str, rank: int, grad_output: Any, input: Any, kernel_size: Any, stride: Any,
    padding: Any, dilation: Any, ceil_mode: Any, fill_value: Any, padding_mode: Any,
) -> PoolGradients:  # fmt: skip
    if isinstance(input, PaddedArray):
        found = max_pool_geometry(
            function, rank, input, kernel_size, stride=stride, padding=padding, dilation=dilation,
            ceil_mode=ceil_mode, return_indices=True, fill_value=None, padding_mode=padding_mode,
        )  # fmt: skip

        def one(grad: Any, array: Any, widths: Any) -> Any:
            return _max_backward(
                function, rank, grad, array, kernel_size, stride, widths, dilation, False, None,
                "constant",
            ).input  # fmt: skip

        counted = fill_value is not None or any(axis.mode != "constant" for axis in found.axes)
        return _padded_backward(found, grad_output, input, fill_value, one, counted)
    compute = operation_of(
        "max_pool_backward", function, grad_output=grad_output, input=input, fill_value=fill_value
    )
    grad_output = as_array(function, "grad_output", grad_output)
    input = as_array(function, "input", input)
    check_floating(function, input.dtype)
    geometry = max_pool_geometry(
        function, rank, input, kernel_size, stride=stride, padding=padding, dilation=dilation,
        ceil_mode=ceil_mode, return_indices=True, fill_value=fill_value, padding_mode=padding_mode,
    )  # fmt: skip
    check_grad_output(function, grad_output, input, geometry)
    return PoolGradients(*compute(geometry, grad_output, input))


def _avg_backward(
    function: str, rank: int, grad_output: Any, input: Any, kernel_size: Any, stride: Any,
    padding: Any, ceil_mode: Any, count_include_pad: Any, divisor_override: Any, dilation: Any,
    fill_value: Any, padding_mode: Any,
) -> PoolGradients:  # fmt: skip
    if isinstance(input, PaddedArray):
        found = avg_pool_geometry(
            function, rank, input, kernel_size, stride=stride, padding=padding, dilation=dilation,
            ceil_mode=ceil_mode, count_include_pad=count_include_pad,
            divisor_override=divisor_override, fill_value=None, padding_mode=padding_mode,
        )  # fmt: skip

        def one(grad: Any, array: Any, widths: Any) -> Any:
            return _avg_backward(
                function, rank, grad, array, kernel_size, stride, widths, False, False,
                divisor_override, dilation, None, "constant",
            ).input  # fmt: skip

        return _padded_backward(found, grad_output, input, fill_value, one, count_include_pad)
    compute = operation_of(
        "avg_pool_backward", function, grad_output=grad_output, input=input, fill_value=fill_value
    )
    grad_output = as_array(function, "grad_output", grad_output)
    input = as_array(function, "input", input)
    geometry = avg_pool_geometry(
        function, rank, input, kernel_size, stride=stride, padding=padding, dilation=dilation,
        ceil_mode=ceil_mode, count_include_pad=count_include_pad,
        divisor_override=divisor_override, fill_value=fill_value, padding_mode=padding_mode,
    )  # fmt: skip
    check_grad_output(function, grad_output, input, geometry)
    return PoolGradients(*compute(geometry, grad_output, input))


def _padded_backward(
    geometry: PoolGeometry,
    grad_output: Any,
    input: PaddedArray,
    fill_value: Any,
    run: Callable[..., Any],
    counted: bool,
) -> PoolGradients:
    """`counted`: padding continues the border; otherwise windows do not see it."""
    from .padded.window_gradients import pool_backward

    function = geometry.function
    if fill_value is not None and not input.n_pad:
        raise ValueError(
            f"{function}: padding continues a PaddedArray by its own fill, got "
            f"fill_value={fill_value!r} with one that has no border; make that its fill."
        )
    found = pool_backward(function, grad_output, input, geometry.axes, run, counted, fill_value)
    return PoolGradients(found, found.fill)
