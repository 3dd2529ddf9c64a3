"""Winograd: F(2, 3) along each axis as exact and local as direct convolution; F(4, 3) bounded."""

from __future__ import annotations

import numpy as np
import pytest
from comparison import assert_identical

import implicitpad as ip
from implicitpad import _conv_cpu
from implicitpad._geometry import Axis

C, K, N = 32, 61, 23  # odd sizes: the last tile of a row and of a column is half outside


def layout(channels, filters, size, groups=1, storage="float32", fast=False, dilation=1):
    plane = Axis(size, 3, 1, dilation, dilation, dilation, "constant")
    axes = (Axis(1, 1, 1, 1, 0, 0, "constant"), plane, plane)
    kinds = (storage, storage, storage, True, fast, False, 1)
    return _conv_cpu.ConvPlan(axes, 1, channels, filters, groups, *kinds).layout


def arrays(seed: int = 0, dtype: str = "float32"):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, C, N, N)).astype(dtype)
    w = (rng.standard_normal((K, C, 3, 3)) / np.sqrt(9 * C)).astype(dtype)
    return x, w, rng.standard_normal(K).astype(dtype)


def reference(x, w, b):
    """Valid convolution in float64, window by window element."""
    x, w = x.astype(np.float64), w.astype(np.float64)
    out = np.zeros((x.shape[0], w.shape[0], x.shape[2] - 2, x.shape[3] - 2))
    for i in range(3):
        for j in range(3):
            part = x[:, :, i : i + out.shape[2], j : j + out.shape[3]]
            out += np.einsum("ncyx,kc->nkyx", part, w[:, :, i, j])
    return out + b.astype(np.float64)[:, None, None]


def test_is_what_such_layers_run(instruction_set):
    assert layout(C, K, N) == "winograd"
    assert layout(2 * C, 2 * K, N, groups=2) == "winograd"
    assert layout(C, K, N, storage="float64") == "winograd"
    assert layout(1, K, N) != "winograd"
    assert layout(C, K, 4 * N, fast=True) == "winograd4"
    assert layout(C, K, 4 * N, storage="float64", fast=True).startswith("winograd")


def test_a_tile_of_more_bytes_than_32_bits_count(instruction_set):
    assert layout(1 << 26, K, N) == "winograd"  # 16 positions, 4 bytes each


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-6), ("float64", 2e-15)])
def test_error_is_that_of_direct_convolution(instruction_set, threads, dtype, bound):
    x, w, b = arrays(dtype=dtype)
    got = ip.conv2d(x, w, b, padding=1, fill_value=0.5)
    want = reference(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=0.5), w, b)
    assert abs(got - want).max() <= bound * abs(want).max()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_bad_pixel_shows_only_where_it_is_seen(instruction_set, value):
    x, w, b = arrays()
    clean = ip.conv2d(x, w, b, padding=1)
    for row, column in ((0, 0), (7, 8), (8, 7), (N - 1, N - 1)):
        dirty = x.copy()
        dirty[1, 3, row, column] = value
        got = ip.conv2d(dirty, w, b, padding=1)
        seen = np.zeros((N, N), bool)
        seen[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2] = True
        assert np.isfinite(got[:, :, ~seen]).all()
        assert not np.isfinite(got[1][:, seen]).any()
        if np.isinf(value):  # infinity times a weight keeps the weight's sign
            flipped = w[:, 3, ::-1, ::-1]
            part = got[1, :, row - 1 : row + 2, column - 1 : column + 2]
            if part.shape[1:] == (3, 3):
                np.testing.assert_array_equal(part, np.sign(flipped) * value)
        # tiles apart from it are computed as if it were not there
        far = np.ones((N, N), bool)
        far[max(row - 2, 0) : row + 4, max(column - 2, 0) : column + 4] = False
        assert_identical(got[:, :, far], clean[:, :, far])


def test_a_huge_pixel_leaves_the_rest_exact(instruction_set):
    x, w, b = arrays()
    x[0, 0, 11, 12] = 1e6
    got = ip.conv2d(x, w, b, padding=1)
    want = reference(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), w, b)
    unseen = np.ones((N, N), bool)
    unseen[10:13, 11:14] = False
    got, want = got[:, :, unseen], want[:, :, unseen]
    assert abs(got - want).max() <= 1e-6 * abs(want).max()


