"""Images and depthwise layers with large filters: what precision="fast" may do, and may not."""

from __future__ import annotations

import numpy as np
import pytest
from comparison import assert_identical
from strategies import MODES

import implicitpad as ip
from implicitpad import _conv_cpu, _reference
from implicitpad._geometry import Axis

ERROR = {"float32": 1e-6, "float64": 2e-15}  # of the largest output, beside float64 sums
H, W, K = 270, 300, 25  # more than one tile along both axes, and an odd number of them


def layout(size, kernel, stride=1, dilation=1, channels=1, fast=True, storage="float32"):
    axes = (
        Axis(1, 1, 1, 1, 0, 0, "constant"),
        *[Axis(size, kernel, stride, dilation, 9, 9, "constant")] * 2,
    )
    plan = _conv_cpu.ConvPlan(
        axes, 1, channels, channels, channels, *[storage] * 3, True, fast, False, 1
    )
    return plan.layout


def arrays(dtype="float32", channels=1, batch=1, size=(H, W), kernel=(K, K + 2)):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, channels, *size)).astype(dtype)
    w = (rng.standard_normal((channels, 1, *kernel)) / K).astype(dtype)
    return x, w, rng.standard_normal(channels).astype(dtype)


def truth(x, w, b, **options):
    """By the default algorithm in float64."""
    x, w, b = (array.astype(np.float64) for array in (x, w, b))
    return ip.conv2d(x, w, b, groups=x.shape[1], precision="default", **options)


def test_large_filters_are_transformed_when_asked_for(instruction_set):
    assert layout(1024, 31) == "fourier"
    assert layout(1024, 31, storage="float64") == "fourier"
    assert layout(1024, 31, fast=False) == "plane"
    assert layout(1024, 7) == "plane"
    assert layout(1024, 31, stride=2) != "fourier"
    assert layout(1024, 31, dilation=2) == "plane"
    assert layout(1024, 131) == "plane"  # half a tile
    assert layout(64, 15) == "plane"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ERROR)
