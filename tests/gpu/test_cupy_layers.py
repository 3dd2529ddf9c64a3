"""Planned layers with CuPy weights: after `prepare` a call is one launch and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import has_gpu
from gpu_problems import problem

import implicitpad as ip

cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
from cupy.cuda.memory import MemoryPointer, UnownedMemory  # noqa: E402

LAYERS = {
    "Conv1d": problem(1, (2, 3, 19), (4, 3, 3), padding=((2, 5),), fill_value=2.5),
    "Conv2d": problem(2, (2, 9, 6, 7), (8, 9, 3, 3), padding=1, padding_mode="reflect"),
    "Conv3d": problem(3, (2, 4, 4, 3, 5), (4, 2, 2, 3, 1), "int8", padding=(1, 2, 0), groups=2),
    "depthwise": problem(4, (2, 4, 9, 8), (4, 1, 3, 3), padding=1, groups=4),
    "a fill for each channel": problem(5, (1, 3, 6, 5), (4, 3, 3, 3), padding=2,
                                       fill_value=[1.0, 2.0, 3.0]),
}  # fmt: skip


def made(p, device):
    bias = None if p.bias is None else device.asarray(p.bias)
    kind = (ip.Conv1d, ip.Conv2d, ip.Conv3d)[p.rank - 1]
    return kind(device.asarray(p.w), bias, **p.options)


@pytest.mark.parametrize("name", LAYERS)
def test_a_prepared_call_is_one_launch(on_device, monkeypatch, name):
    p = LAYERS[name]
    layer, x = made(p, on_device), on_device.asarray(p.x)
    out = layer.prepare(x)
    for asked in ("empty", "asarray", "synchronize", "module"):
        monkeypatch.setattr(on_device, asked, None)
    assert layer(x, out) is out
    p.check(on_device.asnumpy(out))


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_gives_what_the_function_gives(on_device, name):
    p = LAYERS[name]
    layer, x = made(p, on_device), on_device.asarray(p.x)
    y = layer(x)
    assert isinstance(y, cupy.ndarray)
    np.testing.assert_array_equal(on_device.asnumpy(layer(x)), on_device.asnumpy(y))
    p.check(on_device.asnumpy(y))


def test_later_changes_of_the_weights_do_not_count(on_device):
    p = LAYERS["Conv2d"]
    w, x = on_device.asarray(p.w), on_device.asarray(p.x)
    layer = ip.Conv2d(w, on_device.asarray(p.bias), **p.options)
    w[...] = 0
    p.check(on_device.asnumpy(layer(x)))


def test_the_input_may_change_its_layout_after_prepare(on_device):
    p = LAYERS["Conv2d"]
    layer = made(p, on_device)
    layer.prepare(on_device.asarray(p.x))
    last = on_device.asarray(p.x.transpose(0, 2, 3, 1).copy()).transpose(0, 3, 1, 2)
    y = layer(last)
    assert y.strides[1] == y.itemsize
    p.check(on_device.asnumpy(y))


@pytest.mark.skipif(has_gpu(), reason="counts what the emulated device is asked for")
def test_what_a_layer_keeps_is_there_for_every_stream(on_device):
    """The copies of the weights, and the packed ones, are waited for; later calls wait for none."""
    p = LAYERS["depthwise"]
    w, x = on_device.asarray(p.w), on_device.asarray(p.x)
    on_device.waits = 0
    layer = ip.Conv2d(w, on_device.asarray(p.bias), **p.options)
    assert on_device.waits == 1
    layer(x)
    waits = on_device.waits
    assert waits >= 2
    layer(x)
    assert on_device.waits == waits


def test_a_fill_on_the_device_is_read_at_every_call(on_device):
    p = problem(6, (1, 3, 6, 5), (4, 3, 3, 3), padding=2, fill_value=[1.0, 2.0, 3.0])
    x, w, bias = (on_device.asarray(array) for array in (p.x, p.w, p.bias))
    fill = on_device.asarray(np.array([1, 2, 3], np.float32))
    out = ip.conv2d(x, w, bias, padding=2, fill_value=fill)
    p.check(on_device.asnumpy(out))
    layer = ip.Conv2d(w, bias, padding=2, fill_value=fill)
    p.check(on_device.asnumpy(layer(x)))
    backward = ip.conv2d_backward(out, x, w, padding=2, fill_value=fill)
    want = ip.conv2d_backward(on_device.asnumpy(out), p.x, p.w, **p.options)
    for ours, theirs in zip(backward, want, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(on_device.asnumpy(ours), theirs, rtol=1e-4, atol=1e-3)


MIXED = {
    "input": lambda layer, p, d: layer(p.x),
    "out": lambda layer, p, d: layer(d.asarray(p.x), np.empty(p.geometry.out_shape, np.float32)),
    "bias": lambda layer, p, d: ip.Conv2d(d.asarray(p.w), p.bias),
    "weight": lambda layer, p, d: ip.Conv2d(p.w, d.asarray(p.bias)),
    "fill_value": lambda layer, p, d: ip.Conv2d(
        p.w, padding=1, fill_value=d.asarray(np.ones(9, np.float32))
    ),
    "prepare": lambda layer, p, d: layer.prepare(p.x),
}


@pytest.mark.parametrize("what", MIXED)
def test_arrays_here_and_there_are_one_error(on_device, what):
    p = LAYERS["Conv2d"]
    layer = made(p, on_device)
    with pytest.raises(TypeError, match=r"^Conv2d: all arrays must live on one device, but .*\.$"):
        MIXED[what](layer, p, on_device)


def test_arrays_of_two_devices_are_one_error(on_device):
    p = LAYERS["Conv2d"]
    layer, x = made(p, on_device), on_device.asarray(p.x)
    elsewhere = UnownedMemory(x.data.ptr, x.nbytes, x, device_id=1)
    x = cupy.ndarray(x.shape, np.float32, memptr=MemoryPointer(elsewhere, 0))
    with pytest.raises(ValueError, match="Conv2d: all arrays must live on one device, but input"):
        layer(x)
