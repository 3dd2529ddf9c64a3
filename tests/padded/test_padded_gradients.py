"""Gradients through padded arrays equal PyTorch's through the explicit array."""

from __future__ import annotations

import numpy as np
import pytest
from padded_arrays import random_padded
from test_padded_conv import random_conv

import implicitpad as ip
from implicitpad import nn
from implicitpad.nn.layout import Layout

torch = pytest.importorskip("torch")
F = torch.nn.functional
TORCH = (F.conv1d, F.conv2d, F.conv3d)
BACKWARD = (ip.conv1d_backward, ip.conv2d_backward, ip.conv3d_backward)
CONVS = (ip.conv1d, ip.conv2d, ip.conv3d)


def explicit(x):
    """The explicit array as a differentiable function of core and fill."""
    core = torch.tensor(np.array(x.core), requires_grad=True)
    fill = torch.tensor(np.array(x.fill), requires_grad=True)
    whole = fill
    for place, total in zip(range(-x.rank, 0), x.shape[-x.rank :], strict=True):
        whole = whole.index_select(place % x.ndim, torch.arange(total) % x.fill.shape[place])
    whole = whole.expand(x.shape)
    if x.core.size:
        widths = [width for pair in reversed(x.pad) for width in pair]
        inside = F.pad(torch.ones_like(core), widths)
        whole = torch.where(inside > 0, F.pad(core, widths), whole)
    return core, fill, whole


def assert_close(got, want):
    want = np.zeros(got.shape) if want is None else want.numpy()
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)


def pair(y, gradient):
    return ip.PaddedGrad.of(y, gradient)


@pytest.mark.parametrize("period", [1, 3])
@pytest.mark.parametrize("seed", range(40))
def test_convolution(seed, period):
    rng = np.random.default_rng([seed, period])
    x = random_padded(rng, period=period)
    weight, bias, options = random_conv(rng, x)
    padding = [tuple(rng.integers(0, 3, 2).tolist()) for _ in x.spans] if seed % 3 == 0 else 0
    y = CONVS[x.rank - 1](x, weight, bias, padding=padding, **options)
    gradient = rng.normal(size=y.shape)
    got = BACKWARD[x.rank - 1](pair(y, gradient), x, weight, padding=padding, **options)

    core, fill, whole = explicit(x.extend(padding))
    w = torch.tensor(weight, requires_grad=True)
    want = TORCH[x.rank - 1](
        whole, w, None, options["stride"], 0, options["dilation"], options["groups"]
    )
    want.backward(torch.tensor(gradient))
    assert_close(got.input.core, core.grad)
    assert_close(got.weight, w.grad)
    assert_close(
        got.bias, torch.tensor(gradient).sum([a for a in range(y.ndim) if a != y.ndim - x.rank - 1])
    )
    shift = [width[0] for width in padding] if padding else [0] * x.rank
    moved = np.roll(fill.grad.numpy(), [-s for s in shift], axis=tuple(range(-x.rank, 0)))
    np.testing.assert_allclose(got.input.fill, moved, rtol=1e-9, atol=1e-9)


def test_equal_phases_stay_apart():
    x = ip.PaddedArray(np.ones((1, 1, 2)), [(4, 4)], [[[1.0, 2.0]]])
    weight = np.zeros((1, 1, 3))
    y = ip.conv1d(x, weight)
    assert y.fill.shape == (1, 1, 2)
    gradient = np.arange(8.0).reshape(1, 1, 8)
    got = ip.conv1d_backward(pair(y, gradient), x, weight)
    w = torch.zeros(1, 1, 3, dtype=torch.float64, requires_grad=True)
    F.conv1d(torch.tensor(x.materialize()), w).backward(torch.tensor(gradient))
    assert_close(got.weight, w.grad)


