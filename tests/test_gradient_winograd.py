"""The weight gradient by Winograd: F(2x2, 3x3) like direct sums, F(4x4, 3x3) within its bound."""

from __future__ import annotations

import numpy as np
import pytest
from adjoint import gradients
from comparison import assert_identical

import implicitpad as ip
from implicitpad import _conv_cpu, _gradient_cpu
from implicitpad._geometry import Axis

C, K, N = 40, 70, 27  # no multiples of tiles, vectors or blocks


def algorithm(channels, filters, size, *, kernel=3, stride=1, finite=True, fast=False):
    axes = [Axis(1, 1, 1, 1, 0, 0, "constant")] + [
        Axis(size, kernel, stride, 1, 1, 1, "constant")
    ] * 2
    fixed = (_conv_cpu.kernels(), _conv_cpu.codes("float32", "float32"))
    return _gradient_cpu.WeightGradient(
        axes, 1, channels, filters, 1, *fixed, False, finite, fast, 1
    ).algorithm


def arrays(seed=0, batch=2, padding=((1, 1), (1, 1)), dtype="float32"):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((batch, C, N, N)).astype(dtype)
    sizes = [N + before + after - 2 for before, after in padding]
    g = rng.standard_normal((batch, K, *sizes)).astype(dtype)
    return g, x


def weight_gradient(g, x, **options):
    w = np.zeros((K, C, 3, 3), x.dtype)
    return ip.conv2d_backward(g, x, w, needs=["weight"], **options).weight


def reference(g, x, padding, fill=0.0, mode="constant"):
    axes = [Axis(N, 3, 1, 1, *pair, mode) for pair in padding]
    g, x = g.astype(np.float64), x.astype(np.float64)
    fill = np.broadcast_to(np.asarray(fill, np.float64), C)
    return gradients(axes, 1, fill, g, x, np.zeros((K, C, 3, 3)))[1]


def test_is_what_such_layers_run(instruction_set):
    assert algorithm(C, K, 56) == "winograd"
    assert algorithm(C, K, 56, fast=True) == "winograd4"
    assert algorithm(C, K, 56, finite=False, fast=True) == "direct"
    assert algorithm(C, K, 56, stride=2) == "direct"
    assert algorithm(C, K, 56, kernel=5) == "direct"
    assert algorithm(1, 1, 56) == "direct"


@pytest.mark.parametrize("padding", [((1, 1), (1, 1)), ((0, 2), (3, 0)), ((40, 1), (0, 33))])
@pytest.mark.parametrize("fill", [None, 1e4, "each channel"])
@pytest.mark.parametrize(("precision", "bound"), [("default", 1e-6), ("fast", 4e-6)])
def test_is_within_its_bound_whatever_the_fill(instruction_set, precision, bound, fill, padding):
    g, x = arrays(padding=padding)
    fill = np.linspace(-3, 1000, C) if fill == "each channel" else fill
    got = weight_gradient(g, x, padding=padding, fill_value=fill, precision=precision)
    want = reference(g, x, padding, 0.0 if fill is None else fill)
    assert abs(got - want).max() <= bound * abs(want).max()
    if precision == "fast" and padding[0] == padding[1]:
        # The middle tap sees no padding, and keeps its accuracy beside a large fill.
        error = abs(got - want)[:, :, 1, 1].max()
        assert error <= bound * abs(want[:, :, 1, 1]).max()


@pytest.mark.parametrize("mode", ["reflect", "circular", "replicate"])
@pytest.mark.parametrize("precision", ["default", "fast"])
def test_in_every_mode(instruction_set, threads, mode, precision):
    padding = ((2, 1), (1, 2))
    g, x = arrays(padding=padding, dtype="float64")
    got = weight_gradient(g, x, padding=padding, padding_mode=mode, precision=precision)
    want = reference(g, x, padding, mode=mode)
    assert abs(got - want).max() <= 1e-14 * abs(want).max()


@pytest.mark.parametrize("precision", ["default", "fast"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_bad_pixel_shows_only_in_the_taps_that_meet_it(instruction_set, precision, value):
    g, x = arrays()
    clean = weight_gradient(g, x, padding=1, precision=precision)
    x[1, 3, 0, 9] = value  # in the first row: the last row of taps never meets it
    got = weight_gradient(g, x, padding=1, precision=precision)
    assert not np.isfinite(got[:, 3, :2]).any()
    assert np.isfinite(got[:, 3, 2]).all()
    np.testing.assert_allclose(got[:, 3, 2], clean[:, 3, 2], atol=1e-3)
    if np.isinf(value):
        want = np.sign(g[1, :, 0, 9]) * value
        np.testing.assert_array_equal(got[:, 3, 1, 1], want)
    others = np.arange(C) != 3
    assert_identical(got[:, others], clean[:, others])


@pytest.mark.parametrize("precision", ["default", "fast"])
def test_a_bad_output_gradient_shows_only_in_its_filter(instruction_set, precision):
    g, x = arrays()
    clean = weight_gradient(g, x, padding=1, precision=precision)
    g[0, 5, 13, 20] = np.inf
    got = weight_gradient(g, x, padding=1, precision=precision)
    assert np.isinf(got[5]).all()
    others = np.arange(K) != 5
    assert_identical(got[others], clean[others])


def test_values_that_overflow_only_in_the_transform_are_summed_directly(instruction_set):
    g, x = np.zeros((1, K, N, N), np.float32), np.zeros((1, C, N, N), np.float32)
    x[0, :, 4:8, 4:8] = 2.5e38
    g[0, :, 5, 5] = 0.1
    got = weight_gradient(g, x, padding=1)
    np.testing.assert_allclose(got, reference(g, x, ((1, 1), (1, 1))), rtol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_fill_that_is_not_finite_is_summed_directly(instruction_set, value):
    g, x = arrays()
    got = weight_gradient(g, x, padding=1, fill_value=value, precision="fast")
    assert np.isfinite(got[:, :, 1, 1]).all()
    assert not np.isfinite(np.delete(got.reshape(K, C, 9), 4, 2)).any()


@pytest.mark.parametrize("precision", ["default", "fast"])
def test_groups_depth_and_batches(instruction_set, threads, precision):
    """Gradients of parts, each computed by itself; a window of depth 1 keeps planes apart."""
    rng = np.random.default_rng(4)
    x = rng.standard_normal((70, 2 * C, 3, 9, 10))
    g = rng.standard_normal((70, 2 * K, 2, 9, 10))
    w = np.zeros((2 * K, C, 1, 3, 3))
    options = {"stride": (2, 1, 1), "padding": (0, 1, 1), "precision": precision}
    got = ip.conv3d_backward(g, x, w, groups=2, needs=["weight"], **options).weight
    for group in range(2):
        c, k = slice(group * C, group * C + C), slice(group * K, group * K + K)
        want = sum(
            ip.conv2d_backward(
                g[n : n + 1, k, d], x[n : n + 1, c, 2 * d], w[k, :, 0], padding=1, needs=["weight"]
            ).weight
            for n in range(70)
            for d in range(2)
        )
        assert abs(got[k, :, 0] - want).max() <= 1e-13 * abs(want).max()


@pytest.mark.parametrize("precision", ["default", "fast"])
def test_the_same_bits_for_any_number_of_threads(precision):
    g, x = arrays(batch=5)
    results, before = [], ip.get_num_threads()
    for n in (1, 2, 3):
        ip.set_num_threads(n)
        results.append(weight_gradient(g, x, padding=1, fill_value=3.0, precision=precision))
    ip.set_num_threads(before)
    for other in results[1:]:
        assert_identical(other, results[0])
