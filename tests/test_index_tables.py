"""Convolution kernels follow any index table: one table for each axis decides what they read."""

from __future__ import annotations

import numpy as np
import pytest
from comparison import assert_identical

import implicitpad as ip
from implicitpad import _conv_cpu, _numpy
from implicitpad._geometry import Axis, conv_geometry


def gathered(x, tables, fill):
    """The explicit array: element table[i] of each spatial axis, or the fill where that is -1."""
    for axis, table in enumerate(tables, x.ndim - len(tables)):
        shape = [-1 if a == axis else 1 for a in range(x.ndim)]
        value = np.reshape(fill, (-1, *(1,) * len(tables)))
        x = np.where(np.reshape(table, shape) < 0, value, np.take(x, table, axis))
    return x


def conv_through(x, weight, tables, fill=0, *, stride=1, dilation=1, groups=1, fast=False):
    """The valid convolution of ``gathered(x, tables, fill)``, which is not made."""
    rank, axes = len(tables), []
    for table, kernel in zip(tables, weight.shape[2:], strict=True):
        axes.append(Axis(len(table), kernel, stride, dilation, 0, 0, "constant"))
    outside = 3 - rank
    y = np.empty((len(x), len(weight), *(axis.out for axis in axes)), x.dtype)
    fives = [_numpy.as_five(a, True) for a in (x, y)]
    geometry = conv_geometry(
        "conv", rank, x, weight, None, stride=1, padding="full", dilation=1, groups=groups,
        fill_value=None, padding_mode="constant", precision=None, out=None,
    )  # fmt: skip
    plan = _conv_cpu.ConvPlan(
        (*(_numpy.whole(1),) * outside, *axes), len(x), x.shape[1], len(weight), groups,
        x.dtype.name, x.dtype.name, x.dtype.name, True, fast, not np.any(fill), 1,
        (*(np.zeros(1, np.int32),) * outside, *(np.asarray(t, np.int32) for t in tables)),
    )  # fmt: skip
    packed = _numpy.pack_conv(geometry, weight, None)
    buffers = plan.pack(weight), plan.pack_bias(np.zeros(len(weight), x.dtype))
    call = _conv_cpu.ConvCall(plan, weight, *buffers, *(a.strides for a in fives))
    fill = np.asarray(fill, x.dtype)
    call(x, fill, packed.fill_sums(geometry, fill) if plan.corrected else None, y)
    return y, plan.layout


def a_table(rng, size, length):
    """Elements in any order, repeated and left out, with the fill anywhere."""
    return rng.integers(-1, size, length).astype(np.int32)


CASES = {
    "pixel": {"channels": 3, "filters": 5},
    "strided": {"channels": 3, "filters": 40, "stride": 2, "dilation": 3},
    "channel": {"channels": 8, "filters": 64, "kernel": 5},
    "by window": {"channels": 3, "filters": 8, "stride": 4, "kernel": 2},
    "depthwise": {"channels": 16, "filters": 16, "groups": 16},
    "winograd": {"channels": 64, "filters": 64},
    "winograd4": {"channels": 64, "filters": 64, "fast": True},
    "volume": {"channels": 4, "filters": 6, "rank": 3},
}


@pytest.mark.parametrize("name", CASES)
def test_any_table_is_the_explicit_gather(instruction_set, name):
    case = {"stride": 1, "dilation": 1, "groups": 1, "fast": False, "kernel": 3, "rank": 2}
    case |= CASES[name]
    rng = np.random.default_rng(len(name))
    x = rng.normal(size=(2, case["channels"], *range(7, 7 + case["rank"]))).astype(np.float32)
    shape = (case["filters"], case["channels"] // case["groups"], *[case["kernel"]] * case["rank"])
    weight = rng.normal(size=shape).astype(np.float32)
    tables = [a_table(rng, n, 30 if case["rank"] < 3 else 12) for n in x.shape[2:]]
    options = {key: case[key] for key in ("stride", "dilation", "groups")}
    for fill in 0, 0.5, rng.normal(size=case["channels"]).astype(np.float32):
        got, layout = conv_through(x, weight, tables, fill, fast=case["fast"], **options)
        explicit = gathered(x, tables, np.float32(fill))
        function = (ip.conv2d, ip.conv3d)[case["rank"] - 2]
        want = function(explicit, weight, **options)
        if case["fast"]:
            assert layout in ("winograd4", "pixel", "channel")
            np.testing.assert_allclose(got, want, rtol=0, atol=2e-4 * np.abs(want).max())
        else:
            assert_identical(got, want)


def test_a_network_that_pads_zeros_in_every_layer_computes_each_different_window_once():
    """Shells within shells: the array of a layer is data[..., σ₁(i), σ₂(j)], with σ = -1 for zero.

    A window is told by what its taps read, so windows with the same taps are one element of the
    next layer's data, and the numbers of these tuples are the next layer's map.
    """
    rng = np.random.default_rng(0)
    data, width = rng.normal(size=(1, 4, 3, 2)), 50
    maps = [np.pad(np.arange(n), width, constant_values=-1) for n in data.shape[2:]]
    explicit = gathered(data, maps, 0)
    for _ in range(3):
        weight = rng.normal(size=(4, 4, 3, 3))
        explicit = np.tanh(ip.conv2d(explicit, weight, padding=1))
        windows = []
        for axis, sigma in enumerate(maps):
            padded = np.pad(sigma, 1, constant_values=-1)
            taps = np.stack([padded[k : k + len(sigma)] for k in range(3)], 1)
            different, maps[axis] = np.unique(taps, axis=0, return_inverse=True)
            windows.append(different.ravel())
        data = np.tanh(conv_through(data, weight, windows, stride=3)[0])
    # What the kernels reach of the core, one window of border, and the edges: of 3,500 times more.
    assert data.shape[2:] == (9 + 1 + 4, 8 + 1 + 4)
    np.testing.assert_allclose(gathered(data, maps, 0), explicit, rtol=0, atol=1e-12)
