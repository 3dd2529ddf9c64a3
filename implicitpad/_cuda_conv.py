"""Convolution on a device: pack the weights, plan a geometry once, launch.

A plan holds all that a launch needs beside the arrays: the kernel, its grid, the tables of the
index map and the structure of parameters. Making one compiles, allocates and waits; running one
is a single launch on the current stream, so a prepared convolution can be captured in a graph.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._activation import NOTHING, Activation
from ._cuda_device import Device, kernel
from ._cuda_families import Launch, choose
from ._cuda_params import CONV, PACK, strides_of, structure, three
from ._cuda_table import THREADS, firsts, index_table

NULL = np.uint64(0)
PLANS = 64  # kept by one set of packed weights; the oldest goes first


@dataclass(eq=False)
class PackedConv:
    """Weights and bias in the layout of the kernels, an activation, and the plans made for them.

    ``weight`` is (kernel elements, channels of a group, output channels rounded up to four).
    """

    device: Device
    weight: Any
    bias: Any
    activation: Activation | None = None
    plans: dict[tuple[Any, ...], Plan] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Plan:
    """One launch, without the arrays that change from call to call."""

    kernel: Any
    launch: Launch
    fill: Any  # None if it comes with each call
    index: Any
    params: np.ndarray

    def __call__(self, x: Any, packed: PackedConv, y: Any, fill: Any, residual: Any) -> None:
        bias = NULL if packed.bias is None else packed.bias
        fill = fill if self.fill is None else self.fill
        residual = NULL if residual is None else residual
        arguments = (x, packed.weight, bias, fill, self.index, residual, y, self.params)
        launch = self.launch
        self.kernel(launch.grid, launch.block, arguments, shared_mem=launch.shared)


def pack(
    device: Device,
    weight: Any,
    bias: Any,
    compute: np.dtype,
    activation: Activation | None = None,
) -> PackedConv:
    """Bring weights of shape (O, I, *kernel), and a bias of shape (O,), into kernel layout."""
    return PackedConv(
        device,
        _packed(device, weight, weight.dtype),
        None if bias is None else _packed(device, bias, compute),
        activation,
    )


def _packed(device: Device, array: Any, to: np.dtype) -> Any:
    outputs, *rest = array.shape
    inputs, kernel_sizes = (rest[0], three(rest[1:], 1)) if rest else (1, (1, 1, 1))
    columns = -(-outputs // 4) * 4
    steps = [step // array.dtype.itemsize for step in array.strides]
    packed = device.empty((int(np.prod(kernel_sizes)), inputs, columns), to)
    params = structure(
        PACK,
        w_out=steps[0],
        w_in=steps[1] if rest else 0,
        w_axis=three(steps[2:], 0),
        outputs=outputs,
        packed_outputs=columns,
        inputs=inputs,
        kernel=kernel_sizes,
    )
    launch = kernel(device, "pack_weights", f"pack_weights<{array.dtype.name}, {to.name}>")
    launch((-(-packed.size // THREADS),), (THREADS,), (array, packed, params))
    return packed


@functools.lru_cache(maxsize=256)
def constant(device: Device, dtype: np.dtype, content: bytes) -> Any:
    """A small array on the device, uploaded once; any stream may read it."""
    array = device.asarray(np.frombuffer(content, dtype))
    device.synchronize()
    return array


def _window_offsets(params: np.void, axes: tuple[Any, ...]) -> np.ndarray:
    """Offset of every element of a window, taps then channels, from that of its first position."""
    offsets = np.zeros((), np.int64)
    before = three((axis.before for axis in axes), 0)
    for axis in range(3):
        taps = np.arange(params["kernel"][axis], dtype=np.int64) * params["dilation"][axis]
        offsets = offsets[..., None] + (taps - before[axis]) * params["x_axis"][axis]
    channels = np.arange(params["in_group"], dtype=np.int64) * params["x_channel"]
    return (offsets[..., None] + channels).reshape(-1)


def fill_bits(fill: Any) -> int:
    """The bytes of a scalar, in the low bytes of a 64-bit integer; 0 for one on each channel."""
    if fill.ndim:
        return 0
    return int.from_bytes(fill.astype(fill.dtype.newbyteorder("<")).tobytes(), "little")


def fill_array(device: Device, fill: Any) -> Any:
    """One value for each channel on the device, or a null pointer for a scalar."""
    if not fill.ndim:
        return NULL
    return constant(device, fill.dtype, fill.tobytes()) if isinstance(fill, np.ndarray) else fill


def plan(
    device: Device,
    geometry: Any,
    x: Any,
    packed: PackedConv,
    y: Any,
    family: str | None = None,
    residual: Any = None,
) -> Plan:
    """The plan for arrays of these strides; made at the first request, then kept with the weights.

    ``family`` names a kernel family to use instead of the one that the dispatch would choose.
    """
    fill = geometry.fill
    scalar, host = fill.ndim == 0, isinstance(fill, np.ndarray)
    key = (geometry.axes, geometry.batch, fill.tobytes() if host else None, scalar, x.strides,
           y.strides, None if residual is None else residual.strides, family)  # fmt: skip
    found = packed.plans.get(key)
    if found is None:
        if len(packed.plans) >= PLANS:
            del packed.plans[next(iter(packed.plans))]
        addend = y if residual is None else residual
        slope, low, high = (packed.activation or NOTHING).limits(geometry.compute)
        axes = geometry.axes
        params = structure(
            CONV,
            **strides_of(geometry.batched, x=x, y=y, r=addend),
            fill=fill_bits(fill),
            slope=fill_bits(slope),
            low=fill_bits(low),
            high=fill_bits(high),
            batch=geometry.batch,
            out_channels=geometry.out_channels,
            groups=geometry.groups,
            in_group=geometry.in_channels // geometry.groups,
            out_group=geometry.out_channels // geometry.groups,
            packed_outputs=packed.weight.shape[2],
            kernel=three((axis.kernel for axis in axes), 1),
            stride=three((axis.stride for axis in axes), 1),
            dilation=three((axis.dilation for axis in axes), 1),
            out=three((axis.out for axis in axes), 1),
            table=firsts(axes),
            fill_per_channel=not scalar,
            has_bias=packed.bias is not None,
            finishes=residual is not None or packed.activation is not None,
        )
        launch = choose(geometry, params[0], family)
        if launch.offsets:
            offsets = _window_offsets(params[0], axes)
            index = constant(device, offsets.dtype, offsets.tobytes())
        else:
            index = index_table(device, axes)
        found = packed.plans[key] = Plan(
            kernel(device, launch.source, launch.expression),
            launch,
            fill_array(device, fill) if host else None,
            index,
            params,
        )
    return found


def empty_output(device: Device, geometry: Any, x: Any) -> Any:
    """The output array: channels last if the input is, else in C order."""
    shape = geometry.out_shape
    channel = 1 if geometry.batched else 0
    if geometry.in_channels > 1 and x.strides[channel] == x.dtype.itemsize:
        moved = [axis for axis in range(len(shape)) if axis != channel] + [channel]
        y = device.empty(tuple(shape[axis] for axis in moved), geometry.out_dtype)
        return y.transpose(*np.argsort(moved).tolist())
    return device.empty(shape, geometry.out_dtype)


def conv(
    device: Device,
    geometry: Any,
    x: Any,
    packed: PackedConv,
    out: Any = None,
    family: str | None = None,
    residual: Any = None,
) -> Any:
    """Convolve: one launch, and one allocation if ``out`` is None."""
    y = empty_output(device, geometry, x) if out is None else out
    if y.size:
        ready = plan(device, geometry, x, packed, y, family, residual)
        ready(x, packed, y, geometry.fill, residual)
    return y