def test_values_that_overflow_only_in_the_transform_are_computed_directly(instruction_set):
    x = np.zeros((1, C, N, N), np.float32)
    x[0, 0, 4:8, 4:8] = 2.5e38  # d1 + d2 overflows, the weighted sum does not
    w = np.full((K, C, 3, 3), 0.01, np.float32)
    got = ip.conv2d(x, w)
    want = reference(x, w, np.zeros(K))
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_depth_taps_are_more_channels(instruction_set, threads):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((1, 16, 5, 12, 13)).astype(np.float32)
    w = rng.standard_normal((33, 16, 2, 3, 3)).astype(np.float32)
    got = ip.conv3d(x, w, stride=(2, 1, 1), padding=((1, 0), (1, 1), (2, 1)), fill_value=-1.0)
    wide = np.pad(x, ((0, 0), (0, 0), (1, 0), (1, 1), (2, 1)), constant_values=-1.0)
    want = sum(
        reference(np.moveaxis(wide[:, :, d : d + 5 : 2], 2, 1)[0], w[:, :, d], np.zeros(33))
        for d in range(2)
    )
    assert_identical(got, ip.conv3d(wide, w, stride=(2, 1, 1)))
    np.testing.assert_allclose(got[0], np.moveaxis(want, 0, 1), atol=1e-6 * abs(want).max())


DILATIONS = [(2, 2), (3, 3), (12, 12), (4, 1), (5, 7)]


def dilated(dilation, size=(33, 50), seed=4):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, 2 * C, *size)).astype(np.float32)
    w = (rng.standard_normal((64, 2 * C, 3, 3)) / 24).astype(np.float32)
    wide = np.pad(x, ((0, 0), (0, 0), *[(d, d) for d in dilation]), constant_values=0.5)
    rows, columns = (range(0, 3 * d, d) for d in dilation)
    want = sum(
        np.einsum("ncyx,kc->nkyx", wide[:, :, r : r + size[0], c : c + size[1]], w[:, :, i, j])
        for i, r in enumerate(rows)
        for j, c in enumerate(columns)
    )
    return x, w, wide, want.astype(np.float64)


def test_dilated_layers_run_so_too(instruction_set):
    for dilation in (2, 3, 4):
        assert layout(2 * C, 64, 56, dilation=dilation) == "winograd"
        assert layout(2 * C, 64, 56, dilation=dilation, fast=True) == "winograd4"
    assert layout(2 * C, 64, 56, dilation=25) != "winograd"  # beyond what a line of tiles holds


@pytest.mark.parametrize("dilation", DILATIONS)
def test_a_dilated_layer_is_interleaved_ordinary_ones(instruction_set, threads, dilation):
    x, w, wide, want = dilated(dilation)
    options = {"dilation": dilation, "fill_value": 0.5, "padding": dilation}
    got = ip.conv2d(x, w, **options)
    assert_identical(got, ip.conv2d(wide, w, dilation=dilation))
    assert abs(got - want).max() <= 2e-6 * abs(want).max()
    fast = ip.conv2d(x, w, precision="fast", **options)
    assert abs(fast - want).max() <= 4e-6 * abs(want).max()
    host = np.zeros((*want.shape[:3], 2 * want.shape[3]), np.float32)
    assert_identical(ip.conv2d(x, w, out=host[..., ::2], **options), got)


@pytest.mark.parametrize("precision", ["default", "fast"])
@pytest.mark.parametrize("dilation", DILATIONS)
def test_dilated_tiles_keep_a_bad_pixel_local(instruction_set, precision, dilation):
    x, w, _, want = dilated(dilation)
    options = {"dilation": dilation, "fill_value": 0.5, "padding": dilation}
    x[1, 3, 20, 30] = np.nan
    got = ip.conv2d(x, w, precision=precision, **options)
    seen = np.zeros(want.shape, bool)
    rows, columns = (slice(p - d, p + d + 1, d) for p, d in zip((20, 30), dilation, strict=True))
    seen[1, :, rows, columns] = True
    np.testing.assert_array_equal(np.isnan(got), seen)
    assert abs(got - want)[~seen].max() <= 4e-6 * abs(want).max()


ROWS = {  # input, kernel, dilation, padding: a window of one row
    "signal": ((2, 64, 501), (3,), 1, 1),
    "dilated signal": ((1, 64, 333), (3,), 3, 3),
    "1x3": ((2, 64, 21, 40), (1, 3), 1, (0, 1)),
    "2x1x3": ((1, 32, 4, 9, 50), (2, 1, 3), 1, (1, 0, 1)),
}


