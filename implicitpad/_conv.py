"""Convolution: the functions conv1d, conv2d, conv3d."""

from __future__ import annotations

from typing import Any

from ._backend import as_array, backend_of
from ._geometry import conv_geometry
from .padded.array import PaddedArray


def conv1d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    *,
    fill_value: Any = None,
    padding_mode: Any = "constant",
    precision: str | None = None,
    out: Any = None,
) -> Any:
    r"""Convolve signals with filters; padding is imagined, never written.

    .. math:: y_{n,k,i} = b_k + \sum_{c,t} w_{k,c,t}\, x_{n,c,e(i s + t d - p)}

    Cross-correlation, as in neural networks. :math:`e` is the index map of `padding_mode`; where it
    has no source element, the window sees the fill value.

    Parameters
    ----------
    input : array, shape (N, C_in, L) or (C_in, L)
        Read only; any strides. See `conv2d` for dtypes.
    weight : array, shape (C_out, C_in / groups, f)
        Filters; library and dtype of `input`.
    bias : array, shape (C_out,), optional
    stride, dilation : int
        Steps between windows and between taps, in samples, at least 1.
    padding : int, ((before, after),) or str
        Imagined samples; any width, negative ones crop. Names: ``"valid"``, ``"same"``,
        ``"same_lower"``, ``"full"``, and ``"causal"``, all before: an output sees no later sample.
        One axis with two widths is a sequence of one pair, ``((before, after),)``.
    groups : int
        Divides C_in and C_out.
    fill_value : number or shape (C_in,), optional
        What padding holds under mode "constant"; 0 if left out.
    padding_mode : str
        Boundary mode, see `conv2d`.
    precision : {None, "default", "fast"}
        See `conv2d`.
    out : array, shape (N, C_out, m) or (C_out, m), optional
        Where to write; see `conv2d`.

    Returns
    -------
    array, shape (N, C_out, m) or (C_out, m)
        m = (before + L + after - d (f - 1) - 1) // s + 1.

    Raises
    ------
    TypeError
        A kind of array, dtype or argument that is not accepted.
    ValueError
        Shapes disagree, a value is out of range, or no window fits.

    See Also
    --------
    conv2d : more about the parameters, numbers and cost.

    Examples
    --------
    Moving sums that see only the past, which is 10 before the signal starts:

    >>> import numpy as np
    >>> import implicitpad as ip
    >>> x = np.array([[1.0, 2.0, 3.0, 4.0]])
    >>> ip.conv1d(x, np.ones((1, 1, 3)), padding="causal", fill_value=10.0)
    array([[21., 13.,  6.,  9.]])
    """
    return _conv(
        "conv1d", 1, input, weight, bias, stride, padding, dilation, groups,
        fill_value, padding_mode, precision, out,
    )  # fmt: skip


def conv2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    *,
    fill_value: Any = None,
    padding_mode: Any = "constant",
    precision: str | None = None,
    out: Any = None,
) -> Any:
    r"""Convolve images with filters; padding is imagined, never written.

    .. math:: y_{n,k,i,j} = b_k + \sum_{c,t,u} w_{k,c,t,u}\,
              x_{n,c,\,e(i s_0 + t d_0 - p_0),\,e(j s_1 + u d_1 - p_1)}

    Cross-correlation, as in neural networks. :math:`e` is the index map of `padding_mode`; where it
    has no source element, the window sees the fill value of channel c.

    Parameters
    ----------
    input : array, shape (N, C_in, H, W) or (C_in, H, W)
        NumPy or CuPy, or nested lists. float16, bfloat16, float32, float64, or integers. Read only,
        in place, with any strides. float16 and bfloat16 are summed in float32; bfloat16 numbers
        below its normal range (1.2e-38) count as zero where the processor multiplies them itself.
    weight : array, shape (C_out, C_in / groups, f_H, f_W)
        Filters; library, device and dtype of `input` (int8 and uint8 may mix).
    bias : array, shape (C_out,), optional
        dtype of `input`, of the sums or of the result; int32 for 8-bit input.
    stride : int or (int, int)
        Steps between windows, in pixels, at least 1.
    padding : int, (int, int), ((before, after), (before, after)) or str
        Imagined pixels around the image: an int for all sides; a sequence with one int per axis; or
        a sequence with one pair per axis. Whether the items are ints or pairs decides, and the
        forms may not be mixed. Any width, also wider than the image; negative ones crop. Names:
        ``"valid"`` is 0; ``"same"`` gives m = ceil(n / s), with the odd element after;
        ``"same_lower"`` has it before; ``"full"`` is d (f - 1) on every side.
    dilation : int or (int, int)
        Steps between the taps of a window, in pixels, at least 1.
    groups : int
        Divides C_in and C_out; group g of the filters sees group g of the channels.
    fill_value : number or shape (C_in,), optional
        What padding holds under mode "constant"; 0 if left out. Rounded to the dtype of `input` as
        a padded copy would hold it; NaN and infinities are values like others; for integers it must
        be exact. With CuPy arrays also a CuPy array (C_in,) of that dtype, which stays where it is.
    padding_mode : str or (str, str)
        One for all axes or one for each: "constant", "replicate" (the edge), "reflect" (about the
        edge element), "symmetric" (about the edge, which is repeated), "circular"; NumPy's, SciPy's
        and PyTorch's other names for these are understood, except that "reflect" is NumPy's. Where
        modes differ and a position is outside on several axes, "constant" wins.
    precision : {None, "default", "fast"}
        "fast" lets the library use algorithms with another error: Winograd's F(4x4, 3x3) and
        F(4, 3), at most 4e-6 of the largest output in float32; adding what a finite fill gives at
        once, instead of tap by tap; Fourier transforms of tiles for large filters of one channel
        each, at most 1e-6 of the largest output, or of the largest element (the fill among them)
        times the sum of the filter's absolute taps where that is more; two passes for such filters
        that are a column times a row. None is what the block of `precision` around the call says,
        else "default".
    out : array, shape of the result, optional
        Where to write, with the dtype of the result and any strides. It may not share memory with
        the other arrays; arrays whose address ranges overlap count as sharing.

    Returns
    -------
    array, shape (N, C_out, m_H, m_W) or (C_out, m_H, m_W)
        m = (before + n + after - d (f - 1) - 1) // s + 1 on each axis. dtype of `input` for floats,
        int32 for 8-bit integers, else int64 or uint64.

    Raises
    ------
    TypeError
        A kind of array, dtype or argument that is not accepted.
    ValueError
        Shapes disagree, a value is out of range, or no window fits.

    Notes
    -----
    The result equals explicit padding followed by the same call with padding 0: bit for bit on the
    CPU, and the same for any number of threads. 16-bit floats are summed in float32 and rounded
    once. Integers are exact, modulo the range of the result.

    Cost: N C_out (C_in / groups) f_H f_W m_H m_W multiply-adds. Memory beyond the result is the
    packed weights and a bounded workspace for each thread, whatever the padding. A call packs its
    weights; `Conv2d` packs them once.

    Examples
    --------
    A window wholly in the padding sees the fill under every tap, here 4 x 9:

    >>> import numpy as np
    >>> import implicitpad as ip
    >>> x = np.arange(4.0).reshape(1, 2, 2)
    >>> ip.conv2d(x, np.ones((1, 1, 2, 2)), padding=((2, 0), (1, 0)), fill_value=9.0)
    array([[[36., 36.],
            [27., 19.],
            [20.,  6.]]])
    """
    return _conv(
        "conv2d", 2, input, weight, bias, stride, padding, dilation, groups,
        fill_value, padding_mode, precision, out,
    )  # fmt: skip


