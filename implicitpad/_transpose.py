"""Transposed convolution: the functions conv_transpose1d, conv_transpose2d, conv_transpose3d."""

from __future__ import annotations

from typing import Any

from ._backend import as_array, operation_of
from ._geometry_transpose import transpose_geometry
from .padded.array import PaddedArray


def conv_transpose1d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Any:
    r"""Transposed convolution of signals: `conv1d` from its outputs back to its inputs.

    .. math:: y_{n,k,j} = b_k + \sum_{c} \sum_{i s + t d - p = j} w_{c,k,t}\, x_{n,c,i}

    Parameters
    ----------
    input : array, shape (N, C_in, L) or (C_in, L)
        Read only; any strides. See `conv2d` for dtypes.
    weight : array, shape (C_in, C_out / groups, f)
        Filters; library and dtype of `input`.
    bias : array, shape (C_out,), optional
    stride, dilation : int
        Steps between windows and between taps, in samples of the output, at least 1.
    padding : int or ((before, after),)
        Samples cropped from the output; negative ones extend it by the bias.
    output_padding : int
        Samples added after; less than `stride` or `dilation`.
    groups : int
        Divides C_in and C_out.

    Returns
    -------
    array, shape (N, C_out, m) or (C_out, m)
        m = (L - 1) s + d (f - 1) + 1 - before - after + output_padding.

    Raises
    ------
    TypeError
        A kind of array, dtype or argument that is not accepted.
    ValueError
        Shapes disagree, a value is out of range, or nothing of the output is left.

    See Also
    --------
    conv_transpose2d : more about numbers and cost.

    Examples
    --------
    Each sample becomes a copy of the filter:

    >>> import numpy as np
    >>> import implicitpad as ip
    >>> x = np.array([[1.0, 2.0, 3.0]])
    >>> ip.conv_transpose1d(x, np.array([[[1.0, 10.0]]]), stride=2)
    array([[ 1., 10.,  2., 20.,  3., 30.]])
    """
    return _conv_transpose(
        "conv_transpose1d",
        1,
        input,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )


def conv_transpose2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Any:
    r"""Transposed convolution of images: `conv2d` from its outputs back to its inputs.

    .. math:: y_{n,k,j} = b_k + \sum_{c} \sum_{i s + t d - p = j} w_{c,k,t}\, x_{n,c,i}

    Here i, j and t have one component for each axis. It is the gradient of `conv2d` for its input,
    and the usual layer to enlarge images with.

    Parameters
    ----------
    input : array, shape (N, C_in, H, W) or (C_in, H, W)
        NumPy or CuPy, or nested lists. Read only, any strides. See `conv2d` for dtypes.
    weight : array, shape (C_in, C_out / groups, f_H, f_W)
        Filters; library and dtype of `input` (int8 and uint8 may mix).
    bias : array, shape (C_out,), optional
    stride, dilation : int or (int, int)
        Steps between windows and between taps, in pixels of the output, at least 1.
    padding : int, (int, int) or ((before, after), (before, after))
        Pixels cropped from the output's sides, where a convolution with this padding had added
        them; negative ones extend it by the bias.
    output_padding : int or (int, int)
        Pixels added after, to choose among the sizes that a convolution with this stride maps to
        the same size; less than `stride` or `dilation`.
    groups : int
        Divides C_in and C_out.

    Returns
    -------
    array, shape (N, C_out, m_H, m_W) or (C_out, m_H, m_W)
        m = (n - 1) s + d (f - 1) + 1 - before - after + output_padding on each axis; dtype as for
        `conv2d`.

    Raises
    ------
    TypeError
        A kind of array, dtype or argument that is not accepted.
    ValueError
        Shapes disagree, a value is out of range, or nothing of the output is left.

    Notes
    -----
    An output is computed by the taps of its phase (position modulo stride) as an ordinary
    convolution: nothing is scattered, no zeros are put between pixels. The same call gives the same
    bits for any number of threads.

    Cost: N C_in (C_out / groups) f_H f_W n_H n_W multiply-adds. Memory beyond the result is the
    packed weights and a bounded workspace for each thread.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> x = np.array([[[1.0, 2.0]]])
    >>> ip.conv_transpose2d(x, np.ones((1, 1, 2, 2)), stride=2)
    array([[[1., 1., 2., 2.],
            [1., 1., 2., 2.]]])
    """
    return _conv_transpose(
        "conv_transpose2d",
        2,
        input,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )


def conv_transpose3d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Any:
    r"""Transposed convolution of volumes: `conv3d` from its outputs back to its inputs.

    .. math:: y_{n,k,j} = b_k + \sum_{c} \sum_{i s + t d - p = j} w_{c,k,t}\, x_{n,c,i}

    Parameters
    ----------
    input : array, shape (N, C_in, D, H, W) or (C_in, D, H, W)
        Read only; any strides. See `conv2d` for dtypes.
    weight : array, shape (C_in, C_out / groups, f_D, f_H, f_W)
        Filters; library and dtype of `input`.
    bias : array, shape (C_out,), optional
    stride, dilation : int or (int, int, int)
        Steps between windows and between taps, in voxels of the output, at least 1.
    padding : int, three ints or three (before, after) pairs
        Voxels cropped from the output; negative ones extend it by the bias.
    output_padding : int or (int, int, int)
        Voxels added after; less than `stride` or `dilation`.
    groups : int
        Divides C_in and C_out.

    Returns
    -------
    array, shape (N, C_out, m_D, m_H, m_W) or (C_out, m_D, m_H, m_W)
        m = (n - 1) s + d (f - 1) + 1 - before - after + output_padding on each axis.

    Raises
    ------
    TypeError
        A kind of array, dtype or argument that is not accepted.
    ValueError
        Shapes disagree, a value is out of range, or nothing of the output is left.

    See Also
    --------
    conv_transpose2d : more about numbers and cost.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> ip.conv_transpose3d(np.ones((1, 2, 2, 2)), np.ones((1, 4, 3, 3, 3)), stride=2).shape
    (4, 5, 5, 5)
    """
    return _conv_transpose(
        "conv_transpose3d",
        3,
        input,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )


def _conv_transpose(
    function: str,
    rank: int,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: Any,
    dilation: Any,
    kept: dict[Any, Any] | None = None,
) -> Any:
    """`kept`: what a layer keeps of its weights from call to call."""
    padded = isinstance(input, PaddedArray)
    core = input.core if padded else input
    compute = operation_of("conv_transpose", function, input=core, weight=weight, bias=bias)
    input = input if padded else as_array(function, "input", input)
    weight = as_array(function, "weight", weight)
    bias = None if bias is None else as_array(function, "bias", bias)
    geometry = transpose_geometry(
        function,
        rank,
        input,
        weight,
        bias,
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        groups=groups,
        dilation=dilation,
    )
    if padded:
        from .padded.transposed import conv_transpose

        def plain(array: Any, crop: Any) -> Any:
            return _conv_transpose(
                function, rank, array, weight, bias, stride, crop, 0, groups, dilation, kept
            )

        return conv_transpose(geometry, input, plain)
    return compute(geometry, input, weight, bias, kept)