def one_row(name):
    shape, kernel, dilation, padding = ROWS[name]
    rng = np.random.default_rng(8)
    x = rng.standard_normal(shape).astype(np.float32)
    w = (rng.standard_normal((64, shape[1], *kernel)) / 14).astype(np.float32)
    call = {1: ip.conv1d, 2: ip.conv2d, 3: ip.conv3d}[len(kernel)]
    return call, x, w, {"dilation": dilation, "padding": padding, "fill_value": 0.5}


def test_windows_of_one_row_run_so_too(instruction_set):
    row = (Axis(1, 1, 1, 1, 0, 0, "constant"),) * 2 + (Axis(500, 3, 1, 1, 1, 1, "constant"),)
    for fast, name in ((False, "winograd"), (True, "winograd4")):
        kinds = ("float32",) * 3 + (True, fast, False, 1)
        assert _conv_cpu.ConvPlan(row, 1, 64, 64, 1, *kinds).layout == name


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_as_exact_as_direct_convolution(instruction_set, threads, name):
    call, x, w, options = one_row(name)
    got, fast = call(x, w, **options), call(x, w, precision="fast", **options)
    want = call(x.astype(np.float64), w.astype(np.float64), **options)
    assert abs(got - want).max() <= 1e-6 * abs(want).max()
    assert abs(fast - want).max() <= 4e-6 * abs(want).max()
    around = options["padding"] if isinstance(options["padding"], tuple) else (options["padding"],)
    wide = np.pad(x, ((0, 0), (0, 0), *[(p, p) for p in around]), constant_values=0.5)
    assert_identical(got, call(wide, w, dilation=options["dilation"]))