def conv3d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    *,
    fill_value: Any = None,
    padding_mode: Any = "constant",
    precision: str | None = None,
    out: Any = None,
) -> Any:
    r"""Convolve volumes with filters; padding is imagined, never written.

    .. math:: y_{n,k,i} = b_k + \sum_{c,t} w_{k,c,t}\, x_{n,c,e(i s + t d - p)}

    Here i and t have one component for each of the three axes, see `conv2d`.

    Parameters
    ----------
    input : array, shape (N, C_in, D, H, W) or (C_in, D, H, W)
        Read only; any strides. See `conv2d` for dtypes.
    weight : array, shape (C_out, C_in / groups, f_D, f_H, f_W)
        Filters; library and dtype of `input`.
    bias : array, shape (C_out,), optional
    stride, dilation : int or (int, int, int)
        Steps between windows and between taps, in voxels, at least 1.
    padding : int, three ints, three (before, after) pairs, or str
        Imagined voxels; forms and names as for `conv2d`.
    groups : int
        Divides C_in and C_out.
    fill_value : number or shape (C_in,), optional
        What padding holds under mode "constant"; 0 if left out.
    padding_mode : str or (str, str, str)
        Boundary mode, or one for each axis, see `conv2d`.
    precision : {None, "default", "fast"}
        See `conv2d`.
    out : array, shape of the result, optional
        Where to write; see `conv2d`.

    Returns
    -------
    array, shape (N, C_out, m_D, m_H, m_W) or (C_out, m_D, m_H, m_W)
        m = (before + n + after - d (f - 1) - 1) // s + 1 on each axis.

    Raises
    ------
    TypeError
        A kind of array, dtype or argument that is not accepted.
    ValueError
        Shapes disagree, a value is out of range, or no window fits.

    See Also
    --------
    conv2d : more about the parameters, numbers and cost.

    Examples
    --------
    Outside a CT scan there is air, -1000 Hounsfield units:

    >>> import numpy as np
    >>> import implicitpad as ip
    >>> scan = np.full((1, 1, 4, 4, 4), -1000, np.int16)
    >>> mean = ip.conv3d(scan, np.ones((1, 1, 3, 3, 3), np.int16), padding=1, fill_value=-1000) / 27
    >>> mean.shape, bool((mean == -1000).all())
    ((1, 1, 4, 4, 4), True)
    """
    return _conv(
        "conv3d", 3, input, weight, bias, stride, padding, dilation, groups,
        fill_value, padding_mode, precision, out,
    )  # fmt: skip


def _conv(
    function: str,
    rank: int,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
    fill_value: Any,
    padding_mode: Any,
    precision: Any,
    out: Any,
) -> Any:
    if isinstance(input, PaddedArray):
        from .padded.windows import conv

        return conv(
            function,
            rank,
            input,
            weight,
            bias,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            fill_value=fill_value,
            padding_mode=padding_mode,
            precision=precision,
            out=out,
        )
    backend = backend_of(
        function, input=input, weight=weight, bias=bias, out=out, fill_value=fill_value
    )
    input = as_array(function, "input", input)
    weight = as_array(function, "weight", weight)
    bias = None if bias is None else as_array(function, "bias", bias)
    geometry = conv_geometry(
        function,
        rank,
        input,
        weight,
        bias,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        fill_value=fill_value,
        padding_mode=padding_mode,
        precision=precision,
        out=out,
    )
    return backend.conv(geometry, input, backend.pack_conv(geometry, weight, bias), out)
