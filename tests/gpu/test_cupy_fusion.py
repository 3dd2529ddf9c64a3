"""Residual and activation of a layer on a device: every kernel's output stage, and one launch."""

from __future__ import annotations

import numpy as np
import pytest
from gpu_problems import problem

import implicitpad as ip
from implicitpad import _reference

cupy = pytest.importorskip("cupy", reason="CuPy is not installed")

ACTIVATIONS = {"relu": "relu", "leaky": ("leaky_relu", 0.25), "clamp": ("clamp", -1, 2)}
SMALL = ((2, 9, 6, 7), (10, 9, 3, 3))
KERNELS = {
    "planes": ("planes", problem(1, (2, 3, 9, 8), (3, 1, 3, 3), padding=1, groups=3)),
    "line": ("planes", problem(2, (1, 2, 40), (2, 1, 5), padding=((2, 2),), groups=2)),
    "channels_last": ("planes", problem(3, (2, 4, 5, 6), (4, 1, 3, 3), padding=1, groups=4)),
    "gemm_view": ("gemm_view", problem(4, *SMALL)),
    "gemm": ("gemm", problem(5, *SMALL, padding=1)),
    "grouped": ("gemm", problem(6, (1, 10, 5, 4), (22, 5, 3, 3), padding=1, groups=2)),
    "few_channels": ("few_channels", problem(7, (2, 3, 6, 5), (18, 3, 3, 3), padding=1)),
    "direct": ("direct", problem(8, (2, 5, 6, 5), (4, 5, 3, 3), bias=False, stride=2)),
    "float16": ("gemm", problem(9, *SMALL, "float16", padding=1)),
    "float64": ("direct", problem(10, *SMALL, "float64", padding=1)),
    "int8": ("direct", problem(11, *SMALL, "int8", padding=1)),
    "uint64": ("direct", problem(12, *SMALL, "uint64", padding=1)),
}


def residual_for(y):
    rng = np.random.default_rng(0)
    if y.dtype.kind in "iu":
        return rng.integers(0, 100, y.shape).astype(y.dtype)
    residual = (3 * rng.standard_normal(y.shape)).astype(y.dtype)
    residual.reshape(-1)[1::7] = np.nan
    return residual


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", KERNELS)
def test_every_kernel_finishes_its_outputs(emulator, name, activation):
    family, p = KERNELS[name]
    x = emulator.asarray(p.x)
    if name == "channels_last":
        x = emulator.asarray(p.x.transpose(0, 2, 3, 1).copy()).transpose(0, 3, 1, 2)
    whole = p.geometry.compute.kind in "iu"
    spelled = ("clamp", 3, 500) if whole else ACTIVATIONS[activation]
    sums = p.run(emulator, family, x)
    residual = residual_for(sums)
    order = (*range(sums.ndim - 2), sums.ndim - 1, sums.ndim - 2)
    turned = emulator.asarray(residual.transpose(order).copy()).transpose(*order)
    for addend, there in ((residual, emulator.asarray(residual)), (residual, turned), (None, None)):
        got = p.run(emulator, family, x, activation=spelled, residual=there)
        want = _reference.finish(sums, addend, spelled)
        if got.dtype == np.float16:  # rounded once, not after each step
            np.testing.assert_allclose(got, want, rtol=2e-3, atol=2e-2)
        else:
            np.testing.assert_array_equal(got, want)


def made(p, device, **more):
    return ip.Conv2d(device.asarray(p.w), device.asarray(p.bias), **p.options, **more)


def test_a_layer_with_both_is_one_launch(on_device, monkeypatch):
    _, p = KERNELS["gemm"]
    x = on_device.asarray(p.x)
    sums = on_device.asnumpy(made(p, on_device)(x))
    residual = residual_for(sums)
    r = on_device.asarray(residual)
    layer = made(p, on_device, activation="relu")
    out = layer.prepare(x, r)
    for asked in ("empty", "asarray", "synchronize", "module"):
        monkeypatch.setattr(on_device, asked, None)
    assert layer(x, out, r) is out
    want = _reference.finish(sums, residual, "relu")
    np.testing.assert_array_equal(on_device.asnumpy(out), want)


def test_a_residual_must_be_on_the_device(on_device):
    _, p = KERNELS["gemm"]
    layer, x = made(p, on_device), on_device.asarray(p.x)
    with pytest.raises(TypeError, match=r"^Conv2d: all arrays must live on one device, but resid"):
        layer(x, residual=np.ones((2, 10, 6, 7), np.float32))


def test_padded_arrays_are_aligned_as_plus_aligns(on_device):
    _, p = KERNELS["gemm"]
    x = ip.PaddedArray(on_device.asarray(p.x), 2, 1.5)
    r = ip.PaddedArray(on_device.asarray(p.w[:2, :1].repeat(10, 1)), ((3, 4), (4, 4)), -0.5)
    got = made(p, on_device, activation=("clamp", -1, 2))(x, residual=r)
    sums = made(p, on_device)(x)
    assert got.spans == (sums + r).spans
    want = np.clip(on_device.asnumpy((sums + r).materialize()), -1, 2)
    np.testing.assert_array_equal(on_device.asnumpy(got.materialize()), want)