@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize("seed", range(20))
def test_pooling(seed, kind):
    rng = np.random.default_rng(seed)
    x = random_padded(rng, 2, total=rng.integers(3, 12, 2))
    options = {
        "stride": int(rng.integers(1, 4)),
        "padding": int(rng.integers(0, 2)),
        "ceil_mode": seed % 2 == 0,
    }
    if kind == "avg":
        options["count_include_pad"] = False
    y = getattr(ip, f"{kind}_pool2d")(x, 3, **options)
    gradient = rng.normal(size=y.shape)
    got = getattr(ip, f"{kind}_pool2d_backward")(pair(y, gradient), x, 3, **options).input
    core, fill, whole = explicit(x)
    getattr(F, f"{kind}_pool2d")(whole, 3, **options).backward(torch.tensor(gradient))
    assert_close(got.core, core.grad)
    assert_close(got.fill, fill.grad)


@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize("seed", range(10))
def test_pooling_with_padding_that_continues_the_border(seed, kind):
    rng = np.random.default_rng([seed, 1])
    x = random_padded(rng, 2, total=rng.integers(3, 12, 2), lead=(2, 3))
    x = ip.PaddedArray(x.core, [(b + 1, a) for b, a in x.pad], rng.normal(size=(3, 1, 2)))
    padding, stride = ((0, 2), (1, 1)), int(rng.integers(1, 4))
    options = {"stride": stride, "padding": padding}
    if kind == "max":
        options["fill_value"] = x.fill
    y = getattr(ip, f"{kind}_pool2d")(x, 3, **options)
    gradient = rng.normal(size=y.shape)
    got = getattr(ip, f"{kind}_pool2d_backward")(pair(y, gradient), x, 3, **options).input
    core, fill, whole = explicit(x.extend(padding))
    getattr(F, f"{kind}_pool2d")(whole, 3, stride).backward(torch.tensor(gradient))
    assert_close(got.core, core.grad)
    assert_close(got.fill, fill.grad.roll((0, -1), (2, 3)))


def test_gradients_of_something_else_are_refused():
    x = ip.PaddedArray(np.ones((1, 1, 4)), 2, 1.0)
    weight = np.ones((1, 1, 3))
    with pytest.raises(TypeError, match=r"conv1d_backward: grad_output must be a PaddedGrad"):
        ip.conv1d_backward(np.ones((1, 1, 6)), x, weight)
    with pytest.raises(ValueError, match=r"conv1d_backward: .*output's core \(1, 1, 6\)"):
        ip.conv1d_backward(ip.PaddedGrad(np.ones((1, 1, 4)), np.ones((1, 1, 1))), x, weight)
    bare, grad = ip.PaddedArray(np.ones((1, 1, 4))), ip.PaddedGrad(np.ones((1, 1, 6)), [[[1.0]]])
    with pytest.raises(ValueError, match=r"max_pool1d_backward: .*fill_value=2.* make that its fi"):
        ip.max_pool1d_backward(grad, bare, 1, 1, 1, fill_value=2.0)
    with pytest.raises(ValueError, match=r"PaddedGrad.of: .*virtual shape"):
        ip.PaddedGrad.of(x, np.ones((1, 1, 4)))


