"""`plan` and `required_padding` know every layer of `implicitpad.nn`."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from test_layer_gradients import PARAMETERS, arrays

import implicitpad as ip
from implicitpad import nn
from implicitpad.nn.layout import Layout

STATISTICS = ("BatchNorm", "GroupNorm", "InstanceNorm")  # which see all, and say what scales


@pytest.mark.parametrize(("name", "case", "rank"), PARAMETERS)
def test_a_layer_is_planned_as_it_computes(name, case, rank):
    rng = np.random.default_rng(rank)
    for x in arrays(rng, rank):
        layer, _ = case(rank, rng)
        y, layout = layer(x), layer.trace(Layout.of(x))
        assert layout.shape == y.shape
        if isinstance(y, ip.PaddedArray):
            assert layout.spans == y.spans
            assert layout.period == y.period
        plan = ip.plan(layer, x)
        assert plan.rows[-1].layout == layout
        assert len(str(plan).splitlines()) == len(plan.rows) + 3
        assert ip.plan(layer, x.materialize()).macs == plan.macs_explicit >= 0


@pytest.mark.parametrize(("name", "case", "rank"), PARAMETERS)
def test_padding_that_is_required_gives_the_output_asked_for(name, case, rank):
    rng = np.random.default_rng(rank)
    layer, _ = case(rank, rng)
    size = layer(np.zeros((1, 4) + (6,) * rank)).shape[2:]
    for image in (2,) * rank, (1, 2, 1)[:rank]:
        pads = ip.required_padding(layer, size, image, channels=4)
        y = layer(ip.PaddedArray(np.ones((1, 4, *image)), pads))
        assert y.shape[2:] == size


@pytest.mark.parametrize(
    ("name", "case", "rank"), [p for p in PARAMETERS if p.values[2] == 1 and p.values[0] != "Skip"]
)
def test_an_output_depends_on_what_its_view_holds(name, case, rank):
    rng = np.random.default_rng(rank)
    layer, _ = case(rank, rng)
    if name in STATISTICS:
        return
    x = rng.normal(size=(1, 4, 12))
    y, back = layer.linearize(x)
    (view,) = layer.trace(Layout.of(x)).views
    for place in range(y.shape[2]):
        gradient = np.zeros_like(y)
        gradient[..., place] = rng.normal(size=y.shape[1])
        seen = np.flatnonzero(back(gradient)[0].any(axis=(0, 1)))
        middle, reach = view.centre + place * view.jump, (view.size - 1) / 2
        if view.jump < 1:  # outputs lie between the elements, and see the cells around these
            reach += Fraction(1, 2)
        assert middle - reach <= seen.min()
        assert seen.max() <= middle + reach


def test_channels_are_those_of_the_first_layer_that_knows():
    net = nn.Sequential(nn.ReLU(), nn.Sequential(nn.Residual(nn.ReLU(), nn.Conv2d(3, 3, 3))))
    assert ip.required_padding(net, (8, 8)) == ((1, 1), (1, 1))
    net = nn.Sequential(nn.PixelShuffle(2), nn.Conv2d(4, 4, 3))
    with pytest.raises(ValueError, match=r"no input with 4 channels .* must have 4 channels"):
        ip.required_padding(net, (8, 8))
    assert ip.required_padding(net, (8, 8), (4, 4), channels=16) == ((0, 1), (0, 1))
