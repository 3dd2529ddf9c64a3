"""Padded arrays with CuPy cores: the rules of those with NumPy cores, without waiting.

Without a GPU the arrays are CuPy's in emulated memory; convolution, pooling and their gradients are
the kernels that a GPU gets, elementwise arithmetic is NumPy's under CuPy's rules.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import has_gpu

import implicitpad as ip
from implicitpad import nn
from implicitpad.padded import normalization, resizing, resizing_gradients
from implicitpad.padded.gradients import (
    PaddedGrad,
    concatenate_backward,
    crop_backward,
    elementwise_backward,
)
from implicitpad.padded.normalization_gradients import batch_norm_backward, group_norm_backward
from implicitpad.padded.reduction_gradients import global_average_backward, global_maximum_backward

cupy = pytest.importorskip("cupy", reason="CuPy is not installed")

CORE = np.random.default_rng(1).standard_normal((2, 3, 6, 5)).astype(np.float32)
OTHER = np.random.default_rng(2).standard_normal((2, 3, 4, 5)).astype(np.float32)
FILL = np.array([1.0, -2.0, 3.0], np.float32)
W = np.random.default_rng(3).standard_normal((4, 3, 3, 3)).astype(np.float32)
BIAS = np.arange(4, dtype=np.float32)
UP = np.random.default_rng(4).standard_normal((3, 3, 2, 2)).astype(np.float32)


class Case:
    """Arrays of one kind: on the host, or on a device."""

    def __init__(self, put) -> None:
        self.put = put
        self.x = ip.PaddedArray(put(CORE.copy()), 4, FILL)
        self.smaller = ip.PaddedArray(put(OTHER), ((4, 6), (4, 4)), FILL)
        self.w, self.bias, self.up, self.fill = map(put, (W, BIAS, UP, FILL))
        each = np.arange(6, dtype=np.float32).reshape(2, 3)
        self.each = ip.PaddedArray(self.x.core, 2, put(each))  # a fill for each sample
        phases = np.arange(18, dtype=np.float32).reshape(1, 3, 2, 3)
        self.periodic = ip.PaddedArray(self.x.core, ((4, 6), (4, 3)), put(phases))

    def grad(self, y: Any) -> PaddedGrad:
        return PaddedGrad(y.core * 0.5, y.fill * 0.25)


EXACT = {
    "exp": lambda c: np.exp(c.x),
    "arithmetic": lambda c: 2 * c.x - c.x / 3,
    "by channel": lambda c: c.x * c.put(FILL.reshape(3, 1, 1)) + 1,
    "a NumPy number": lambda c: c.x * np.array(2.0, np.float32),
    "add": lambda c: c.x + c.smaller,
    "in place": lambda c: c.x.__imul__(2),
    "compare": lambda c: c.x > 0,
    "where": lambda c: np.where(c.x > 0, c.x, 0),
    "clip": lambda c: np.clip(c.x, 0, None),
    "nan_to_num": lambda c: np.nan_to_num(c.x),
    "round": lambda c: np.round(c.x, 1),
    "astype": lambda c: c.x.astype(np.float64),
    "ones_like": lambda c: np.ones_like(c.x),
    "copy": lambda c: np.copy(c.x),
    "concatenate": lambda c: np.concatenate([c.x, c.smaller], 1),
    "concatenate in space": lambda c: np.concatenate([c.x, c.x], 3),
    "flip": lambda c: np.flip(c.periodic, (0, 2)),
    "slices": lambda c: c.x[:, :2, 1:-2:2, ::-1],
    "slices of a periodic fill": lambda c: c.periodic[:, :, 1::3, ::-1],
    "transpose": lambda c: np.transpose(c.x, (0, 1, 3, 2)),
    "pad": lambda c: np.pad(c.x, ((0, 0), (0, 0), (1, 1), (2, 0)), mode="edge"),
    "extend": lambda c: c.x.extend(((3, -2), (0, 1))),
    "trim": lambda c: c.x.extend(1).trim(),
    "infer": lambda c: ip.PaddedArray.infer(c.x.materialize()),
    "materialize": lambda c: c.periodic.materialize(),
    "max": lambda c: c.x.max(),
    "min over one axis": lambda c: c.x.min(axis=3, keepdims=True),
    "any": lambda c: (c.x > 2).any(),
    "all": lambda c: (c.x > 2).all(axis=(2, 3)),
    "argmax": lambda c: np.argmax(c.x),
    "argmax of channels": lambda c: np.argmax(c.x, axis=1, keepdims=True),
    "array_equal": lambda c: np.array_equal(c.x, c.x + 0),
    "repeat": lambda c: resizing.repeat(c.periodic, (2, 3)),
    "pixel_shuffle": lambda c: resizing.pixel_shuffle(np.concatenate([c.x, c.x], 1)[:, :4], (2, 2)),
    "pixel_unshuffle": lambda c: resizing.pixel_unshuffle(c.periodic[:, :, 1:15, :12], (2, 3)),
    "max_pool2d": lambda c: ip.max_pool2d(c.x, 3, 2, padding=1),
    "max_pool2d of a periodic fill": lambda c: ip.max_pool2d(c.periodic, 3, 2),
    "global_max_pool": lambda c: ip.global_max_pool(c.x, True),
}  # fmt: skip
SUMS = {
    "sum": lambda c: c.x.sum(),
    "sum over one axis": lambda c: c.x.sum(axis=2, keepdims=True),
    "mean": lambda c: c.periodic.mean(axis=(2, 3)),
    "var": lambda c: c.x.var(axis=(0, 2, 3), keepdims=True),
    "prod": lambda c: np.prod(c.x * 0 + 1),
    "allclose": lambda c: np.allclose(c.x, c.x * 1.0),
    "conv2d": lambda c: ip.conv2d(c.x, c.w, c.bias, stride=2, padding=3),
    "conv2d dilated": lambda c: ip.conv2d(c.x, c.w, dilation=2, padding_mode="edge", padding=1),
    "conv2d of channels in another order": lambda c: ip.conv2d(c.x[:, ::-1], c.w),
    "conv2d of a fill for each sample": lambda c: ip.conv2d(c.each, c.w),
    "conv2d of a periodic fill": lambda c: ip.conv2d(c.periodic, c.w, stride=3),
    "conv2d that continues the border": lambda c: ip.conv2d(c.x, c.w, padding=1, fill_value=FILL),
    "conv_transpose2d": lambda c: ip.conv_transpose2d(c.x, c.up, stride=2),
    "conv_transpose2d of a periodic fill": lambda c: ip.conv_transpose2d(
        c.periodic, c.up, padding=1
    ),
    "a layer": lambda c: ip.Conv2d(c.w, c.bias)(c.x),
    "avg_pool2d": lambda c: ip.avg_pool2d(c.x, 3, 2, padding=1, fill_value=FILL),
    "global_avg_pool": lambda c: ip.global_avg_pool(c.x),
    "adaptive_avg_pool2d": lambda c: ip.adaptive_avg_pool2d(c.x, (3, 4)),
    "interpolate": lambda c: resizing.interpolate(c.x, (7, 30)),
    "batch_norm": lambda c: normalization.batch_norm(c.x, None, None, c.fill, FILL),
    "batch_norm, given": lambda c: normalization.batch_norm(c.x, c.fill, FILL**2, c.fill),
    "group_norm": lambda c: normalization.group_norm(c.x, 3, c.fill, c.fill),
    "layer_norm": lambda c: normalization.layer_norm(c.x),
    "softmax": lambda c: normalization.softmax(c.x),
}  # fmt: skip


def backward_of_conv(c, x):
    y = ip.conv2d(x, c.w, stride=2)
    return ip.conv2d_backward(c.grad(y), x, c.w, stride=2)


def backward_of_pool(c, name):
    y = getattr(ip, name)(c.x, 3, 2)
    return getattr(ip, f"{name}_backward")(c.grad(y), c.x, 3, 2).input


def backward_of_interpolation(c):
    y = resizing.interpolate(c.x, (40, 25))
    return resizing_gradients.interpolate_backward(c.grad(y), c.x, (40, 25))


BACKWARD = {
    "PaddedGrad.of": lambda c: PaddedGrad.of(c.periodic, c.periodic.materialize()),
    "conv2d": lambda c: backward_of_conv(c, c.x),
    "conv2d of a fill for each sample": lambda c: backward_of_conv(c, c.each),
    "conv2d of a periodic fill": lambda c: backward_of_conv(c, c.periodic),
    "max_pool2d": lambda c: backward_of_pool(c, "max_pool2d"),
    "avg_pool2d": lambda c: backward_of_pool(c, "avg_pool2d"),
    "multiply": lambda c: elementwise_backward(
        c.grad(c.x * c.smaller), [c.x, c.smaller], [lambda a, b: b, lambda a, b: a]
    ),
    "concatenate": lambda c: concatenate_backward(
        c.grad(np.concatenate([c.x, c.smaller], 1)), [c.x, c.smaller], c.x.spans
    ),
    "crop": lambda c: crop_backward(c.grad(c.x[:, :, 2:9, 1:8]), c.x, (2, 1), (7, 7)),
    "interpolate": backward_of_interpolation,
    "repeat": lambda c: resizing_gradients.repeat_backward(
        c.grad(resizing.repeat(c.periodic, (2, 3))), c.periodic, (2, 3)
    ),
    "batch_norm": lambda c: batch_norm_backward(c.grad(c.x), c.x, FILL, 1e-5),
    "group_norm": lambda c: group_norm_backward(c.grad(c.x), c.x, 3, c.fill, 1e-5),
    "global_avg_pool": lambda c: global_average_backward(ip.global_avg_pool(c.x, True), c.x),
    "global_max_pool": lambda c: global_maximum_backward(
        ip.global_max_pool(c.x, True), c.x, ip.global_max_pool(c.x, True)
    ),
}


def parts(device, result: Any) -> list[Any]:
    """The arrays of a result, on the host, and where the core lies."""
    if isinstance(result, ip.PaddedArray):
        assert isinstance(result.fill, type(result.core))
        return [np.array(result.pad), *parts(device, (result.core, result.fill))]
    if isinstance(result, PaddedGrad):
        return parts(device, (result.core, result.fill))
    if isinstance(result, (tuple, list)):
        return [part for item in result for part in parts(device, item)]
    return [device.asnumpy(result) if isinstance(result, cupy.ndarray) else np.asarray(result)]


@pytest.mark.parametrize("rule", [*EXACT, *SUMS, *(f"gradient of {name}" for name in BACKWARD)])
def test_a_rule_gives_what_it_gives_on_the_cpu(on_device, rule):
    run = (EXACT | SUMS | {f"gradient of {name}": rule for name, rule in BACKWARD.items()})[rule]
    got, want = run(Case(on_device.asarray)), run(Case(lambda array: array))
    assert type(got) is type(want) or isinstance(got, cupy.ndarray)
    for ours, theirs in zip(parts(on_device, got), parts(on_device, want), strict=True):
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
        scale = np.abs(theirs, dtype=float).max(initial=1.0)
        tolerance = 0 if rule in EXACT and not has_gpu() else 1e-5
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * scale)


def network(layers, x):
    """Convolution, activation, pooling, upsampling, a skip, normalisation, one number a channel."""
    first, second, up = layers
    y = np.maximum(first(x), 0)
    z = np.maximum(second(ip.max_pool2d(y, 2)), 0)
    z = ip.conv_transpose2d(z.extend(1), up, stride=2, padding=2)
    z = resizing.repeat(ip.avg_pool2d(z, 2), (2, 2))
    y = y[:, :, : z.shape[2], : z.shape[3]]
    z = np.concatenate([z, y], 1)
    return ip.global_avg_pool(normalization.group_norm(z, 4))


def test_a_network_called_again_neither_waits_nor_copies_from_the_host(on_device):
    put = on_device.asarray
    layers = ip.Conv2d(put(W), put(BIAS)), ip.Conv2d(put(np.ones((4, 4, 3, 3), np.float32)))
    up = put(np.ones((4, 4, 2, 2), np.float32))
    x = ip.PaddedArray(put(CORE), 20, FILL)
    first = network((*layers, up), x)
    if has_gpu():
        from cupyx import allow_synchronize

        with allow_synchronize(False):
            again = network((*layers, up), x)
    else:
        on_device.waits = on_device.uploads = 0
        again = network((*layers, up), x)
        assert (on_device.waits, on_device.uploads) == (0, 0)
    np.testing.assert_array_equal(on_device.asnumpy(first), on_device.asnumpy(again))


def layers_of(put):
    """A network with every kind of parameter, on the host or on a device."""
    found = nn.Sequential(
        nn.Conv2d(3, 4, 3, rng=1), nn.BatchNorm(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.GroupNorm(2, 4), nn.Upsample(2), nn.ConvTranspose2d(4, 4, 2, stride=2, rng=2),
        nn.GlobalAvgPool(),
    )  # fmt: skip
    for layer in found.layers:
        for name in ("weight", "bias"):
            if getattr(layer, name, None) is not None:
                setattr(layer, name, put(np.asarray(getattr(layer, name))))
    return found


def test_layers_with_their_weights_on_the_device(on_device):
    results = []
    for put in (lambda array: array, on_device.asarray):
        y, back = layers_of(put).linearize(ip.PaddedArray(put(CORE), 10, 1.0))
        gradient, _ = back(y * 0 + 1)
        results.append(parts(on_device, (y, gradient)))
    for theirs, ours in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


REFUSED = {
    "a core here, a fill there": lambda c: ip.PaddedArray(CORE, 1, c.fill),
    "a core there, an operand here": lambda c: c.x * FILL.reshape(3, 1, 1),
    "a core here, an operand there": lambda c: ip.PaddedArray(CORE, 4) + c.x,
    "weights here": lambda c: ip.conv2d(c.x, W),
    "arrays to join": lambda c: np.concatenate([c.x, ip.PaddedArray(CORE, 4, FILL)], 1),
    "a fill value there, an input here": lambda c: ip.conv2d(CORE, W, fill_value=c.fill),
}


@pytest.mark.parametrize("what", REFUSED)
def test_arrays_of_two_kinds_are_one_error(on_device, what):
    with pytest.raises(TypeError, match=r"^.*: all arrays must live on one device, but .*\.$"):
        REFUSED[what](Case(on_device.asarray))


def test_numpy_asarray_does_not_copy_from_the_device(on_device):
    with pytest.raises(TypeError, match="call materialize"):
        np.asarray(Case(on_device.asarray).x)


def test_a_reduction_that_cupy_lacks_is_refused(on_device):
    with pytest.raises(TypeError, match=r"np\.logaddexp\.reduce: CuPy has no such reduction"):
        np.logaddexp.reduce(Case(on_device.asarray).x, axis=(2, 3))


def test_a_fill_on_the_device_must_have_the_dtype_and_one_value_for_each_channel(on_device):
    x, w = on_device.asarray(CORE), on_device.asarray(W)
    with pytest.raises(TypeError, match=r"dtype float32, got float64; convert with"):
        ip.conv2d(x, w, fill_value=on_device.asarray(FILL.astype(float)))
    with pytest.raises(ValueError, match=r"must have shape \(3,\)"):
        ip.conv2d(x, w, fill_value=on_device.asarray(FILL[:2]))