def differentiable_layer(rng, rank, channels):
    kind = rng.integers(12)
    size = int(rng.choice([1, 2, 3]))
    options = {"rng": rng, "dtype": np.float64}
    conv = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[rank - 1]
    if kind < 3:
        return conv(channels, int(rng.choice([2, 4])), size, int(rng.choice([1, 2])), **options)
    if kind == 3:
        pointwise = nn.SiLU, nn.GELU, nn.Tanh, nn.Sigmoid, nn.ReLU, nn.LeakyReLU, nn.Softmax
        return pointwise[rng.integers(7)]()
    if kind in (4, 5):
        norm = (
            nn.BatchNorm(channels),
            nn.GroupNorm(2, channels),
            nn.InstanceNorm(channels),
            nn.LayerNorm(channels),
        )[rng.integers(4)]
        norm.weight, norm.bias = rng.normal(size=(2, channels))
        if kind == 4 and isinstance(norm, nn.BatchNorm):
            norm.mean = norm.variance = None
        return norm
    if kind == 6:
        pools = (
            (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
            (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
        )
        return pools[rng.integers(2)][rank - 1](2, int(rng.choice([1, 2])))
    if kind == 7:
        transposed = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[rank - 1]
        return transposed(channels, 2, 2, 2, **options)
    if kind == 8:
        return nn.Upsample(2, ["nearest", "linear"][rng.integers(2)])
    if kind == 10:
        return nn.PixelUnshuffle(2)
    if kind == 11 and channels % 2**rank == 0:
        return nn.PixelShuffle(2)
    body = conv(channels, channels, size, **options), nn.Tanh()
    return (nn.Residual, nn.Skip)[rng.integers(2)](*body)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("seed", range(25))
def test_networks_at_every_depth(seed, rank):
    """The pair that comes back is that of the explicit gradient, which another test checks."""
    rng = np.random.default_rng([seed, rank])
    x = random_padded(rng, rank, lead=(2, 4), total=rng.integers(3, (30, 12, 6)[rank - 1], rank))
    layout, layers = Layout.of(x), []
    for _ in range(int(rng.integers(1, 6))):
        layer = differentiable_layer(rng, rank, layout.lead[-1])
        try:
            after = layer.trace(layout)
        except ValueError:
            continue
        if np.prod(after.size) < 20000:
            layers.append(layer)
            layout = after
    network = nn.Sequential(*layers)
    whole = ip.PaddedArray(x.materialize())
    y, back = network.linearize(x)
    dense, dense_back = network.linearize(whole)
    gradient = rng.normal(size=y.shape)
    got, parameters = back(ip.PaddedGrad.of(y, gradient))
    want, dense_parameters = dense_back(ip.PaddedGrad.of(dense, gradient))
    want = ip.PaddedGrad.of(x, want.core)
    np.testing.assert_allclose(got.core, want.core, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(got.fill, want.fill, rtol=1e-8, atol=1e-9)
    assert parameters.keys() == dense_parameters.keys()
    for key, value in parameters.items():
        np.testing.assert_allclose(value, dense_parameters[key], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("seed", range(7))
def test_gradient_is_the_slope(seed, rank):
    """Against central differences, for everything that a network has."""
    rng = np.random.default_rng([seed, rank, 1])
    x = random_padded(rng, rank, lead=(2, 4), total=[9 if rank < 3 else 5] * rank)
    layers, layout = [], Layout.of(x)
    for _ in range(4):
        layer = differentiable_layer(rng, rank, layout.lead[-1])
        try:
            layout = layer.trace(layout)
        except ValueError:
            continue
        layers.append(layer)
    network = nn.Sequential(*layers)
    y, back = network.linearize(x)
    gradient = rng.normal(size=y.shape)
    got, parameters = back(ip.PaddedGrad.of(y, gradient))
    step = 1e-6

    def loss(core, fill):
        return float((network(ip.PaddedArray(core, x.pad, fill)).materialize() * gradient).sum())

    core, fill = rng.normal(size=x.core.shape), rng.normal(size=x.fill.shape)
    slope = loss(x.core + step * core, x.fill + step * fill) - loss(
        x.core - step * core, x.fill - step * fill
    )
    want = (got.core * core).sum() + (got.fill * fill).sum()
    assert slope / (2 * step) == pytest.approx(want, rel=1e-4, abs=1e-4)
    for (layer, name), value in parameters.items():
        old = getattr(layer, name)
        direction = rng.normal(size=value.shape)
        ends = []
        for sign in (1, -1):
            setattr(layer, name, old + sign * step * direction)
            ends.append(loss(x.core, x.fill))
        setattr(layer, name, old)
        slope = (ends[0] - ends[1]) / (2 * step)
        assert slope == pytest.approx((value * direction).sum(), rel=1e-4, abs=1e-4)


def test_layers_without_a_rule_say_so():
    x = ip.PaddedArray(np.ones((1, 2, 4)), 1)
    with pytest.raises(TypeError, match=r"nn.Pointwise: the derivative of tanh is not known"):
        nn.Sequential(nn.Softmax(), np.tanh).linearize(x)

    class Own(nn.Layer):
        def __call__(self, x):
            return x

    with pytest.raises(TypeError, match=r"nn.Own: this layer has no gradient; define its grad"):
        Own().linearize(x)
