"""Networks on a padded array equal the same networks on the explicit array."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from padded_arrays import assert_same, random_padded

import implicitpad as ip
from implicitpad import nn
from implicitpad.nn.layout import Layout

CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
POOLS = (
    (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
    (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
)


def random_layer(rng, rank, channels, room):
    """A layer that takes `channels` and needs at most `room` positions."""
    outputs = int(rng.choice([2, 4, 6]))
    kind = rng.integers(15)
    if kind < 4:
        kernel = int(rng.integers(1, min(3, room) + 1))
        dilation = int(rng.integers(1, 3)) if kernel > 1 and room > 5 else 1
        groups = int(rng.choice([1, 2])) if channels % 2 == 0 else 1
        stride = int(rng.choice([1, 1, 2, 3]))
        layer = CONVS[rank - 1](
            channels, outputs, kernel, stride, 0, dilation, groups, rng=rng, dtype=np.float64
        )
        return layer
    if kind == 4:
        return rng.choice([nn.ReLU(), nn.SiLU(), nn.GELU(), nn.LeakyReLU(), nn.Sigmoid()])
    if kind == 5:
        return nn.Pointwise(np.tanh)
    if kind == 6:
        norm = nn.BatchNorm(channels)
        norm.mean, norm.variance = rng.normal(size=channels), rng.uniform(0.5, 2, channels)
        norm.weight, norm.bias = rng.normal(size=(2, channels))
        return norm
    if kind == 7:
        return rng.choice(
            [nn.GroupNorm(2, channels), nn.InstanceNorm(channels), nn.LayerNorm(channels)]
        )
    if kind == 8:
        return nn.Upsample(2, "nearest")
    if kind == 9 and channels % 2**rank == 0:
        return nn.PixelShuffle(2)
    if kind in (12, 13) and room > 1:
        ceil = bool(rng.random() < 0.3)
        return POOLS[kind - 12][rank - 1](2, int(rng.choice([1, 2])), ceil_mode=ceil)
    if kind == 14:
        return TRANSPOSED[rank - 1](channels, outputs, 2, 2, rng=rng, dtype=np.float64)
    kernel = int(rng.choice([1, min(3, room)]))
    conv = CONVS[rank - 1](channels, channels, kernel, rng=rng, dtype=np.float64)
    if kind == 10:
        return nn.Residual(conv, nn.ReLU())
    return nn.Skip(conv, nn.Tanh())


def random_network(rng, x):
    """Up to six layers that fit `x`."""
    layout, layers = Layout.of(x), []
    for _ in range(int(rng.integers(1, 7))):
        layer = random_layer(rng, x.rank, layout.lead[-1], min(layout.size))
        try:
            after = layer.trace(layout)
        except ValueError:
            continue
        if x.n_pad and max(layout.period) > 1 and getattr(layer, "ceil_mode", False):
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


@pytest.mark.parametrize("seed", range(40))
def test_cropping_and_joining_with_differing_cores(seed):
    rng = np.random.default_rng(seed)
    rank = int(rng.integers(1, 4))
    x = random_padded(rng, rank, lead=(2, 4), total=rng.integers(6, 12, rank))
    conv = [CONVS[rank - 1](4, 4, k, rng=rng, dtype=np.float64) for k in (1, 3, 5)]

    def network(a):
        a = conv[1](a)
        b = np.tanh(conv[1](a))
        inner = (..., *[slice(1, -1)] * rank)
        c = np.concatenate([a[inner], b, a[inner] + b], 1)
        c = c[:, 2:6] * c[:, 7:11] - np.mean(c, (0, *range(2, rank + 2)), keepdims=True)[:, :4]
        return np.maximum(conv[0](c), 0)[(..., slice(None, None, -2))]

    assert_same(network(x), network(x.materialize()))


@pytest.mark.parametrize("width", [0, 1, 3, 9, 10, 11, 40])
def test_borders_smaller_than_the_network_needs_exactly_enough_and_more(width):
    rng = np.random.default_rng(width)
    network = nn.Sequential(*[nn.Conv2d(2, 2, 3, rng=rng, dtype=np.float64) for _ in range(10)])
    for size in (1, 2, 22):
        x = ip.PaddedArray(rng.normal(size=(1, 2, size, size)), width, rng.normal(size=2))
        if size + 2 * width < 21:
            with pytest.raises(ValueError, match=r"Conv2d: weight spans 3 .* wider in total"):
                network(x)
            continue
        assert_same(network(x), network(x.materialize()))


def test_output_of_the_required_padding_has_the_size_asked_for():
    rng = np.random.default_rng(0)
    for _ in range(40):
        layers, channels = [], 2
        for _ in range(int(rng.integers(1, 5))):
            kernel, stride = int(rng.integers(1, 5)), int(rng.choice([1, 2]))
            layers.append(nn.Conv1d(2, 2, kernel, stride, dilation=int(rng.integers(1, 3))))
        network = nn.Sequential(*layers)
        image, wanted = int(rng.integers(1, 30)), int(rng.integers(1, 30))
        field = ip.receptive_field(
            [
                {"kernel_size": a.kernel_size, "stride": a.stride, "dilation": a.dilation}
                for a in layers
            ]
        )
        least = (wanted - 1) * field.stride[0] + field.size[0]
        if least + field.stride[0] - 1 < image:
            with pytest.raises(ValueError, match=f"required_padding: {wanted} outputs see only"):
                ip.required_padding(network, (wanted,), (image,))
            continue
        ((before, after),) = ip.required_padding(network, (wanted,), (image,))
        assert before + after == max(least, image) - image
        assert 0 <= after - before <= 1
        x = ip.PaddedArray(np.zeros((1, channels, image), np.float32), [(before, after)])
        assert network(x).shape[-1] == wanted


def test_published_sizes():
    vgg, resnet, unet = (
        build() for build in (nn.networks.vgg16, nn.networks.resnet50, nn.networks.unet)
    )
    # 388 outputs need 572 inputs: Ronneberger, Fischer, Brox 2015, figure 1.
    assert ip.required_padding(unet, (388, 388)) == ((92, 92), (92, 92))
    # Receptive fields 212 and 483 with stride 32: Araujo, Norris, Sim 2019, table of networks.
    for network, field in ((vgg, 212), (resnet, 483)):
        view = network.trace(Layout.of(np.zeros((1, 3, 1000, 1000)))).views[0]
        assert (view.size, view.jump) == (field, 32)
        total = 224 + sum(ip.required_padding(network, (7, 7), (224, 224))[0])
        assert total == 6 * 32 + field


def test_a_plan_counts_what_is_computed():
    network = nn.Sequential(nn.Conv2d(4, 6, 3, 2, groups=2), nn.Conv2d(6, 2, (1, 3), dilation=2))
    x = ip.PaddedArray(np.zeros((3, 4, 5, 7), np.float32), ((9, 8), (6, 9)), 1)
    plan = ip.plan(network, x)
    first = ip.cost(x.shape, (6, 2, 3, 3), 2, groups=2)
    y = network[0](x)
    second = ip.cost(y.shape, (2, 6, 1, 3), dilation=2)
    assert [row.macs_explicit for row in plan.rows] == [first.multiply_adds, second.multiply_adds]
    assert plan.bytes_explicit == x.nbytes_virtual
    for row, z in zip(plan.rows, (y, network(x)), strict=True):
        each = row.macs_explicit // (3 * z.shape[2] * z.shape[3])
        assert row.macs == each * (3 * z.core.shape[2] * z.core.shape[3] + 1)
    lines = str(plan).splitlines()
    assert len(lines) == 5
    assert "3×6×10×10" in lines[2]
    assert ip.plan(network, x.materialize()).macs == plan.macs_explicit


@pytest.mark.parametrize(("core", "width", "share"), [(64, 480, 0.015), (512, 256, 0.332)])
def test_a_small_core_in_a_large_image_is_cheap(core, width, share):
    x = ip.PaddedArray(np.zeros((1, 3, core, core), np.float32), width)
    plan = ip.plan(nn.networks.vgg16(), x)
    assert plan.macs / plan.macs_explicit == pytest.approx(share, abs=5e-4)


def test_errors_of_layers_and_plans():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 5))
    x = ip.PaddedArray(np.zeros((1, 1, 2, 2), np.float32), 1)
    with pytest.raises(ValueError, match=r"nn.Conv2d: kernel spans 5 .* 3 wider"):
        ip.plan(net, x)
    with pytest.raises(ValueError, match=r"nn.Conv2d: input must have 1 channels"):
        ip.plan(net, np.zeros((1, 3, 9, 9)))
    with pytest.raises(TypeError, match=r"plan: network must be an implicitpad.nn layer"):
        ip.plan(np.tanh, x)
    with pytest.raises(ValueError, match=r"required_padding: no input gives 6 .* next size is 7"):
        ip.required_padding(nn.Sequential(nn.Conv2d(1, 1, 1), nn.Upsample(7)), (6, 7))
    image = np.zeros((1, 1, 4, 4), np.float32)
    with pytest.raises(ValueError, match=r"nn.Residual: the shortcut starts 1 positions inside"):
        nn.Residual(nn.Conv2d(1, 1, 1, padding=1))(image)
    with pytest.raises(ValueError, match=r"nn.Residual: the shortcut has spatial shape \(4, 4\)"):
        nn.Residual(nn.Conv2d(1, 1, 1, padding=((0, 1), (0, 1))))(image)
    with pytest.raises(ValueError, match=r"nn.Conv2d: weight must have shape"):
        net[0].weight = np.zeros(3)
    with pytest.raises(ValueError, match="read-only"):
        net[0].weight[0] = 0  # what was packed would go stale


def test_memory_follows_the_core_alone():
    rng = np.random.default_rng(0)
    network = nn.Sequential(
        *[nn.Conv2d(8, 8, 3, rng=rng), nn.ReLU(), nn.MaxPool2d(3, 1), nn.GroupNorm(2, 8)] * 3
    )
    image = rng.normal(size=(1, 8, 64, 64)).astype(np.float32)
    peaks = []
    for width in (20, 20, 1000, 10**8):  # once to draw the weights and fill the caches
        x = ip.PaddedArray(image, width, 1)
        tracemalloc.start()
        y = network(x)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert y.core.shape == (1, 8, 76, 76)
    assert max(peaks[1:]) <= 1.1 * min(peaks[1:])
    assert min(peaks[1:]) > image.nbytes
