"""Convolution of a padded array equals that of the explicit one, with the smallest core."""

from __future__ import annotations

import numpy as np
import pytest
from padded_arrays import assert_same, numbers, random_padded

import implicitpad as ip
from implicitpad.padded.spans import Span

CONVS = (ip.conv1d, ip.conv2d, ip.conv3d)


def random_conv(rng, x):
    """Weights and options that fit the virtual shape."""
    groups = int(rng.choice([g for g in (1, 2, 3) if x.lead[-1] % g == 0]))
    kernel, stride, dilation = [], [], []
    for span in x.spans:
        kernel.append(int(rng.integers(1, min(4, span.total) + 1)))
        longest = (span.total - 1) // max(1, kernel[-1] - 1)
        dilation.append(int(rng.integers(1, max(2, min(5, longest + 1)))))
        stride.append(int(rng.integers(1, 5)))
    weight = numbers(
        rng, (groups * int(rng.integers(1, 3)), x.lead[-1] // groups, *kernel), x.dtype
    )
    bias = numbers(rng, weight.shape[:1], x.dtype) if rng.random() < 0.5 else None
    return weight, bias, {"stride": stride, "dilation": dilation, "groups": groups}


@pytest.mark.parametrize("period", [1, 3])
@pytest.mark.parametrize("seed", range(100))
def test_conv_equals_that_of_the_explicit_array(seed, period):
    rng = np.random.default_rng(seed)
    x = random_padded(rng, period=period)
    weight, bias, options = random_conv(rng, x)
    conv = CONVS[x.rank - 1]
    got = conv(x, weight, bias, **options)
    assert_same(got, conv(x.materialize(), weight, bias, **options))
    if not x.n_pad:
        assert not got.n_pad


@pytest.mark.parametrize("seed", range(40))
def test_padding_continues_the_border(seed):
    rng = np.random.default_rng(seed)
    x = random_padded(rng, period=2)
    weight, bias, options = random_conv(rng, x)
    widths = [tuple(rng.integers(0, 5, 2).tolist()) for _ in x.spans]
    conv = CONVS[x.rank - 1]
    assert_same(
        conv(x, weight, bias, padding=widths, **options),
        conv(x.extend(widths).materialize(), weight, bias, **options),
    )


def test_core_is_the_hull_of_the_windows_that_touch_it():
    for total in range(1, 10):
        for start in range(total + 1):
            for stop in range(start, total + 1):
                span = Span.of(start, stop, total)
                for kernel in (1, 2, 3):
                    for dilation in (1, 2, 3):
                        for stride in (1, 2, 3, 5):
                            extent = dilation * (kernel - 1) + 1
                            if extent > total:
                                continue
                            count = (total - extent) // stride + 1
                            hits = [
                                i
                                for i in range(count)
                                if any(
                                    start <= i * stride + k * dilation < stop for k in range(kernel)
                                )
                            ]
                            got = span.windows(kernel, stride, dilation)
                            assert got.total == count
                            assert (got.before, got.stop) == (
                                (hits[0], hits[-1] + 1) if hits else (count, count)
                            )


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int8, np.uint8, np.int16, np.uint32])
def test_every_storage_type(dtype):
    rng = np.random.default_rng(0)
    x = random_padded(rng, 2, lead=(2, 3), total=(9, 8), dtype=dtype)
    weight = numbers(rng, (2, 3, 3, 2), dtype)
    got, want = ip.conv2d(x, weight, stride=2), ip.conv2d(x.materialize(), weight, stride=2)
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(np.asarray(got), want)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -0.0])
def test_special_fills_give_the_bits_of_the_explicit_array(value):
    rng = np.random.default_rng(1)
    x = ip.PaddedArray(rng.normal(size=(1, 2, 3, 4)), 4, [value, 1.0])
    weight = rng.normal(size=(3, 2, 3, 2))
    weight[0, 0] = 0
    got, want = ip.conv2d(x, weight, stride=2), ip.conv2d(x.materialize(), weight, stride=2)
    np.testing.assert_array_equal(np.asarray(got).view(np.int64), want.view(np.int64))


def test_unread_fill_does_not_matter():
    rng = np.random.default_rng(2)
    image = rng.normal(size=(1, 1, 6, 6))
    weight = rng.normal(size=(1, 1, 3, 3))
    np.testing.assert_array_equal(
        ip.conv2d(ip.PaddedArray(image, 0, np.nan), weight), ip.conv2d(image, weight)
    )


def test_layer_packs_once_and_equals_the_function():
    rng = np.random.default_rng(3)
    weight, bias = rng.normal(size=(4, 2, 3, 3)), rng.normal(size=4)
    layer = ip.Conv2d(weight, bias, stride=2)
    for pad in (3, 7):
        x = ip.PaddedArray(rng.normal(size=(1, 2, 5, 5)), pad, 2.0)
        np.testing.assert_array_equal(layer(x), ip.conv2d(x, weight, bias, stride=2))


def test_modes_that_only_see_the_border_continue_it():
    rng = np.random.default_rng(4)
    x = ip.PaddedArray(rng.normal(size=(1, 1, 4, 4)), ((3, 3), (4, 3)), 5.0)
    weight = rng.normal(size=(1, 1, 3, 3))
    for mode, width in (("replicate", 9), ("reflect", 2), ("symmetric", 3), ("circular", 3)):
        want = ip.conv2d(x.materialize(), weight, padding=width, padding_mode=mode)
        assert_same(ip.conv2d(x, weight, padding=width, padding_mode=mode), want)
    for mode in ("reflect", "circular"):
        with pytest.raises(ValueError, match=r"conv2d: padding_mode .* materialize"):
            ip.conv2d(x, weight, padding=4, padding_mode=mode)


def test_second_fill_is_refused_unless_there_is_no_border():
    rng = np.random.default_rng(5)
    image, weight = rng.normal(size=(1, 1, 4, 4)), rng.normal(size=(1, 1, 3, 3))
    with pytest.raises(ValueError, match=r"conv2d: .*second border.*materialize\(\)"):
        ip.conv2d(ip.PaddedArray(image, 1, 5.0), weight, padding=1, fill_value=0.0)
    got = ip.conv2d(ip.PaddedArray(image), weight, padding=2, fill_value=7.0)
    assert_same(got, ip.conv2d(image, weight, padding=2, fill_value=7.0))
    same = ip.conv2d(ip.PaddedArray(image, 1, 5.0), weight, padding=1, fill_value=5.0)
    assert_same(same, ip.conv2d(image, weight, padding=2, fill_value=5.0))


def test_bad_calls_name_the_function_and_the_fix():
    x = ip.PaddedArray(np.ones((1, 1, 2, 2)), 1)
    with pytest.raises(
        ValueError, match=r"conv2d: weight spans 5 on spatial axis 0 .* 4 there .* 1 wider"
    ):
        ip.conv2d(x, np.ones((1, 1, 5, 5)))
    with pytest.raises(ValueError, match="conv2d: out= has no rule"):
        ip.conv2d(x, np.ones((1, 1, 2, 2)), out=np.empty((1, 1, 3, 3)))
    with pytest.raises(ValueError, match=r"conv1d: input must have shape \(N, C, L\)"):
        ip.conv1d(x, np.ones((1, 1, 2)))
