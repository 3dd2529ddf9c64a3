"""Shapes and costs: what a convolution would return and take, from shapes alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ._arguments import arithmetic, integer, named_padding, padding_widths, per_axis
from ._geometry import Axis, check_channels, check_input, check_weight, window_axes


class _Shape(NamedTuple):
    """An array of which only the shape is known."""

    shape: tuple[int, ...]


class ReceptiveField(NamedTuple):
    """Output i of a stack reads inputs i * stride - offset ... i * stride - offset + size - 1.

    One int for each spatial axis. Positions outside the input are padding.
    """

    size: tuple[int, ...]
    stride: tuple[int, ...]
    offset: tuple[int, ...]


class Cost(NamedTuple):
    """What a convolution takes."""

    multiply_adds: int
    parameters: int  # weights, without a bias
    input_bytes: int
    output_bytes: int
    padded_bytes: (
        int  # of the copy of the input that explicit padding would make; 0 without padding
    )


def output_shape(
    input_shape: Sequence[int],
    weight_shape: Sequence[int],
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> tuple[int, ...]:
    """Shape that `conv1d`, `conv2d` or `conv3d` returns for arrays of these shapes.

    m = (before + n + after - d (f - 1) - 1) // s + 1 on each spatial axis.

    Parameters
    ----------
    input_shape : sequence of int
        (N, C_in, *spatial) or (C_in, *spatial).
    weight_shape : sequence of int
        (C_out, C_in / groups, *kernel); its length decides the number of spatial axes.
    stride, padding, dilation, groups
        As for `conv2d`.

    Returns
    -------
    tuple of int
        (N, C_out, *m) or (C_out, *m).

    Raises
    ------
    TypeError, ValueError
        As the convolution itself, which makes the same checks.

    Examples
    --------
    >>> import implicitpad as ip
    >>> ip.output_shape((8, 3, 32, 32), (16, 3, 5, 5))
    (8, 16, 28, 28)
    >>> ip.output_shape((8, 3, 32, 32), (16, 3, 5, 5), stride=2, padding="same")
    (8, 16, 16, 16)
    """
    batch, axes = _resolve(
        "output_shape", input_shape, weight_shape, stride, padding, dilation, groups
    )
    return (*batch, weight_shape[0], *(axis.out for axis in axes))


def cost(
    input_shape: Sequence[int],
    weight_shape: Sequence[int],
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    *,
    dtype: Any = np.float32,
) -> Cost:
    """Arithmetic and memory of one convolution.

    Parameters
    ----------
    input_shape, weight_shape, stride, padding, dilation, groups
        As for `output_shape`.
    dtype : dtype
        Of the input.

    Returns
    -------
    Cost
        Named tuple (multiply_adds, parameters, input_bytes, output_bytes, padded_bytes);
        padded_bytes is what an explicitly padded copy would take: what the library does without.

    Raises
    ------
    TypeError, ValueError
        As the convolution itself.

    Examples
    --------
    >>> import implicitpad as ip
    >>> ip.cost((1, 64, 56, 56), (64, 64, 3, 3), padding=1)
    Cost(multiply_adds=115605504, parameters=36864, input_bytes=802816, output_bytes=802816, \
padded_bytes=861184)
    """
    name = "cost"
    batch, axes = _resolve(name, input_shape, weight_shape, stride, padding, dilation, groups)
    try:
        dtype = np.dtype(dtype)
    except TypeError:
        raise TypeError(
            f"{name}: dtype must be a dtype, got {dtype!r}; pass numpy.float32."
        ) from None
    images = math.prod(batch)
    outputs = images * weight_shape[0] * math.prod(axis.out for axis in axes)
    padded = images * groups * weight_shape[1] * math.prod(axis.virtual for axis in axes)
    untouched = all(axis.before == axis.after == 0 for axis in axes)
    return Cost(
        outputs * math.prod(weight_shape[1:]),
        math.prod(weight_shape),
        math.prod(input_shape) * dtype.itemsize,
        outputs * arithmetic(name, "dtype", dtype).out.itemsize,
        0 if untouched else padded * dtype.itemsize,
    )


def receptive_field(layers: Sequence[Mapping[str, Any]]) -> ReceptiveField:
    """What one output of a stack of layers sees of the stack's input.

    From the first layer on, with jump J = 1: size += d (f - 1) J, offset += before J, J *= stride.

    Parameters
    ----------
    layers : sequence of mappings, first layer first
        Each has "kernel_size" and may have "stride", "padding" and "dilation", given as for
        `conv2d`: ints, or one for each axis. Pooling layers are layers too. Padding "same" needs
        stride 1 here, as its widths depend on the input's size otherwise.

    Returns
    -------
    ReceptiveField
        Named tuple (size, stride, offset), each with one int for each axis (one axis if all layers
        are given by ints). Output i sees i * stride - offset ... i * stride - offset + size - 1.

    Raises
    ------
    TypeError
        Something else than mappings, or a value of the wrong kind.
    ValueError
        An unknown or missing key, or a value out of range.

    References
    ----------
    A. Araujo, W. Norris, J. Sim, Computing Receptive Fields of Convolutional Neural Networks,
    Distill, 2019, doi:10.23915/distill.00021.

    Examples
    --------
    >>> import implicitpad as ip
    >>> conv, pool = {"kernel_size": 3, "padding": 1}, {"kernel_size": 2, "stride": 2}
    >>> ip.receptive_field([conv, conv, pool, conv])
    ReceptiveField(size=(10,), stride=(2,), offset=(4,))
    """
    name = "receptive_field"
    rank = _check_layers(name, layers)
    size, jump, offset = [1] * rank, [1] * rank, [0] * rank
    for layer in layers:
        kernels = per_axis(name, "kernel_size", layer["kernel_size"], rank)
        strides = per_axis(name, "stride", layer.get("stride", 1), rank)
        dilations = per_axis(name, "dilation", layer.get("dilation", 1), rank)
        extents = [d * (f - 1) + 1 for d, f in zip(dilations, kernels, strict=True)]
        padding = layer.get("padding", 0)
        if not isinstance(padding, str):
            widths = padding_widths(name, padding, rank)
        elif padding.startswith("same") and max(strides) > 1:
            raise ValueError(
                f"{name}: the widths of padding {padding!r} depend on the input's size when stride "
                f"is above 1, got stride {strides}; pass widths as numbers."
            )
        else:
            widths = named_padding(name, padding, [1] * rank, extents, strides)
        for a in range(rank):
            size[a] += (extents[a] - 1) * jump[a]
            offset[a] += widths[a][0] * jump[a]
            jump[a] *= strides[a]
    return ReceptiveField(tuple(size), tuple(jump), tuple(offset))


_KEYS = ("kernel_size", "stride", "padding", "dilation")


def _check_layers(name: str, layers: Any) -> int:
    """The number of axes that mappings of layers have."""
    lengths = set()
    for index, layer in enumerate(layers if isinstance(layers, list | tuple) else (layers,)):
        if not isinstance(layer, Mapping) or layer is layers:
            raise TypeError(
                f"{name}: layers must be a sequence of mappings, got {layer!r}; "
                "pass [{'kernel_size': 3}]."
            )
        unknown = [key for key in layer if key not in _KEYS]
        if unknown or "kernel_size" not in layer:
            raise ValueError(
                f"{name}: a layer has the key 'kernel_size' and may have {', '.join(_KEYS[1:])}, "
                f"got layers[{index}] with {list(layer)}; name its numbers so."
            )
        lengths |= {len(v) for v in layer.values() if isinstance(v, tuple | list)}
    if len(lengths) > 1:
        raise ValueError(
            f"{name}: layers must agree on the number of axes, got values for {sorted(lengths)}; "
            "pass ints, or as many values for each."
        )
    return lengths.pop() if lengths else 1


def _resolve(
    name: str,
    input_shape: Any,
    weight_shape: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
) -> tuple[tuple[int, ...], tuple[Axis, ...]]:
    """() or (N,), and the axes."""
    input, weight = _shape_of(name, "input", input_shape), _shape_of(name, "weight", weight_shape)
    rank = len(weight.shape) - 2
    if not 1 <= rank <= 3:
        raise ValueError(
            f"{name}: weight_shape must be (C_out, C_in/groups, then 1 to 3 spatial axes), "
            f"got {weight_shape!r}; pass 3 to 5 ints."
        )
    batched, batch, channels = check_input(name, rank, input)
    groups = integer(name, "groups", groups, 1)
    check_weight(name, rank, weight, None, groups)
    check_channels(name, input, weight, groups, channels)
    axes = window_axes(
        name,
        "weight",
        input.shape[-rank:],
        weight.shape[2:],
        stride,
        padding,
        dilation,
        "constant",
    )
    return (batch,) if batched else (), axes


def _shape_of(name: str, array: str, shape: Any) -> _Shape:
    if not isinstance(shape, tuple | list):
        raise TypeError(
            f"{name}: {array}_shape must be a sequence of ints, got {shape!r}; pass {array}.shape."
        )
    return _Shape(tuple(integer(name, f"{array}_shape", length, 0) for length in shape))
