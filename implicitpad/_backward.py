"""Gradients: the functions conv1d_backward, conv2d_backward, conv3d_backward."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from ._backend import as_array, operation_of
from ._geometry import conv_geometry
from ._geometry_transpose import GRADIENTS, backward_geometry
from .padded.array import PaddedArray


class Gradients(NamedTuple):
    """Gradients of a convolution, of the shapes of what they are for; None where not needed.

    `fill_value` has the shape of the fill: () for a number, (C_in,) for one value per channel.
    """

    input: Any
    weight: Any
    bias: Any
    fill_value: Any


def conv1d_backward(
    grad_output: Any,
    input: Any,
    weight: Any,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    fill_value: Any = None,
    padding_mode: Any = "constant",
    precision: str | None = None,
    needs: Collection[str] = GRADIENTS,
) -> Gradients:
    """Gradients of `conv1d` for its input, weight, bias and fill value.

    Parameters
    ----------
    grad_output : array, shape (N, C_out, m) or (C_out, m)
        Gradient of the output; library and dtype of `input`. Read only; any strides.
    input, weight : array
        As for `conv1d`, float16, bfloat16, float32 or float64.
    stride, padding, dilation, groups, fill_value, padding_mode, precision
        As for `conv1d`.
    needs : collection of str
        Which gradients to compute, out of "input", "weight", "bias" and "fill_value".

    Returns
    -------
    Gradients
        Named tuple (input, weight, bias, fill_value); see `conv2d_backward`.

    Raises
    ------
    TypeError
        A kind of array or argument that is not accepted; integers have no gradients.
    ValueError
        Shapes disagree, a value is out of range, or no window fits.

    See Also
    --------
    conv2d_backward : formulas, numbers and cost.

    Examples
    --------
    Under "replicate", the first sample is also what two positions before it read:

    >>> import numpy as np
    >>> import implicitpad as ip
    >>> g, x, w = np.ones((1, 5)), np.array([[1.0, 2.0, 3.0]]), np.ones((1, 1, 1))
    >>> ip.conv1d_backward(g, x, w, padding=((2, 0),), padding_mode="replicate").input
    array([[3., 1., 1.]])
    """
    return _conv_backward(
        "conv1d_backward", 1, grad_output, input, weight, stride, padding, dilation, groups,
        fill_value, padding_mode, precision, needs,
    )  # fmt: skip


def conv2d_backward(
    grad_output: Any,
    input: Any,
    weight: Any,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    fill_value: Any = None,
    padding_mode: Any = "constant",
    precision: str | None = None,
    needs: Collection[str] = GRADIENTS,
) -> Gradients:
    r"""Gradients of `conv2d` for its input, weight, bias and fill value.

    .. math:: \partial x_{n,c,j} =
              \sum_{k} \sum_{(i,t):\, e(i s + t d - p) = j} w_{k,c,t}\, g_{n,k,i}

    .. math:: \partial w_{k,c,t} = \sum_{n,i} g_{n,k,i}\, x_{n,c,e(i s + t d - p)}

    with g the gradient of the output. The gradient for the bias sums g over images and windows; the
    one for the fill value of channel c sums :math:`w_{k,c,t}\, g_{n,k,i}` over the taps in the
    padding.

    Parameters
    ----------
    grad_output : array, shape (N, C_out, m_H, m_W) or (C_out, m_H, m_W)
        Gradient of the output; library and dtype of `input`. Read only; any strides.
    input, weight : array
        As for `conv2d`, float16, bfloat16, float32 or float64.
    stride, padding, dilation, groups, fill_value, padding_mode, precision
        As for `conv2d`.
    needs : collection of str
        Which gradients to compute, out of "input", "weight", "bias" and "fill_value".

    Returns
    -------
    Gradients
        Named tuple (input, weight, bias, fill_value) of arrays of the dtype of `input`; None for
        those not needed. Where no mode is "constant", the gradient for the fill is 0.

    Raises
    ------
    TypeError
        A kind of array or argument that is not accepted; integers have no gradients.
    ValueError
        Shapes disagree, a value is out of range, or no window fits.

    Notes
    -----
    Each gradient is gathered: a value is summed by one thread in one order, so that the same call
    gives the same bits for any number of threads. Sums of many pixels are sums of partial sums.

    With windows of 3x3 and stride 1, `input` and `weight` are computed by Winograd's algorithm
    where that is faster: F(2x2, 3x3), as accurate as direct sums, or, under precision="fast", also
    F(4x4, 3x3), with errors up to about 4e-6 of the largest value in float32. Infinities and NaN
    show where direct sums have them: what the transforms make of them is summed directly instead.

    Nothing is padded. With mode "constant", cost and memory depend on the windows that see the
    input: of the others only the sums of `grad_output` are used. Under the other modes a bounded
    piece at a time of the gradient at virtual positions is folded onto their sources.

    Cost: that of the convolution, for `input` and again for `weight`.

    Examples
    --------
    Widening the padding adds windows that see nothing but the fill: its gradient grows, while the
    one for the input stays.

    >>> import numpy as np
    >>> import implicitpad as ip
    >>> x, w = np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2))
    >>> for width in 1, 50:
    ...     g = np.ones((1, 1, 1 + 2 * width, 1 + 2 * width))
    ...     gradients = ip.conv2d_backward(g, x, w, padding=width, fill_value=7.0)
    ...     print(gradients.input.ravel(), gradients.fill_value)
    [4. 4. 4. 4.] 20.0
    [4. 4. 4. 4.] 40788.0
    """
    return _conv_backward(
        "conv2d_backward", 2, grad_output, input, weight, stride, padding, dilation, groups,
        fill_value, padding_mode, precision, needs,
    )  # fmt: skip


def conv3d_backward(
    grad_output: Any,
    input: Any,
    weight: Any,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    fill_value: Any = None,
    padding_mode: Any = "constant",
    precision: str | None = None,
    needs: Collection[str] = GRADIENTS,
) -> Gradients:
    """Gradients of `conv3d` for its input, weight, bias and fill value.

    Parameters
    ----------
    grad_output : array, shape (N, C_out, m_D, m_H, m_W) or (C_out, m_D, m_H, m_W)
        Gradient of the output; library and dtype of `input`. Read only; any strides.
    input, weight : array
        As for `conv3d`, float16, bfloat16, float32 or float64.
    stride, padding, dilation, groups, fill_value, padding_mode, precision
        As for `conv3d`.
    needs : collection of str
        Which gradients to compute, out of "input", "weight", "bias" and "fill_value".

    Returns
    -------
    Gradients
        Named tuple (input, weight, bias, fill_value); see `conv2d_backward`.

    Raises
    ------
    TypeError
        A kind of array or argument that is not accepted; integers have no gradients.
    ValueError
        Shapes disagree, a value is out of range, or no window fits.

    See Also
    --------
    conv2d_backward : formulas, numbers and cost.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> g, x, w = np.ones((3, 2, 2, 2)), np.ones((1, 3, 3, 3)), np.ones((3, 1, 2, 2, 2))
    >>> ip.conv3d_backward(g, x, w, needs=["bias"])
    Gradients(input=None, weight=None, bias=array([8., 8., 8.]), fill_value=None)
    """
    return _conv_backward(
        "conv3d_backward", 3, grad_output, input, weight, stride, padding, dilation, groups,
        fill_value, padding_mode, precision, needs,
    )  # fmt: skip


def _conv_backward(
    function: str,
    rank: int,
    grad_output: Any,
    input: Any,
    weight: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
    fill_value: Any,
    padding_mode: Any,
    precision: Any,
    needs: Any,
) -> Gradients:
    if isinstance(input, PaddedArray):
        return _padded_backward(
            function, rank, grad_output, input, weight, stride, padding, dilation, groups,
            fill_value, padding_mode, precision,
        )  # fmt: skip
    compute = operation_of(
        "conv_backward",
        function,
        grad_output=grad_output,
        input=input,
        weight=weight,
        fill_value=fill_value,
    )
    grad_output = as_array(function, "grad_output", grad_output)
    input = as_array(function, "input", input)
    weight = as_array(function, "weight", weight)
    geometry = backward_geometry(
        function,
        rank,
        grad_output,
        input,
        weight,
        needs,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        fill_value=fill_value,
        padding_mode=padding_mode,
        precision=precision,
    )
    return Gradients(*compute(geometry, grad_output, input, weight, needs))


def _padded_backward(
    function: str, rank: int, grad_output: Any, input: PaddedArray, weight: Any, stride: Any,
    padding: Any, dilation: Any, groups: Any, fill_value: Any, padding_mode: Any, precision: Any,
) -> Gradients:  # fmt: skip
    from .padded.window_gradients import conv_backward

    if fill_value is not None:
        raise ValueError(
            f"{function}: padding continues a PaddedArray by its own fill, got "
            f"fill_value={fill_value!r}; leave it out."
        )
    weight = as_array(function, "weight", weight)
    geometry = conv_geometry(
        function, rank, input, weight, None, stride=stride, padding=padding, dilation=dilation,
        groups=groups, fill_value=None, padding_mode=padding_mode, precision=precision, out=None,
    )  # fmt: skip

    def run(grad: Any, array: Any, widths: Any, fill: Any, mode: str) -> Gradients:
        return _conv_backward(
            function, rank, grad, array, weight, stride, widths, dilation, groups, fill, mode,
            precision, GRADIENTS,
        )  # fmt: skip

    grad, weight, bias = conv_backward(geometry, grad_output, input, run)
    return Gradients(grad, weight, bias, grad.fill)
