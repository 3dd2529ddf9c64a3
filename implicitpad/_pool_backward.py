"""Gradients of max pooling: max_pool1d_backward, max_pool2d_backward, max_pool3d_backward."""

from __future__ import annotations

from typing import Any

from ._backend import as_array, operation_of
from ._geometry_pool import check_floating, check_grad_output, check_indices, max_pool_geometry
from ._pool_gradients import PoolGradients, padded_backward
from .padded.array import PaddedArray


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
    indices: Any = None,
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
        ceil_mode, fill_value, padding_mode, indices,
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
    indices: Any = None,
) -> PoolGradients:
    """Gradients of `max_pool2d` for its input and its fill value.

    The gradient of a window goes to its maximum, by the rule that `max_pool2d` has for indices.

    Parameters
    ----------
    grad_output : array, shape (N, C, m_0, m_1) or (C, m_0, m_1), dtype of `input`
        Gradient of the values. Read only; any strides.
    input, kernel_size, stride, padding, dilation, ceil_mode, fill_value, padding_mode
        As for `max_pool2d`; floating dtypes only.
    indices : int64 array of the shape of `grad_output`, optional
        What `max_pool2d` has returned with ``return_indices=True`` for these arguments; left out,
        they are found again. Other indices get gradients to elements of the window, or nowhere.

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
    Unless they are given, finds the indices again, some rows at a time. Adds up plane by plane in
    the order of the windows, in the type of the input (float32 for shorter ones): bits do not
    depend on the number of threads, nor on whether indices are given. Memory beyond the result: a
    few MB, and rows for each thread.

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
        ceil_mode, fill_value, padding_mode, indices,
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
    indices: Any = None,
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
        ceil_mode, fill_value, padding_mode, indices,
    )  # fmt: skip


def _max_backward(
    function: str, rank: int, grad_output: Any, input: Any, kernel_size: Any, stride: Any,
    padding: Any, dilation: Any, ceil_mode: Any, fill_value: Any, padding_mode: Any, indices: Any,
) -> PoolGradients:  # fmt: skip
    if isinstance(input, PaddedArray):
        if indices is not None:
            raise ValueError(
                f"{function}: a PaddedArray has no indices, since those in its border vary with "
                f"the position, got indices of type {type(indices).__name__}; leave indices out."
            )
        found = max_pool_geometry(
            function, rank, input, kernel_size, stride=stride, padding=padding, dilation=dilation,
            ceil_mode=ceil_mode, return_indices=True, fill_value=None, padding_mode=padding_mode,
        )  # fmt: skip

        def one(grad: Any, array: Any, widths: Any) -> Any:
            return _max_backward(
                function, rank, grad, array, kernel_size, stride, widths, dilation, False, None,
                "constant", None,
            ).input  # fmt: skip

        counted = fill_value is not None or any(axis.mode != "constant" for axis in found.axes)
        return padded_backward(found, grad_output, input, fill_value, one, counted)
    compute = operation_of(
        "max_pool_backward", function, grad_output=grad_output, input=input, indices=indices
    )
    grad_output = as_array(function, "grad_output", grad_output)
    input = as_array(function, "input", input)
    check_floating(function, input.dtype)
    geometry = max_pool_geometry(
        function, rank, input, kernel_size, stride=stride, padding=padding, dilation=dilation,
        ceil_mode=ceil_mode, return_indices=True, fill_value=fill_value, padding_mode=padding_mode,
    )  # fmt: skip
    check_grad_output(function, grad_output, input, geometry)
    if indices is not None:
        indices = as_array(function, "indices", indices)
        check_indices(function, indices, geometry)
    return PoolGradients(*compute(geometry, grad_output, input, indices))
