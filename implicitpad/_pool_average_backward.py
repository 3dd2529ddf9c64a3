"""Gradients of average pooling: avg_pool1d_backward, avg_pool2d_backward, avg_pool3d_backward."""

from __future__ import annotations

from typing import Any

from ._backend import as_array, operation_of
from ._geometry_pool import avg_pool_geometry, check_grad_output
from ._pool_gradients import PoolGradients, padded_backward
from .padded.array import PaddedArray


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
    windows that see it, in their order, on one thread. Memory beyond the result: two rows for each
    thread, and the planes of one image where `grad_output` has to be converted.

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

        return padded_backward(found, grad_output, input, fill_value, one, count_include_pad)
    compute = operation_of("avg_pool_backward", function, grad_output=grad_output, input=input)
    grad_output = as_array(function, "grad_output", grad_output)
    input = as_array(function, "input", input)
    geometry = avg_pool_geometry(
        function, rank, input, kernel_size, stride=stride, padding=padding, dilation=dilation,
        ceil_mode=ceil_mode, count_include_pad=count_include_pad,
        divisor_override=divisor_override, fill_value=fill_value, padding_mode=padding_mode,
    )  # fmt: skip
    check_grad_output(function, grad_output, input, geometry)
    return PoolGradients(*compute(geometry, grad_output, input))
