"""Pooling of a padded array equals that of the explicit array."""

from __future__ import annotations

import numpy as np
import pytest
from padded_arrays import assert_same, random_padded

import implicitpad as ip

MAX = (ip.max_pool1d, ip.max_pool2d, ip.max_pool3d)
AVG = (ip.avg_pool1d, ip.avg_pool2d, ip.avg_pool3d)


def random_windows(rng, x, hang):
    options = {"kernel_size": [], "stride": [], "dilation": [], "padding": []}
    for span in x.spans:
        kernel = int(rng.integers(1, min(4, span.total) + 1))
        dilation = int(rng.integers(1, 3)) if 2 * kernel - 1 <= span.total else 1
        options["kernel_size"].append(kernel)
        options["dilation"].append(dilation)
        options["stride"].append(int(rng.integers(1, 4)))
        most = kernel if hang and dilation == 1 else 1
        options["padding"].append(tuple(rng.integers(0, most, 2).tolist()))
    return options


@pytest.mark.parametrize("period", [1, 3])
@pytest.mark.parametrize("seed", range(100))
def test_windows_that_hang_over_see_nothing(seed, period):
    rng = np.random.default_rng([seed, period])
    x = random_padded(rng, period=period)
    options = random_windows(rng, x, period == 1)
    ceil = bool(rng.random() < 0.5) and period == 1
    explicit = x.materialize()
    assert_same(
        MAX[x.rank - 1](x, ceil_mode=ceil, **options),
        MAX[x.rank - 1](explicit, ceil_mode=ceil, **options),
        0,
    )
    even = not ceil and not np.any(options["padding"])
    divisor = int(rng.integers(1, 9)) if even and rng.random() < 0.5 else None
    options.update(ceil_mode=ceil, count_include_pad=False, divisor_override=divisor)
    assert_same(AVG[x.rank - 1](x, **options), AVG[x.rank - 1](explicit, **options))


@pytest.mark.parametrize("seed", range(40))
def test_padding_that_counts_continues_the_border(seed):
    rng = np.random.default_rng(seed)
    x = random_padded(rng)
    options = random_windows(rng, x, True)
    more = options.pop("padding")
    longer = x.extend(more).materialize()
    assert_same(AVG[x.rank - 1](x, padding=more, **options), AVG[x.rank - 1](longer, **options))
    value = x.fill.ravel() if x.fill.shape[0] == 1 or x.ndim == x.rank + 1 else None
    if value is not None:
        got = MAX[x.rank - 1](x, padding=more, fill_value=value, **options)
        assert_same(got, MAX[x.rank - 1](longer, **options), 0)


def test_refusals():
    x = ip.PaddedArray(np.zeros((1, 1, 4)), 1, 1.0)
    with pytest.raises(ValueError, match=r"max_pool1d: indices in the border"):
        ip.max_pool1d(x, 2, return_indices=True)
    with pytest.raises(ValueError, match=r"max_pool1d: .*second border.*extend\(\)"):
        ip.max_pool1d(x, 2, padding=2)
    with pytest.raises(ValueError, match=r"avg_pool1d: .*second border"):
        ip.avg_pool1d(x, 2, padding=1, fill_value=0.0)
    periodic = ip.PaddedArray(np.zeros((1, 1, 4)), [(1, 1)], [[[1.0, 2.0]]])
    with pytest.raises(ValueError, match=r"max_pool1d: .*fill is periodic"):
        ip.max_pool1d(periodic, 3, padding=1)
    with pytest.raises(ValueError, match=r"avg_pool1d: .*divisor_override"):
        ip.avg_pool1d(x, 3, ceil_mode=True, stride=2, divisor_override=3, dilation=2)
    with pytest.raises(ValueError, match=r"max_pool1d: kernel_size spans 7"):
        ip.max_pool1d(x, 7)


def test_global_pooling():
    rng = np.random.default_rng(0)
    x = random_padded(rng, 2, lead=(2, 3))
    explicit = x.materialize()
    assert_same(ip.global_avg_pool(x), explicit.mean((2, 3)))
    assert_same(ip.global_max_pool(x), explicit.max((2, 3)), 0)
    assert_same(ip.adaptive_avg_pool2d(x, (2, None)), ip.adaptive_avg_pool2d(explicit, (2, None)))
    assert_same(ip.nn.GlobalAvgPool()(x), explicit.mean((2, 3), keepdims=True))
    assert_same(ip.nn.GlobalMaxPool()(x), explicit.max((2, 3), keepdims=True), 0)
