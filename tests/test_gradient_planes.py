"""The weight gradient of one filter a channel, or a few: planes are read where they lie."""

from __future__ import annotations

import numpy as np
import pytest
from adjoint import gradients
from comparison import assert_identical
from strategies import MODES

import implicitpad as ip
from implicitpad import _conv_cpu, _gradient_planes_cpu
from implicitpad._geometry import Axis

BACKWARD = {1: ip.conv1d_backward, 2: ip.conv2d_backward, 3: ip.conv3d_backward}
C = 5
# kernel, stride, dilation, size: of one lane and of many, of rows in one strip and in several
CASES = [
    ((3, 3), 1, 1, (7, 7)),
    ((3, 3), 1, 1, (70, 45)),
    ((3, 3), 2, 1, (23, 40)),
    ((5, 5), 1, 1, (9, 33)),
    ((5, 5), 2, 1, (20, 71)),
    ((2, 4), 1, 1, (12, 37)),
    ((4, 2), 2, 1, (41, 20)),
    ((3, 3), 1, (2, 3), (50, 41)),
    ((3, 3), 2, (3, 1), (31, 41)),
    ((1, 9), 1, 1, (3, 40)),
    ((9,), 1, 1, (600,)),
    ((6,), 2, 2, (90,)),
    ((2, 3, 3), 1, 1, (4, 6, 20)),
    ((3, 2, 2), 2, 1, (7, 9, 40)),
]


def arrays(kernel, stride, dilation, size, padding, *, batch=3, multiplier=1, dtype="float32"):
    rank = len(kernel)
    stride, dilation = np.broadcast_to(stride, rank), np.broadcast_to(dilation, rank)
    rng = np.random.default_rng(1)
    x = rng.standard_normal((batch, C, *size)).astype(dtype)
    extent = dilation * (np.array(kernel) - 1) + 1
    out = (np.array(size) + np.sum(padding, 1) - extent) // stride + 1
    g = rng.standard_normal((batch, C * multiplier, *out)).astype(dtype)
    options = {"stride": tuple(map(int, stride)), "dilation": tuple(map(int, dilation))}
    return g, x, np.zeros((C * multiplier, 1, *kernel), dtype), options


def weight_gradient(g, x, w, **options):
    run = BACKWARD[x.ndim - 2]
    return run(g, x, w, groups=x.shape[1], needs=["weight"], **options).weight


def reference(g, x, w, options, padding, fill=0.0, mode="constant"):
    steps = zip(
        x.shape[2:], w.shape[2:], options["stride"], options["dilation"], padding, strict=True
    )
    axes = [Axis(n, k, s, d, *pair, mode) for n, k, s, d, pair in steps]
    fill = np.broadcast_to(np.asarray(fill, np.float64), C)
    wide = (a.astype(np.float64) for a in (g, x, w))
    return gradients(axes, C, fill, *wide)[1]


def suits(kernel=(3, 3), stride=1, dilation=1, channels=8, filters=8, storage="float32"):
    size = 30
    axes = [Axis(1, 1, 1, 1, 0, 0, "constant")] + [
        Axis(size, k, stride, dilation, 1, 1, "constant") for k in kernel
    ]
    fixed = (_conv_cpu.kernels(), _conv_cpu.codes(storage, storage))
    return _gradient_planes_cpu.PlaneGradient(axes, 1, channels, filters, 8, *fixed, 1).suits


def test_which_layers_it_suits(instruction_set):
    assert suits()
    assert suits((5, 5), stride=2)
    assert suits((3, 7), dilation=2)
    assert suits(filters=24)
    assert suits(storage="float64")
    assert not suits((7, 7))
    assert not suits(stride=3)
    assert not suits(channels=16)
    assert not suits(storage="float16")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("mode", MODES)
def test_agrees_with_the_reference(instruction_set, threads, mode, case):
    padding = ((2, 1), (1, 2), (2, 2))[: len(case[0])]
    g, x, w, options = arrays(*case, padding, multiplier=2)
    fill = np.linspace(-2, 3, C) if mode == "constant" else None
    got = weight_gradient(g, x, w, padding=padding, padding_mode=mode, fill_value=fill, **options)
    want = reference(g, x, w, options, padding, 0.0 if fill is None else fill, mode)
    assert abs(got - want).max() <= 1e-6 * abs(want).max()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_the_bits_of_explicit_padding(instruction_set, case, dtype):
    padding = tuple((1, 1) if k > 1 else (0, 0) for k in case[0])
    g, x, w, options = arrays(*case, padding, dtype=dtype)
    implicit = weight_gradient(g, x, w, padding=padding, fill_value=0.7, **options)
    wide = np.pad(x, ((0, 0), (0, 0), *padding), constant_values=0.7)
    assert_identical(implicit, weight_gradient(g, wide, w, **options))


@pytest.mark.parametrize("stride", [1, 2])
def test_the_same_bits_for_any_number_of_threads(instruction_set, stride):
    g, x, w, options = arrays((3, 3), stride, 1, (150, 150), ((1, 1), (1, 1)))
    results, before = [], ip.get_num_threads()
    for threads in (1, 2, 3):
        ip.set_num_threads(threads)
        results.append(weight_gradient(g, x, w, padding=1, **options))
    ip.set_num_threads(before)
    assert_identical(results[0], results[1])
    assert_identical(results[0], results[2])


def test_what_no_window_sees_may_be_nan(instruction_set):
    padding = ((0, 0), (0, 0))
    g, x, w, options = arrays((3, 3), 2, 1, (10, 20), padding)
    x[..., -1, :] = x[..., -1] = np.nan
    assert np.isfinite(weight_gradient(g, x, w, **options)).all()


def test_an_infinite_fill_reaches_the_taps_that_see_it(instruction_set):
    padding = ((1, 0), (1, 0))
    g, x, w, options = arrays((3, 3), 1, 1, (20, 18), padding)
    got = weight_gradient(g, x, w, padding=padding, fill_value=np.inf, **options)
    assert not np.isfinite(got[..., 0, :]).any()
    assert not np.isfinite(got[..., 0]).any()
    assert np.isfinite(got[..., 1:, 1:]).all()


@pytest.mark.parametrize("which", ["channels_last", "mirrored", "every second"])
def test_inputs_of_any_strides(instruction_set, which):
    padding = ((1, 2), (2, 1))
    g, x, w, options = arrays((3, 3), 1, 1, (20, 40), padding)
    want = weight_gradient(g, x, w, padding=padding, **options)

    def laid_out(a):
        if which == "channels_last":
            return np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1)
        if which == "mirrored":
            return np.ascontiguousarray(a[..., ::-1, ::-1])[..., ::-1, ::-1]
        wide = np.zeros((*a.shape[:-1], 2 * a.shape[-1]), a.dtype)
        wide[..., ::2] = a
        return wide[..., ::2]

    assert_identical(weight_gradient(g, laid_out(x), w, padding=padding, **options), want)
    got = weight_gradient(laid_out(g), laid_out(x), w, padding=padding, **options)
    assert abs(got - want).max() <= 1e-6 * abs(want).max()