def test_transforms_stay_within_their_error(instruction_set, threads, dtype, mode):
    x, w, b = arrays(dtype, channels=2, batch=2)
    fill = [0.5, -3.0] if mode == "constant" else None
    options = {"padding": (K // 2, 40), "padding_mode": mode, "fill_value": fill}
    got = ip.conv2d(x, w, b, groups=2, precision="fast", **options)
    want = truth(x, w, b, **options)
    assert abs(got - want).max() <= ERROR[dtype] * abs(want).max()
    direct = ip.conv2d(x, w, b, groups=2, **options)
    assert not np.array_equal(got, direct)  # another algorithm, not another name


def test_transforms_equal_explicit_padding_bit_for_bit(instruction_set, threads):
    x, w, b = arrays()
    got = ip.conv2d(x, w, b, padding=((7, 30), (0, 50)), fill_value=2.5, precision="fast")
    wide = np.pad(x, ((0, 0), (0, 0), (7, 30), (0, 50)), constant_values=2.5)
    assert_identical(got, ip.conv2d(wide, w, b, precision="fast"))
    strided = ip.conv2d(np.asfortranarray(wide), w, b, precision="fast")
    assert_identical(got, strided)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_bad_pixel_shows_only_where_it_is_seen(instruction_set, value):
    x, w, b = arrays()
    x[0, 0, 100, 120] = value
    x[0, 0, -1, -1] = value
    options = {"padding": K // 2, "precision": "fast"}
    got, direct = ip.conv2d(x, w, b, **options), ip.conv2d(x, w, b, padding=K // 2)
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(direct))
    np.testing.assert_array_equal(got[np.isinf(direct)], direct[np.isinf(direct)])
    with np.errstate(invalid="ignore"):
        error = abs(got - direct)[np.isfinite(direct)]
    assert error.max() <= 2 * ERROR["float32"] * abs(direct[np.isfinite(direct)]).max()


def test_a_fill_that_is_not_finite_is_left_to_the_default(instruction_set):
    x, w, b = arrays()
    options = {"padding": 3, "fill_value": np.inf}
    got = ip.conv2d(x, w, b, precision="fast", **options)
    assert_identical(got, ip.conv2d(x, w, b, **options))


def test_values_that_overflow_only_in_the_transform_are_summed_directly(instruction_set):
    x, w, b = arrays()
    x[0, 0, 50:90] = 3e37
    w[...] = 1e-3
    got = ip.conv2d(x, w, b, precision="fast")
    want = truth(x, w, b)
    assert abs(got - want).max() <= 1e-5 * abs(want).max()
    assert np.isfinite(got).all()


def test_error_beside_a_large_fill_is_relative_to_it(instruction_set):
    x, w, b = arrays()
    options = {"padding": K // 2, "fill_value": 1e4}
    got, want = ip.conv2d(x, w, b, precision="fast", **options), truth(x, w, b, **options)
    assert abs(got - want).max() <= ERROR["float32"] * 1e4 * abs(w).sum()


def test_strided_outputs_and_planes_of_a_volume(instruction_set):
    x, w, b = arrays()
    want = ip.conv2d(x, w, b, precision="fast")
    host = np.zeros((*want.shape[:-1], 2 * want.shape[-1]), np.float32)
    ip.conv2d(x, w, b, precision="fast", out=host[..., ::2])
    assert_identical(host[..., ::2], want)
    assert not host[..., 1::2].any()
    volume = np.concatenate([x, 2 * x], axis=1)[None, 0]  # (1, 2, H, W): one channel, depth 2
    got = ip.conv3d(volume[:, None], w[:, :, None], b, padding=(1, 0, 0), precision="fast")
    assert_identical(got[:, :, 1], want)
    assert_identical(got[:, :, 0], np.broadcast_to(b[0], got[:, :, 0].shape))


def columns_times_rows(dtype, channels, height, width):
    rng = np.random.default_rng(4)
    columns = rng.standard_normal((channels, 1, height, 1)) / height
    return (columns * rng.standard_normal((channels, 1, 1, width))).astype(dtype)


def layouts(layer):
    return {launch.run.plan.layout for launch in layer._packed.launches.values()}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ERROR)
@pytest.mark.parametrize("kernel", [(7, 7), (9, 40), (31, 19)])
def test_filters_of_rank_1_are_two_passes(instruction_set, threads, dtype, mode, kernel):
    x, _, b = arrays(dtype, channels=3, batch=2, size=(53, 71))
    w = columns_times_rows(dtype, 3, *kernel)
    fill = [0.5, -3.0, 100.0] if mode == "constant" else None
    options = {"padding": ((5, 40), (60, 3)), "padding_mode": mode, "fill_value": fill}
    layer = ip.Conv2d(w, b, groups=3, precision="fast", **options)
    got, want = layer(x), truth(x, w, b, **options)
    assert layouts(layer) == {"separable"}
    assert abs(got - want).max() <= ERROR[dtype] * abs(want).max()
    wide = _reference.explicit_pad(x, layer_axes(x, kernel, options), np.asarray(fill or 0, dtype))
    assert_identical(got, ip.conv2d(wide, w, b, groups=3, precision="fast"))
    assert_identical(got, layer(np.asfortranarray(x)))


@pytest.mark.parametrize("dtype", ERROR)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [(3, 3), (5, 5), (7, 7), (1, 5), (3, 1)])
def test_rows_are_the_same_wherever_they_are_stored(
    instruction_set, threads, dtype, stride, kernel
):
    """Wide rows of whole vectors are stored aligned, after a first strip of any width."""
    columns = 512
    x, w, b = arrays(dtype, size=(40, stride * columns + 1), kernel=kernel)
    pad = [(k // 2, k // 2) for k in kernel]
    options = {"stride": stride, "padding": pad, "fill_value": 0.5}
    uneven = ip.conv2d(x, w, b, **options)
    rows = uneven.shape[2]
    x = x[..., : stride * columns]
    explicit = np.pad(x, [(0, 0), (0, 0), *pad], constant_values=0.5)
    for first in (0, 1, 5, 15):
        memory = np.full(rows * columns + 32, np.nan, dtype)
        at = -memory.ctypes.data % 64 // memory.itemsize + first
        out = memory[at : at + rows * columns].reshape(1, 1, rows, columns)
        ip.conv2d(x, w, b, out=out, **options)
        assert_identical(out, ip.conv2d(explicit, w, b, stride=stride))
        inner = columns - kernel[1]
        assert_identical(out[..., :inner], uneven[..., :inner])
        assert np.isnan(memory[:at]).all()
        assert np.isnan(memory[at + rows * columns :]).all()


@pytest.mark.parametrize("dtype", ERROR)
@pytest.mark.parametrize(
    "kernel", [(1, 2), (1, 7), (1, 8), (1, 16), (1, 17), (6, 1), (7, 1), (16, 1), (40, 1), (300, 1)]
)
def test_one_column_or_row_of_taps(instruction_set, threads, dtype, kernel):
    """By kernels of their own inside the image, by others at its edges: the same bits."""
    x, w, b = arrays(dtype, channels=2, size=(61, 299), kernel=kernel)
    padding = [(k, k) for k in kernel]
    options = {"groups": 2, "precision": "default"}
    got = ip.conv2d(x, w, b, padding=padding, fill_value=0.5, **options)
    wide = np.pad(x, [(0, 0), (0, 0), *padding], constant_values=0.5)
    assert_identical(got, ip.conv2d(wide, w, b, **options))
    assert_identical(got, ip.conv2d(np.asfortranarray(wide), w, b, **options))
    want = truth(x, w, b, padding=padding, fill_value=0.5)
    assert abs(got - want).max() <= ERROR[dtype] * abs(want).max()
    spoilt = x.copy()
    spoilt[0, 0, 30, 150] = np.nan
    found = np.isnan(ip.conv2d(spoilt, w, b, padding=padding, fill_value=0.5, **options))
    assert found.sum() == kernel[0] * kernel[1]


def layer_axes(x, kernel, options):
    return tuple(
        Axis(n, k, 1, 1, before, after, options["padding_mode"])
        for n, k, (before, after) in zip(x.shape[2:], kernel, options["padding"], strict=True)
    )


def test_only_filters_of_rank_1_are_two_passes(instruction_set):
    x, _, b = arrays(channels=2, size=(40, 50))
    w = columns_times_rows("float32", 2, 9, 9)
    w[1, 0, 2, 3] *= 1.001
    layer = ip.Conv2d(w, b, padding=4, groups=2, precision="fast")
    layer(x)
    assert layouts(layer) == {"plane"}
    default = ip.Conv2d(columns_times_rows("float32", 2, 9, 9), b, padding=4, groups=2)
    default(x)
    assert layouts(default) == {"plane"}
    zero = ip.Conv2d(np.zeros((2, 1, 9, 9), np.float32), b, groups=2, precision="fast")
    assert_identical(zero(x), np.broadcast_to(b[:, None, None], (1, 2, 32, 42)).copy())


def test_two_passes_keep_a_bad_pixel_local(instruction_set):
    x, _, b = arrays(size=(40, 50))
    x[0, 0, 20, 30] = np.nan
    w = columns_times_rows("float32", 1, 9, 11)
    got = ip.conv2d(x, w, b, padding=(4, 5), precision="fast")
    seen = np.zeros((40, 50), bool)
    seen[16:25, 25:36] = True
    np.testing.assert_array_equal(np.isnan(got[0, 0]), seen)


def test_two_passes_into_any_output(instruction_set, threads):
    x, _, b = arrays(channels=2, size=(200, 150))
    w = columns_times_rows("float32", 4, 7, 7)  # two filters for each channel
    b = np.concatenate([b, b])
    want = ip.conv2d(x, w, b, padding=3, groups=2, precision="fast")
    assert_identical(want, ip.conv2d(x, w, b, padding=3, groups=2, precision="fast"))
    close = ip.conv2d(x, w, b, padding=3, groups=2)
    assert abs(want - close).max() <= 2e-6 * abs(close).max()
    host = np.zeros((1, 4, 200, 300), np.float32)
    ip.conv2d(x, w, b, padding=3, groups=2, precision="fast", out=host[..., ::2])
    assert_identical(host[..., ::2], want)
    assert not host[..., 1::2].any()


def test_two_passes_with_wide_padding(instruction_set, threads):
    """The second pass sees longer rows than the first, and takes the bands of the first."""
    x, _, b = arrays(size=(90, 40))
    w = columns_times_rows("float32", 1, 7, 9)
    options = {"padding": (3, 3000), "fill_value": 0.25}
    got = ip.conv2d(x, w, b, precision="fast", **options)
    want = truth(x, w, b, **options)
    assert abs(got - want).max() <= ERROR["float32"] * abs(want).max()
