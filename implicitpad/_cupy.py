"""Backend for CuPy arrays: allocate, launch, on the device and stream of the caller."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from . import _cuda_adjoint, _cuda_conv, _cuda_planes, _cuda_pool, _cuda_pool_gradient
from ._cuda_conv import PackedConv
from ._cuda_device import cupy_device


def pack_conv(geometry: Any, weight: Any, bias: Any, activation: Any = None) -> PackedConv:
    """Weights in the kernels' layout, on the device they are on."""
    device = cupy_device(weight.device.id)
    with device.current():
        return _cuda_conv.pack(device, weight, bias, geometry.compute, activation)


def wait(array: Any) -> None:
    """Wait for the current stream of the array's device, so that any other may go on from here."""
    cupy_device(array.device.id).synchronize()


def conv(
    geometry: Any,
    input: Any,
    packed: PackedConv,
    out: Any = None,
    fill: Any = None,
    residual: Any = None,
) -> Any:
    """Convolve on the device of the weights; the current stream of that device is used.

    `fill`, () or (C_in,), takes the place of the geometry's. `residual`, of the output's shape and
    dtype, is added before the activation.
    """
    if fill is not None:
        geometry = replace(geometry, fill=fill)
    device = packed.device
    with device.current():
        return _cuda_conv.conv(device, geometry, input, packed, out, residual=residual)


def prepare(geometry: Any, input: Any, packed: PackedConv, residual: Any = None) -> Any:
    """Compile and upload what `conv` needs, and return an output array for it.

    Afterwards `conv` with `out` and arrays of the same strides only launches, so that it may be
    captured in a CUDA graph.
    """
    device = packed.device
    with device.current():
        y = _cuda_conv.empty_output(device, geometry, input)
        if y.size:
            _cuda_conv.plan(device, geometry, input, packed, y, residual=residual)
        return y


def conv_transpose(
    geometry: Any, input: Any, weight: Any, bias: Any = None, kept: dict[Any, Any] | None = None
) -> Any:
    """The transposed convolution; nothing is allocated but the output and packed weights.

    `kept`: a layer's weights as packed so far.
    """
    kept = {} if kept is None else kept
    packed = kept.get("device")
    if packed is None:
        packed = kept["device"] = pack_conv(geometry, weight, bias)
    device = packed.device
    with device.current():
        return _cuda_adjoint.conv_transpose(device, geometry, input, packed)


def conv_backward(
    geometry: Any, grad_output: Any, input: Any, weight: Any, needs: Collection[str]
) -> tuple[Any, Any, Any, Any]:
    """Gradients for input, weight, bias and fill; None for those that `needs` does not name."""
    packed = pack_conv(geometry, weight, None)
    device = packed.device
    with device.current():
        call = (device, geometry, grad_output)
        return (
            _cuda_adjoint.input_gradient(*call, packed) if "input" in needs else None,
            _cuda_adjoint.weight_gradient(*call, input) if "weight" in needs else None,
            _cuda_adjoint.bias_gradient(*call) if "bias" in needs else None,
            _cuda_adjoint.fill_gradient(*call, packed) if "fill_value" in needs else None,
        )


def pool(geometry: Any, input: Any, indices: bool = False) -> tuple[Any, Any]:
    """Pooling: values, and indices of the maxima if wanted."""
    device = cupy_device(input.device.id)
    with device.current():
        return _cuda_pool.pool(device, geometry, input, indices)


def max_pool_backward(geometry: Any, grad_output: Any, input: Any, indices: Any) -> tuple[Any, Any]:
    """Gradients for input and fill value; the fill's is None if none was given."""
    device = cupy_device(input.device.id)
    with device.current():
        if indices is not None and not indices.flags.c_contiguous:
            indices = indices.copy(order="C")
        return _cuda_pool_gradient.max_pool_backward(device, geometry, grad_output, input, indices)


def avg_pool_backward(geometry: Any, grad_output: Any, input: Any) -> tuple[Any, Any]:
    """Gradients for input and fill value; the fill's is None where the padding does not count."""
    device = cupy_device(input.device.id)
    with device.current():
        return _cuda_pool_gradient.avg_pool_backward(device, geometry, grad_output, input)


def global_pool(operation: str, x: Any) -> Any:
    """The mean or maximum over the spatial axes of (N, C, *spatial), as (N, C)."""
    device = cupy_device(x.device.id)
    with device.current():
        return _cuda_planes.global_pool(device, operation, x)


def adaptive_mean(x: Any, sizes: tuple[int, ...]) -> Any:
    """Means of the parts that `sizes` divide the last axes into."""
    device = cupy_device(x.device.id)
    with device.current():
        return _cuda_planes.adaptive_mean(device, x, sizes)


def pad(x: Any, axes: tuple[Any, ...], fill: Any) -> Any:
    """The explicitly padded copy of one to three axes, the last ones."""
    device = cupy_device(x.device.id)
    with device.current():
        return _cuda_planes.pad(device, x, axes, fill)
