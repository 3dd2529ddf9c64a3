"""Transposed convolution with NumPy arrays: phases on the kernels of the forward convolution."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _columns_cpu, _conv_cpu, _threads, _transpose_cpu
from ._geometry import Axis, ConvGeometry
from ._geometry_transpose import TransposeAxis
from ._numpy import as_five, conv, pack_conv, raw

if TYPE_CHECKING:
    from ._geometry_transpose import TransposeGeometry

    Array = np.ndarray[Any, np.dtype[Any]]


# With fewer, the filters cost more to flip and to transform than is saved by computing with those.
_FEW_OUTPUTS = 128

# With fewer, transforming filters for F(4x4, 3x3) costs more than it saves beside F(2x2, 3x3).
_FAST_OUTPUTS = 512

# Up to so many, weights are taken as they lie.
_FEW_PIXELS = 128


@dataclass(frozen=True, slots=True)
class _PanelAxis:
    """What a transposed axis reads: the input once, with stride 1, for all phases of its outputs.

    Output q * step + r of phase r is reached by the taps k with k * dilation - first = r (modulo
    step), from input q - (k * dilation - first) // step.
    """

    size: int
    kernel: int
    dilation: int
    before: int
    out: int
    phases: tuple[int, int, tuple[tuple[int, int], ...]]

    @property
    def extent(self) -> int:
        return self.dilation * (self.kernel - 1) + 1


_UNIT = TransposeAxis(1, 1, 1, 1, 0, 1)
_WHOLE = _PanelAxis(1, 1, 1, 0, 1, (1, 1, ((0, 0),)))


def _panel_axis(axis: TransposeAxis) -> _PanelAxis:
    back, phases = zip(
        *[divmod(k * axis.dilation - axis.first, axis.stride) for k in range(axis.kernel)],
        strict=True,
    )
    dilation = math.gcd(*[back[-1] - reach for reach in back]) or 1
    taps = tuple(zip(phases, [(back[-1] - reach) // dilation for reach in back], strict=True))
    return _PanelAxis(
        axis.size,
        (back[-1] - back[0]) // dilation + 1,
        dilation,
        back[-1],
        -(-axis.out // axis.stride),
        (axis.stride, axis.out, taps),
    )


def conv_transpose(
    geometry: TransposeGeometry,
    input: Array,
    weight: Array,
    bias: Array | None = None,
    out: Array | None = None,
    precision: str = "default",
    kept: dict[Any, Any] | None = None,
) -> Array:
    """The transposed convolution of `input`; into `out` if given, which must not be empty.

    `kept` holds weights in the layouts asked for so far, for more calls with the same weights.
    Workspace: one panel for each thread, and the packed weights.
    """
    kept = {} if kept is None else kept
    if out is None:
        out = np.empty(geometry.out_shape, geometry.out_dtype)
    if out.size == 0:
        return out
    if _few_pixels(geometry):
        return _by_columns(geometry, input, weight, bias, out)
    outputs = geometry.batch * math.prod(axis.out for axis in geometry.axes)
    if outputs >= _FEW_OUTPUTS and all(axis.stride == 1 for axis in geometry.axes):
        precision = precision if outputs >= _FAST_OUTPUTS else "default"
        return _conv_flipped(geometry, input, weight, bias, out, precision, kept)
    if _by_phases(geometry, input, weight, bias, out, kept, winograd=True):
        direct = np.empty_like(out)
        _by_phases(geometry, input, weight, bias, direct, kept, winograd=False)
        np.copyto(out, direct, where=~np.isfinite(out))
    return out


def _by_phases(
    geometry: TransposeGeometry,
    input: Array,
    weight: Array,
    bias: Array | None,
    out: Array,
    kept: dict[Any, Any],
    winograd: bool,
) -> bool:
    """Returns whether Winograd may have spread an infinity or NaN; finite outputs are right."""
    x, y = as_five(input, geometry.batched), as_five(out, geometry.batched)
    axes = (_WHOLE,) * (3 - len(geometry.axes)) + tuple(
        [_panel_axis(axis) for axis in geometry.axes]
    )
    item = geometry.compute.itemsize
    elements = out.dtype.itemsize == item and y.strides[4] == item and y.flags.aligned
    elements = elements and all(stride % item == 0 for stride in y.strides)
    plan = _transpose_cpu.TransposePlan(
        axes,
        geometry.batch,
        geometry.in_channels,
        geometry.out_channels,
        geometry.groups,
        _conv_cpu.kernels(),
        _conv_cpu.codes(geometry.dtype.name, out.dtype.name),
        elements,
        winograd,
        _threads.get_num_threads(),
    )
    key = (plan.layout, _conv_cpu.get_instruction_set())
    packed = kept.get(key)
    if packed is None:
        # The kernels read (groups, filters, channels, taps): the second channel axis comes first.
        kernel = (1,) * (3 - len(geometry.axes)) + weight.shape[2:]
        taps = np.ascontiguousarray(weight, dtype=geometry.compute)
        taps = taps.reshape(geometry.groups, -1, weight.shape[1], *kernel).swapaxes(1, 2)
        packed = np.empty(plan.packed_bytes, np.uint8)
        plan.pack(taps, packed)
        kept[key] = packed
    if bias is None:
        bias = np.zeros(geometry.out_channels, geometry.compute)
    bias = np.ascontiguousarray(bias, dtype=geometry.compute)
    return plan.run(raw(x), packed, bias, raw(y))


def _few_pixels(geometry: TransposeGeometry) -> bool:
    """Would preparing the weights cost more than folding columns? Both look at the arithmetic."""
    pixels = geometry.batch * math.prod(axis.size for axis in geometry.axes)
    channels = geometry.in_channels // geometry.groups
    terms = geometry.out_channels // geometry.groups * math.prod(a.kernel for a in geometry.axes)
    return geometry.compute.kind == "f" and pixels <= _FEW_PIXELS and channels >= 64 <= terms


def _by_columns(
    geometry: TransposeGeometry, input: Array, weight: Array, bias: Array | None, out: Array
) -> Array:
    axes = (_UNIT,) * (3 - len(geometry.axes)) + geometry.axes
    taps = np.ascontiguousarray(weight, dtype=geometry.compute)
    if bias is None:
        bias = np.zeros(geometry.out_channels, geometry.compute)
    _columns_cpu.transpose_columns(
        axes,
        geometry.groups,
        raw(as_five(input, geometry.batched)),
        taps.reshape(*taps.shape[:2], -1),
        np.ascontiguousarray(bias, dtype=geometry.compute),
        raw(as_five(out, geometry.batched)),
        _conv_cpu.kernels(),
        _conv_cpu.codes(geometry.dtype.name, out.dtype.name),
        _threads.get_num_threads(),
    )
    return out


def _conv_flipped(
    geometry: TransposeGeometry,
    input: Array,
    weight: Array,
    bias: Array | None,
    out: Array,
    precision: str,
    kept: dict[Any, Any],
) -> Array:
    """With stride 1, a convolution with the filters flipped and its channel axes exchanged."""
    axes = []
    for axis in geometry.axes:
        before = axis.extent - 1 - axis.first
        after = axis.out + axis.extent - 1 - axis.size - before
        axes.append(Axis(axis.size, axis.kernel, 1, axis.dilation, before, after, "constant"))
    forward = ConvGeometry(
        geometry.function,
        geometry.batched,
        geometry.batch,
        geometry.in_channels,
        geometry.out_channels,
        geometry.groups,
        tuple(axes),
        np.zeros((), geometry.dtype),
        geometry.dtype,
        geometry.weight_dtype,
        geometry.compute,
        out.dtype,
        precision,
    )
    packed = kept.get(("flipped", geometry.compute))
    if packed is None:
        taps = np.ascontiguousarray(weight, dtype=geometry.compute)
        taps = taps.reshape(geometry.groups, -1, weight.shape[1], math.prod(weight.shape[2:]))
        flipped = np.empty((taps.shape[0], taps.shape[2], taps.shape[1], taps.shape[3]), taps.dtype)
        word = f"u{taps.itemsize}"
        _transpose_cpu.flip(taps.view(word), flipped.view(word))
        flipped = flipped.reshape(geometry.out_channels, -1, *weight.shape[2:])
        packed = kept["flipped", geometry.compute] = pack_conv(forward, flipped, bias)
    return conv(forward, input, packed, out)
