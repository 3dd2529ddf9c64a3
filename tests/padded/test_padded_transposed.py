"""Transposed convolution of a padded array equals that of the explicit array, or is refused."""

from __future__ import annotations

import numpy as np
import pytest
from padded_arrays import assert_same, random_padded

import implicitpad as ip

TRANSPOSED = (ip.conv_transpose1d, ip.conv_transpose2d, ip.conv_transpose3d)


@pytest.mark.parametrize("period", [1, 2])
@pytest.mark.parametrize("seed", range(80))
def test_where_every_output_has_its_taps(seed, period):
    rng = np.random.default_rng(seed)
    x = random_padded(rng, period=period)
    kernel, stride, dilation, padding, extra = [], [], [], [], []
    for _ in x.spans:
        stride.append(int(rng.integers(1, 4)))
        kernel.append(int(rng.integers(1, 5)))
        dilation.append(int(rng.integers(1, 3)))
        extra.append(int(rng.integers(0, stride[-1])))
        least = dilation[-1] * (kernel[-1] - 1) + 1 - stride[-1]
        padding.append(
            (max(0, least + int(rng.integers(2))), max(0, least + extra[-1] + int(rng.integers(2))))
        )
    weight = rng.normal(size=(x.lead[-1], 2, *kernel))
    bias = rng.normal(size=2)
    conv = TRANSPOSED[x.rank - 1]
    options = {"stride": stride, "padding": padding, "output_padding": extra, "dilation": dilation}
    try:
        want = conv(x.materialize(), weight, bias, **options)
    except ValueError:
        with pytest.raises(ValueError, match="crops all"):
            conv(x, weight, bias, **options)
        return
    assert_same(conv(x, weight, bias, **options), want)


@pytest.mark.parametrize("seed", range(40))
def test_a_border_of_zeros_misses_nothing(seed):
    rng = np.random.default_rng(seed)
    x = random_padded(rng)
    x = ip.PaddedArray(x.core, x.pad, 0)
    weight = rng.normal(size=(x.lead[-1], 2, *rng.integers(1, 5, x.rank)))
    conv = TRANSPOSED[x.rank - 1]
    for stride in (1, 2, 3):
        assert_same(conv(x, weight, None, stride), conv(x.materialize(), weight, None, stride))


def test_doubling_gives_four_phases_and_a_strided_convolution_takes_them_back():
    rng = np.random.default_rng(0)
    x = ip.PaddedArray(rng.normal(size=(1, 3, 4, 4)), 50, [1.0, 2.0, 3.0])
    y = ip.conv_transpose2d(x, rng.normal(size=(3, 2, 2, 2)), stride=2)
    assert y.core.shape == (1, 2, 8, 8)
    assert y.fill.shape == (1, 2, 2, 2)
    assert ip.conv2d(y, rng.normal(size=(1, 2, 2, 2)), stride=2).fill.shape == (1, 1, 1, 1)


def test_edges_that_miss_taps_are_refused_and_the_fix_works():
    rng = np.random.default_rng(0)
    x = ip.PaddedArray(rng.normal(size=(1, 1, 3, 3)), 2, 1.0)
    weight = rng.normal(size=(1, 1, 4, 4))
    with pytest.raises(
        ValueError, match=r"conv_transpose2d: .*miss taps.*x.extend\(1\) with 2 more padding"
    ):
        ip.conv_transpose2d(x, weight, stride=2, padding=1)
    got = ip.conv_transpose2d(x.extend(1), weight, stride=2, padding=1 + 2)
    assert got.shape == (1, 1, 14, 14)
    assert_same(got, ip.conv_transpose2d(x.extend(1).materialize(), weight, stride=2, padding=3))


def test_functions_without_a_rule_do_not_materialize():
    x = ip.PaddedArray(np.ones((1, 1, 3, 3)), 2)
    with pytest.raises(TypeError, match=r"conv2d: weight is a PaddedArray.*materialize\(\)"):
        ip.conv2d(np.ones((1, 1, 3, 3)), x)
