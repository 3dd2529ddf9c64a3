"""Max pooling: the functions max_pool1d, max_pool2d, max_pool3d."""

from __future__ import annotations

from typing import Any

from ._backend import as_array, operation_of
from ._geometry_pool import max_pool_geometry
from .padded.array import PaddedArray


def max_pool1d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    fill_value: Any = None,
    padding_mode: Any = "constant",
) -> Any:
    r"""Largest element of each window of a signal; padding is imagined, never written.

    .. math:: y_{n,c,i} = \max_t x_{n,c,e(i s + t d - p)}

    Parameters
    ----------
    input : array, shape (N, C, L) or (C, L)
        Read only; any strides. See `max_pool2d` for dtypes.
    kernel_size, stride, dilation : int
        See `max_pool2d`.
    padding : int, ((before, after),) or str
        See `max_pool2d`; also ``"causal"``, all before.
    ceil_mode, return_indices, fill_value, padding_mode
        See `max_pool2d`.

    Returns
    -------
    array, shape (N, C, m) or (C, m), or two of them
        As from `max_pool2d`.

    Raises
    ------
    TypeError, ValueError
        As `max_pool2d` does.

    See Also
    --------
    max_pool2d : everything about parameters, numbers and cost.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> x = np.array([[1.0, 5.0, 2.0, 4.0]])
    >>> ip.max_pool1d(x, 3, stride=1, padding="causal")
    array([[1., 5., 5., 5.]])
    """
    return _max_pool(
        "max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices,
        fill_value, padding_mode,
    )  # fmt: skip


def max_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    fill_value: Any = None,
    padding_mode: Any = "constant",
) -> Any:
    r"""Largest element of each window of an image; padding is imagined, never written.

    .. math:: y_{n,c,i,j} = \max_{t,u} x_{n,c,e(i s_0 + t d_0 - p_0),e(j s_1 + u d_1 - p_1)}

    :math:`e` is the index map of `padding_mode`; where it has no source element, the window sees
    the fill value. A NaN in a window is its maximum.

    Parameters
    ----------
    input : array, shape (N, C, H, W) or (C, H, W)
        float32, float64, float16, bfloat16 or any integer type. Read only; any strides.
    kernel_size, stride, dilation : int or (int, int)
        Size of a window, steps between windows (left out: `kernel_size`) and between its elements,
        at least 1.
    padding : int, (int, int), ((top, bottom), (left, right)) or str
        Imagined elements; any width, negative ones crop. Names: ``"valid"``, ``"same"``,
        ``"same_lower"``, ``"full"``.
    ceil_mode : bool
        Windows may hang out of the padding by less than a stride, but have to start in the input
        or in the padding before it (PyTorch's rule, for any width: wide padding after the input
        is then not reached). What is outside the padding belongs to no window.
    return_indices : bool
        Also return where the maxima are.
    fill_value : number or shape (C,), optional
        What padding holds under mode "constant". Left out: nothing, so that padding never wins;
        a window wholly in the padding is then -inf, or the lowest value of an integer type.
    padding_mode : str or (str, str)
        Boundary mode, one for each axis: "constant", "replicate", "reflect", "symmetric",
        "circular", or a name that NumPy or SciPy has for one of them.

    Returns
    -------
    values : array, shape (N, C, m_0, m_1) or (C, m_0, m_1), dtype of the input
        m = (before + n + after - d (f - 1) - 1) // s + 1 on each axis; with `ceil_mode` as many as
        its rule has.
    indices : int64 array of that shape, if `return_indices`
        Index of the maximum in the flattened plane of the input: of equal elements the first of
        the window, of NaNs the last (PyTorch's rule). Under a boundary mode it is the index of the
        source element. -1: the fill value is larger than every element in the window, or there is
        none.

    Raises
    ------
    TypeError
        A kind of array, dtype or argument that is not accepted.
    ValueError
        A value is out of range, or no window fits.

    Notes
    -----
    Equals explicit padding followed by the same call, bit for bit. A window costs f_0 + f_1
    comparisons, with indices f_0 f_1; memory beyond the result is a few rows for each thread. Bits
    do not depend on the number of threads.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> x = np.arange(16.0).reshape(1, 4, 4)
    >>> values, indices = ip.max_pool2d(x, 3, 2, padding=1, return_indices=True)
    >>> values
    array([[[ 5.,  7.],
            [13., 15.]]])
    >>> indices
    array([[[ 5,  7],
            [13, 15]]])
    """
    return _max_pool(
        "max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices,
        fill_value, padding_mode,
    )  # fmt: skip


def max_pool3d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    fill_value: Any = None,
    padding_mode: Any = "constant",
) -> Any:
    r"""Largest element of each window of a volume; padding is imagined, never written.

    Parameters
    ----------
    input : array, shape (N, C, D, H, W) or (C, D, H, W)
        Read only; any strides. See `max_pool2d` for dtypes.
    kernel_size, stride, dilation : int or (int, int, int)
        See `max_pool2d`.
    padding : int, (int, int, int), three (before, after) pairs, or str
        See `max_pool2d`.
    ceil_mode, return_indices, fill_value, padding_mode
        See `max_pool2d`; a mode for each of three axes.

    Returns
    -------
    array, shape (N, C, m_0, m_1, m_2) or (C, m_0, m_1, m_2), or two of them
        As from `max_pool2d`.

    Raises
    ------
    TypeError, ValueError
        As `max_pool2d` does.

    See Also
    --------
    max_pool2d : everything about parameters, numbers and cost.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> ip.max_pool3d(np.arange(64).reshape(1, 4, 4, 4), 2, padding_mode="reflect")
    array([[[[21, 23],
             [29, 31]],
            [[53, 55],
             [61, 63]]]])
    """
    return _max_pool(
        "max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices,
        fill_value, padding_mode,
    )  # fmt: skip


def _max_pool(
    function: str, rank: int, input: Any, kernel_size: Any, stride: Any, padding: Any,
    dilation: Any, ceil_mode: Any, return_indices: Any, fill_value: Any, padding_mode: Any,
) -> Any:  # fmt: skip
    if isinstance(input, PaddedArray):
        from .padded.pooling import max_pool

        return max_pool(
            function, rank, input, _max_pool, kernel_size, stride, padding, dilation, ceil_mode,
            return_indices, fill_value, padding_mode,
        )  # fmt: skip
    pool = operation_of("pool", function, input=input, fill_value=fill_value)
    input = as_array(function, "input", input)
    geometry = max_pool_geometry(
        function, rank, input, kernel_size, stride=stride, padding=padding, dilation=dilation,
        ceil_mode=ceil_mode, return_indices=return_indices, fill_value=fill_value,
        padding_mode=padding_mode,
    )  # fmt: skip
    values, indices = pool(geometry, input, bool(return_indices))
    return (values, indices) if return_indices else values