@pytest.mark.parametrize("precision", ["default", "fast"])
@pytest.mark.parametrize("name", ROWS)
def test_a_row_keeps_a_bad_value_local(instruction_set, name, precision):
    call, x, w, options = one_row(name)
    clean = call(x, w, precision=precision, **options)
    x[(0, 5, *(n // 2 for n in x.shape[2:]))] = np.nan
    got = call(x, w, precision=precision, **options)
    dirty = np.where(np.isnan(x), 1, 0).astype(np.float32)
    seen = call(dirty, np.ones_like(w), **{**options, "fill_value": 0}) > 0
    np.testing.assert_array_equal(np.isnan(got), seen)
    assert abs(got - clean)[~seen].max() <= 4e-6 * abs(clean).max()


def test_strided_and_narrow_outputs(instruction_set):
    x, w, b = arrays()
    want = ip.conv2d(x, w, b, padding=1)
    host = np.zeros((2, K, N, 2 * N), np.float32)
    ip.conv2d(x, w, b, padding=1, out=host[..., ::2])
    assert_identical(host[..., ::2], want)
    assert not host[..., 1::2].any()


BIG = 61  # where F(4x4, 3x3) pays, and no multiple of its tile


def fast_and_truth(fill, padding, seed=0, **options):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((1, C, BIG, BIG)).astype(np.float32)
    w = (rng.standard_normal((64, C, 3, 3)) / np.sqrt(9 * C)).astype(np.float32)
    b = rng.standard_normal(64).astype(np.float32)
    got = ip.conv2d(x, w, b, padding=padding, fill_value=fill, precision="fast", **options)
    fill = np.broadcast_to(np.float32(0 if fill is None else fill), C)
    wide = np.empty((1, C, *(BIG + sum(p) for p in padding)), np.float32)
    wide[...] = fill[:, None, None]
    (top, _), (left, _) = padding
    wide[:, :, top : top + BIG, left : left + BIG] = x
    return got, reference(wide, w, b), wide, w, b


@pytest.mark.parametrize("padding", [((1, 1), (1, 1)), ((0, 2), (3, 0)), ((70, 5), (0, 64))])
@pytest.mark.parametrize("fill", [None, 0.5, -7.0, 1e4, "each channel"])
def test_fast_is_within_its_bound_whatever_the_fill(instruction_set, threads, fill, padding):
    if fill == "each channel":
        fill = np.linspace(-3, 1000, C)
    got, want, *_ = fast_and_truth(fill, padding)
    assert abs(got - want).max() <= 4e-6 * abs(want).max()
    # Outputs that see no padding keep their accuracy beside a large fill.
    (top, _), (left, _) = padding
    inside = np.s_[..., top : top + BIG - 2, left : left + BIG - 2]
    assert abs(got[inside] - want[inside]).max() <= 4e-6 * abs(want[inside]).max()


@pytest.mark.parametrize("fill", [np.nan, np.inf])
def test_fast_leaves_a_fill_that_is_not_finite_to_the_default(instruction_set, fill):
    got, _, wide, w, b = fast_and_truth(fill, ((1, 1), (1, 1)))
    assert_identical(got, ip.conv2d(wide, w, b))


@pytest.mark.parametrize("mode", ["reflect", "circular", ("constant", "replicate")])
def test_fast_in_every_mode(instruction_set, mode):
    rng = np.random.default_rng(5)
    x = rng.standard_normal((2, C, BIG, BIG))
    w = rng.standard_normal((64, C, 3, 3))
    fill = None if "constant" not in mode else 2.5
    options = {"padding": 2, "padding_mode": mode, "fill_value": fill}
    got, want = ip.conv2d(x, w, precision="fast", **options), ip.conv2d(x, w, **options)
    assert abs(got - want).max() <= 1e-14 * abs(want).max()
    assert not np.array_equal(got, want)  # another algorithm, not another name


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_fast_keeps_a_bad_pixel_local(instruction_set, value):
    rng = np.random.default_rng(6)
    x = rng.standard_normal((1, C, BIG, BIG)).astype(np.float32)
    w = rng.standard_normal((64, C, 3, 3)).astype(np.float32)
    x[0, 5, 30, 31] = value
    got = ip.conv2d(x, w, padding=1, fill_value=3.0, precision="fast")
    seen = np.zeros((BIG, BIG), bool)
    seen[29:32, 30:33] = True
    np.testing.assert_array_equal(np.isfinite(got[0]), np.broadcast_to(~seen, got[0].shape))
    want = ip.conv2d(x, w, padding=1, fill_value=3.0)
    np.testing.assert_allclose(got[0][:, ~seen], want[0][:, ~seen], atol=4e-6 * 100)


def test_fast_depth_and_groups(instruction_set, threads):
    rng = np.random.default_rng(7)
    x = rng.standard_normal((1, 2 * C, 4, 40, 41)).astype(np.float32)
    w = rng.standard_normal((128, C, 3, 3, 3)).astype(np.float32)
    options = {"padding": (2, 1, 1), "groups": 2, "fill_value": np.linspace(1, 9, 2 * C)}
    got, want = ip.conv3d(x, w, precision="fast", **options), ip.conv3d(x, w, **options)
    assert abs(got - want).max() <= 4e-6 * abs(want).max()


# Input, filters, groups, dilation: cut into blocks of tiles, images and shares of the filters.
DIVIDED = {
    "batch of small planes": ((9, 96, 7, 7), 160, 1, 1),
    "many channels": ((5, 450, 9, 6), 64, 1, 1),
    "one plane": ((1, 64, 27, 30), 70, 1, 1),
    "tall": ((2, 32, 95, 9), 40, 1, 1),
    "wide": ((1, 32, 9, 230), 40, 1, 1),
    "groups": ((3, 128, 13, 13), 96, 2, 1),
    "dilated": ((1, 64, 33, 50), 64, 1, (5, 7)),
    "signal": ((3, 128, 700), 64, 1, 1),
}


@pytest.mark.parametrize("precision", ["default", "fast"])
@pytest.mark.parametrize("name", DIVIDED)
def test_work_may_be_divided_among_any_number_of_threads(instruction_set, name, precision):
    shape, filters, groups, dilation = DIVIDED[name]
    rank = len(shape) - 2
    rng = np.random.default_rng(7)
    x = rng.standard_normal(shape).astype(np.float32)
    w = rng.standard_normal((filters, shape[1] // groups, *[3] * rank)).astype(np.float32)
    function = {1: ip.conv1d, 2: ip.conv2d}[rank]
    before, results = ip.get_num_threads(), []
    try:
        for count in (1, 2, 3, 7):
            ip.set_num_threads(count)
            options = {"groups": groups, "dilation": dilation, "precision": precision}
            results.append(function(x, w, padding=dilation, fill_value=0.5, **options))
    finally:
        ip.set_num_threads(before)
    for result in results[1:]:
        assert_identical(result, results[0])
