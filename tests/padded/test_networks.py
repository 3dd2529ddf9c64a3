"""Networks on a padded array equal the same networks on the explicit array."""

from __future__ import annotations

import numpy as np
import pytest
from padded_arrays import assert_same, random_padded

import implicitpad as ip
from implicitpad import nn
from implicitpad.nn.layout import Layout

CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def random_layer(rng, rank, channels, room):
    """A layer that takes `channels` and needs at most `room` positions, and what it returns."""
    outputs = int(rng.choice([2, 4, 6]))
    kind = rng.integers(12)
    if kind < 4:
        kernel = int(rng.integers(1, min(3, room) + 1))
        dilation = int(rng.integers(1, 3)) if kernel > 1 and room > 5 else 1
        groups = int(rng.choice([1, 2])) if channels % 2 == 0 else 1
        stride = int(rng.choice([1, 1, 2, 3]))
        layer = CONVS[rank - 1](
            channels, outputs, kernel, stride, 0, dilation, groups, rng=rng, dtype=np.float64
        )
        return layer, outputs
    if kind == 4:
        return rng.choice([nn.ReLU(), nn.SiLU(), nn.GELU(), nn.LeakyReLU(), nn.Sigmoid()]), channels
    if kind == 5:
        return nn.Pointwise(np.tanh), channels
    if kind == 6:
        norm = nn.BatchNorm(channels)
        norm.mean, norm.variance = rng.normal(size=channels), rng.uniform(0.5, 2, channels)
        norm.weight, norm.bias = rng.normal(size=(2, channels))
        return norm, channels
    if kind == 7:
        return rng.choice([nn.GroupNorm(2, channels), nn.InstanceNorm(channels), nn.LayerNorm(channels)]), channels
    if kind == 8:
        return nn.Upsample(2, "nearest"), channels
    if kind == 9 and channels % 2**rank == 0:
        return nn.PixelShuffle(2), channels // 2**rank
    kernel = int(rng.choice([1, min(3, room)]))
    conv = CONVS[rank - 1](channels, channels, kernel, rng=rng, dtype=np.float64)
    if kind == 10:
        return nn.Residual(conv, nn.ReLU()), channels
    return nn.Skip(conv, nn.Tanh()), 2 * channels


def random_network(rng, x):
    """Up to six layers that fit `x`."""
    layout, layers = Layout.of(x), []
    for _ in range(int(rng.integers(1, 7))):
        layer, _ = random_layer(rng, x.rank, layout.lead[-1], min(layout.size))
        try:
            after = layer.trace(layout)
        except ValueError:
            continue
        if np.prod(after.size) > 20000 or after.lead[-1] > 24:
            continue
        layers.append(layer)
        layout = after
    return nn.Sequential(*layers)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("seed", range(60))
def test_a_network_on_a_padded_array(seed, rank):
    rng = np.random.default_rng([seed, rank])
    widest = (60, 20, 8)[rank - 1]
    x = random_padded(rng, rank, lead=(2, 4), total=rng.integers(2, widest, rank))
    network = random_network(rng, x)
    got, want = network(x), network(x.materialize())
    assert_same(got, want)
    layout = network.trace(Layout.of(x))
    assert layout.shape == got.shape
    assert layout.spans == got.spans
    assert layout.period == got.period
    space = tuple(range(2, got.ndim))
    for f in (np.sum, np.mean, np.max, np.min, np.var):
        np.testing.assert_allclose(f(got, space), f(want, space), rtol=1e-9, atol=1e-9)
