"""Average pooling: the functions avg_pool1d, avg_pool2d, avg_pool3d."""

from __future__ import annotations

from typing import Any

from ._backend import as_array, operation_of
from ._geometry_pool import avg_pool_geometry
from .padded.array import PaddedArray


def avg_pool1d(
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
) -> Any:
    r"""Mean of each window of a signal; padding is imagined, never written.

    .. math:: y_{n,c,i} = \frac{1}{f} \sum_t x_{n,c,e(i s + t d - p)}

    Parameters
    ----------
    input : array, shape (N, C, L) or (C, L)
        Read only; any strides. See `avg_pool2d` for dtypes.
    kernel_size, stride, dilation : int
        See `avg_pool2d`.
    padding : int, ((before, after),) or str
        See `avg_pool2d`; also ``"causal"``, all before.
    ceil_mode, count_include_pad, divisor_override, fill_value, padding_mode
        See `avg_pool2d`.

    Returns
    -------
    array, shape (N, C, m) or (C, m)
        As from `avg_pool2d`.

    Raises
    ------
    TypeError, ValueError
        As `avg_pool2d` does.

    See Also
    --------
    avg_pool2d : everything about parameters, numbers and cost.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> x = np.array([[2.0, 4.0, 6.0]])
    >>> ip.avg_pool1d(x, 3, 1, padding=1, padding_mode="replicate")
    array([[2.66666667, 4.        , 5.33333333]])
    """
    return _avg_pool(
        "avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
        divisor_override, dilation, fill_value, padding_mode,
    )  # fmt: skip


def avg_pool2d(
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
) -> Any:
    r"""Mean of each window of an image; padding is imagined, never written.

    .. math:: y_{n,c,i,j} = \frac{1}{f_0 f_1} \sum_{t,u}
              x_{n,c,e(i s_0 + t d_0 - p_0),e(j s_1 + u d_1 - p_1)}

    :math:`e` is the index map of `padding_mode`; where it has no source element, the window sees
    the fill value.

    Parameters
    ----------
    input : array, shape (N, C, H, W) or (C, H, W)
        float32, float64, float16 or bfloat16; the last two are summed in float32. Read only; any
        strides.
    kernel_size, stride, dilation : int or (int, int)
        Size of a window, steps between windows (left out: `kernel_size`) and between its elements,
        at least 1.
    padding : int, (int, int), ((top, bottom), (left, right)) or str
        Imagined elements; any width, negative ones crop. Names: ``"valid"``, ``"same"``,
        ``"same_lower"``, ``"full"``.
    ceil_mode : bool
        Windows may hang out of the padding by less than a stride, but have to start in the input
        or in the padding before it (PyTorch's rule, for any width: wide padding after the input
        is then not reached). What is outside the padding belongs to no window and does not count.
    count_include_pad : bool
        False: padding does not count; the mean is that of the elements of the input in the window,
        and NaN (0 / 0) where there is none. Takes no fill value and no other boundary mode.
    divisor_override : int, optional
        Divide every sum by this instead of the number of elements; not 0.
    fill_value : number or shape (C,), optional
        What padding holds under mode "constant"; 0 if left out.
    padding_mode : str or (str, str)
        Boundary mode, one for each axis: "constant", "replicate", "reflect", "symmetric",
        "circular", or a name that NumPy or SciPy has for one of them.

    Returns
    -------
    array, shape (N, C, m_0, m_1) or (C, m_0, m_1), dtype of the input
        m = (before + n + after - d (f - 1) - 1) // s + 1 on each axis; with `ceil_mode` as many as
        its rule has.

    Raises
    ------
    TypeError
        A kind of array, dtype or argument that is not accepted.
    ValueError
        A value is out of range, arguments exclude each other, or no window fits.

    Notes
    -----
    Equals explicit padding followed by the same call, bit for bit. A window costs f_0 + f_1
    additions: there are no running sums, so that a NaN or an infinity stays in the windows that
    hold it. Memory beyond the result is a few rows for each thread. Bits do not depend on the
    number of threads.

    Examples
    --------
    Slides are white outside the tissue:

    >>> import numpy as np
    >>> import implicitpad as ip
    >>> x = np.zeros((1, 2, 2))
    >>> ip.avg_pool2d(x, 2, 1, padding=1, fill_value=1.0)
    array([[[0.75, 0.5 , 0.75],
            [0.5 , 0.  , 0.5 ],
            [0.75, 0.5 , 0.75]]])
    """
    return _avg_pool(
        "avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
        divisor_override, dilation, fill_value, padding_mode,
    )  # fmt: skip


def avg_pool3d(
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
) -> Any:
    r"""Mean of each window of a volume; padding is imagined, never written.

    Parameters
    ----------
    input : array, shape (N, C, D, H, W) or (C, D, H, W)
        Read only; any strides. See `avg_pool2d` for dtypes.
    kernel_size, stride, dilation : int or (int, int, int)
        See `avg_pool2d`.
    padding : int, (int, int, int), three (before, after) pairs, or str
        See `avg_pool2d`.
    ceil_mode, count_include_pad, divisor_override, fill_value, padding_mode
        See `avg_pool2d`; a mode for each of three axes.

    Returns
    -------
    array, shape (N, C, m_0, m_1, m_2) or (C, m_0, m_1, m_2)
        As from `avg_pool2d`.

    Raises
    ------
    TypeError, ValueError
        As `avg_pool2d` does.

    See Also
    --------
    avg_pool2d : everything about parameters, numbers and cost.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> ip.avg_pool3d(np.arange(8.0).reshape(1, 2, 2, 2), 2)
    array([[[[3.5]]]])
    """
    return _avg_pool(
        "avg_pool3d", 3, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
        divisor_override, dilation, fill_value, padding_mode,
    )  # fmt: skip


def _avg_pool(
    function: str, rank: int, input: Any, kernel_size: Any, stride: Any, padding: Any,
    ceil_mode: Any, count_include_pad: Any, divisor_override: Any, dilation: Any, fill_value: Any,
    padding_mode: Any,
) -> Any:  # fmt: skip
    if isinstance(input, PaddedArray):
        from .padded.pooling import avg_pool

        return avg_pool(
            function, rank, input, _avg_pool, kernel_size, stride, padding, ceil_mode,
            count_include_pad, divisor_override, dilation, fill_value, padding_mode,
        )  # fmt: skip
    pool = operation_of("pool", function, input=input, fill_value=fill_value)
    input = as_array(function, "input", input)
    geometry = avg_pool_geometry(
        function, rank, input, kernel_size, stride=stride, padding=padding, dilation=dilation,
        ceil_mode=ceil_mode, count_include_pad=count_include_pad,
        divisor_override=divisor_override, fill_value=fill_value, padding_mode=padding_mode,
    )  # fmt: skip
    return pool(geometry, input, False)[0]
