"""Backend for CuPy arrays: allocate, launch, on the device and stream of the caller."""

from __future__ import annotations

from typing import Any

from . import _cuda_conv
from ._cuda_conv import PackedConv
from ._cuda_device import cupy_device


def pack_conv(geometry: Any, weight: Any, bias: Any) -> PackedConv:
    """Weights in the kernels' layout, on the device they are on."""
    device = cupy_device(weight.device.id)
    with device.current():
        return _cuda_conv.pack(device, weight, bias, geometry.compute)


def conv(geometry: Any, input: Any, packed: PackedConv, out: Any = None) -> Any:
    """Convolve on the device of the weights; the current stream of that device is used."""
    device = packed.device
    with device.current():
        return _cuda_conv.conv(device, geometry, input, packed, out)


def prepare(geometry: Any, input: Any, packed: PackedConv, out: Any = None) -> Any:
    """Compile and upload what :func:`conv` needs, and return an output array for it.

    Afterwards ``conv(geometry, input, packed, out)`` with arrays of the same strides only
    launches, so that it may be captured in a CUDA graph.
    """
    device = packed.device
    with device.current():
        y = _cuda_conv.empty_output(device, geometry, input) if out is None else out
        if y.size:
            _cuda_conv.plan(device, geometry, input, packed, y)
        return y
