"""Transposed convolution of stride 2 by F(3x3, 2x2): as accurate and as local as direct sums."""

from __future__ import annotations

import numpy as np
import pytest
from adjoint import scatter
from comparison import assert_identical

import implicitpad as ip
from implicitpad import _conv_cpu, _numpy_transpose, _transpose_cpu
from implicitpad._geometry_transpose import TransposeAxis

C, K, N = 64, 61, 27
# kernel, padding before and after, output padding: phases of two taps and of one, either first
CASES = [(4, 1, 1, 0), (4, 0, 2, 1), (4, 3, 0, 0), (3, 1, 1, 1), (3, 0, 1, 0), ((4, 3), 1, 1, 0)]


def algorithm(channels, filters, size, kernel, first, groups=1, storage="float32"):
    """What such a layer runs: the name that begins the layout of its packed weights."""
    out = 2 * size
    axes = (TransposeAxis(1, 1, 1, 1, 0, 1), *[TransposeAxis(size, kernel, 2, 1, first, out)] * 2)
    plan = _transpose_cpu.TransposePlan(
        [_numpy_transpose._panel_axis(axis) for axis in axes],
        1,
        channels,
        filters,
        groups,
        _conv_cpu.kernels(),
        _conv_cpu.codes(storage, storage),
        True,
        True,
        1,
    )
    return plan.layout[0]


def arrays(kernel=4, seed=0, dtype="float32", groups=1):
    rng = np.random.default_rng(seed)
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    x = rng.standard_normal((2, C * groups, N, N + 3)).astype(dtype)
    w = rng.standard_normal((C * groups, K, height, width)) / np.sqrt(height * width * C)
    return x, w.astype(dtype), rng.standard_normal(K * groups).astype(dtype)


def reference(x, w, b, before, after, extra, groups=1):
    sizes = [2 * (n - 1) + f for n, f in zip(x.shape[2:], w.shape[2:], strict=True)]
    full = scatter(x.astype(np.float64), w.astype(np.float64), (2, 2), (1, 1), sizes, groups)
    full = np.pad(full, [(0, 0), (0, 0), (0, extra), (0, extra)])
    rows, columns = [slice(before, n + extra - after) for n in sizes]
    return full[..., rows, columns] + b.astype(np.float64)[:, None, None]


def test_is_what_such_layers_run(instruction_set):
    for first in (0, 1, 2):
        assert algorithm(C, K, N, 4, first) == "winograd"
        assert algorithm(C, K, N, 3, first) == "winograd"
    assert algorithm(2 * C, 2 * K, N, 4, 1, groups=2) == "winograd"
    assert algorithm(C, K, N, 4, 1, storage="float64") == "winograd"
    for kernel, channels in ((2, C), (5, C), (4, 2)):
        assert algorithm(channels, K, N, kernel, 0) != "winograd"


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-6), ("float64", 2e-15)])
@pytest.mark.parametrize(("kernel", "before", "after", "extra"), CASES)
def test_error_is_that_of_direct_sums(
    instruction_set, threads, kernel, before, after, extra, dtype, bound
):
    x, w, b = arrays(kernel, dtype=dtype)
    got = ip.conv_transpose2d(x, w, b, 2, ((before, after),) * 2, extra)
    want = reference(x, w, b, before, after, extra)
    assert got.shape == want.shape
    assert abs(got - want).max() <= bound * abs(want).max()


def test_groups_layouts_and_narrow_outputs(instruction_set, threads):
    x, w, b = arrays(groups=2)
    want = ip.conv_transpose2d(x, w, b, 2, 1, groups=2)
    truth = reference(x, w, b, 1, 1, 0, groups=2)
    assert abs(want - truth).max() <= 1e-6 * abs(truth).max()
    last = np.ascontiguousarray(w.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    reverse = x[..., ::-1].copy()[..., ::-1]
    assert_identical(ip.conv_transpose2d(reverse, last, b, 2, 1, groups=2), want)
    x, w, b = (a.astype(np.float16) for a in arrays())
    got = ip.conv_transpose2d(x, w, b, 2, 1)
    assert_identical(
        got, ip.conv_transpose2d(*[a.astype("f") for a in (x, w, b)], 2, 1).astype(np.float16)
    )


def test_the_input_gradient_of_a_strided_layer(instruction_set, threads):
    x, w, _ = arrays(3)
    got = ip.conv2d_backward(x, np.zeros((2, K, 2 * N, 2 * N + 6), "f"), w, stride=2, padding=1)
    want = reference(x, w, np.zeros(K), 1, 1, 1)
    assert abs(got.input - want).max() <= 1e-6 * abs(want).max()


@pytest.mark.parametrize("kernel", [3, 4])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_bad_pixel_shows_only_where_it_is_seen(instruction_set, threads, kernel, value):
    x, w, b = arrays(kernel)
    clean = ip.conv_transpose2d(x, w, b, 2, 1)
    for row, column in ((0, 0), (7, 8), (8, 7), (N - 1, N + 2)):
        dirty = x.copy()
        dirty[1, 3, row, column] = value
        got = ip.conv_transpose2d(dirty, w, b, 2, 1)
        seen = np.zeros(got.shape[2:], bool)
        top, left = 2 * row - 1, 2 * column - 1
        seen[max(top, 0) : top + kernel, max(left, 0) : left + kernel] = True
        assert np.isfinite(got[:, :, ~seen]).all()
        assert not np.isfinite(got[1][:, seen]).any()
        if np.isinf(value) and 0 < row < N - 1:  # infinity times a weight keeps the weight's sign
            part = got[1, :, top : top + kernel, left : left + kernel]
            np.testing.assert_array_equal(part, np.sign(w[3]) * value)
        # tiles apart from it are computed as if it were not there
        far = np.ones(got.shape[2:], bool)
        far[max(top - 6, 0) : top + 10, max(left - 6, 0) : left + 10] = False
        assert_identical(got[:, :, far], clean[:, :, far])


def test_the_same_bits_for_any_number_of_threads(instruction_set):
    x, w, b = arrays()
    before = ip.get_num_threads()
    results = []
    for threads in (1, 2, 3):
        ip.set_num_threads(threads)
        results.append(ip.conv_transpose2d(x, w, b, 2, 1))
    ip.set_num_threads(before)
    for result in results[1:]:
        assert_identical(result, results[0])
