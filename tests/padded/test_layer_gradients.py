"""Every layer of `implicitpad.nn` has the gradient that PyTorch finds on the explicit array."""

from __future__ import annotations

import numpy as np
import pytest
from padded_arrays import random_padded
from test_padded_gradients import assert_close, explicit

import implicitpad as ip
from implicitpad import nn

torch = pytest.importorskip("torch")
F = torch.nn.functional
PERIODIC = {"Conv", "ConvTranspose", "PixelShuffle", "PixelUnshuffle", "Upsample"}


def ranked(name, rank):
    return getattr(nn, f"{name}{rank}d")


def conv(rank, rng, **options):
    layer = ranked("Conv", rank)(4, 6, 2, rng=rng, dtype=np.float64, **options)

    def forward(x, weight, bias):
        function = getattr(F, f"conv{rank}d")
        return function(x, weight, bias, layer.stride, 0, layer.dilation, layer.groups)

    return layer, forward


def transposed(rank, rng):
    layer = ranked("ConvTranspose", rank)(4, 6, 2, 2, groups=2, rng=rng, dtype=np.float64)
    function = getattr(F, f"conv_transpose{rank}d")
    return layer, lambda x, weight, bias: function(x, weight, bias, 2, groups=2)


def max_pool(rank, rng):
    return ranked("MaxPool", rank)(3, 2, 1), lambda x: getattr(F, f"max_pool{rank}d")(x, 3, 2, 1)


def avg_pool(rank, rng):
    function = getattr(F, f"avg_pool{rank}d")
    return ranked("AvgPool", rank)(3, 2, 1), lambda x: function(x, 3, 2, 1, False, False)


def shuffle(rank, rng):
    """By hand, as PyTorch has it for images only: factor 2 along the last axis."""

    def forward(x):
        n, c, *space = x.shape
        y = x.reshape(n, c // 2, 2, *space).movedim(2, -1)
        return y.reshape(n, c // 2, *space[:-1], 2 * space[-1])

    return nn.PixelShuffle((1,) * (rank - 1) + (2,)), forward


def unshuffle(rank, rng):
    def forward(x):
        n, c, *space = x.shape
        y = x.reshape(n, c, *space[:-1], space[-1] // 2, 2).movedim(-1, 2)
        return y.reshape(n, 2 * c, *space[:-1], space[-1] // 2)

    return nn.PixelUnshuffle((1,) * (rank - 1) + (2,)), forward


def weighted(layer, rng):
    layer.weight, layer.bias = rng.normal(size=(2, 4))
    return layer


def along_channels(a, rank):
    return a.reshape(-1, *(1,) * rank)


def batch_norm(rank, rng):
    layer = weighted(nn.BatchNorm(4), rng)
    layer.mean = layer.variance = None
    return layer, lambda x, weight, bias: F.batch_norm(x, None, None, weight, bias, True)


def fixed_batch_norm(rank, rng):
    layer = weighted(nn.BatchNorm(4), rng)
    layer.mean, layer.variance = rng.normal(size=4), rng.uniform(0.5, 2, 4)
    given = torch.tensor(layer.mean), torch.tensor(layer.variance)
    return layer, lambda x, weight, bias: F.batch_norm(x, *given, weight, bias)


def unweighted_batch_norm(rank, rng):
    layer = nn.BatchNorm(4)
    layer.mean = layer.variance = None
    return layer, lambda x: F.batch_norm(x, None, None, training=True)


def layer_norm(rank, rng):
    def forward(x, weight, bias):
        y = F.layer_norm(x.movedim(1, -1), (4,), weight, bias).movedim(-1, 1)
        return y

    return weighted(nn.LayerNorm(4), rng), forward


def group_norm(rank, rng):
    layer = weighted(nn.GroupNorm(2, 4), rng)
    return layer, lambda x, weight, bias: F.group_norm(x, 2, weight, bias)


def instance_norm(rank, rng):
    layer = weighted(nn.InstanceNorm(4), rng)
    return layer, lambda x, weight, bias: F.group_norm(x, 4, weight, bias)


def linear(rank, rng):
    factors = (1, 2, 3)[-rank:]
    mode = ("linear", "bilinear", "trilinear")[rank - 1]
    return nn.Upsample(factors, "linear"), lambda x: F.interpolate(
        x, scale_factor=factors, mode=mode, align_corners=False
    )


def plain(layer, function):
    return lambda rank, rng: (layer, function)


def space(x):
    return tuple(range(2, x.ndim))


def cropped(x, y):
    return x[(..., *[slice(0, n) for n in y.shape[2:]])]


def residual(x):
    y = F.max_pool2d(x, 2, 1).tanh()
    return cropped(x, y) + y


CASES = {
    "AvgPool1d": [avg_pool], "AvgPool2d": [avg_pool], "AvgPool3d": [avg_pool],
    "BatchNorm": [batch_norm, fixed_batch_norm, unweighted_batch_norm],
    "Conv1d": [conv], "Conv2d": [conv], "Conv3d": [conv],
    "ConvTranspose1d": [transposed], "ConvTranspose2d": [transposed],
    "ConvTranspose3d": [transposed],
    "GELU": [plain(nn.GELU(), lambda x: F.gelu(x, approximate="tanh"))],
    "GlobalAvgPool": [plain(nn.GlobalAvgPool(), lambda x: x.mean(space(x), True))],
    "GlobalMaxPool": [plain(nn.GlobalMaxPool(), lambda x: x.amax(space(x), True))],
    "GroupNorm": [group_norm],
    "InstanceNorm": [instance_norm],
    "LayerNorm": [layer_norm],
    "LeakyReLU": [plain(nn.LeakyReLU(0.1), lambda x: F.leaky_relu(x, 0.1))],
    "MaxPool1d": [max_pool], "MaxPool2d": [max_pool], "MaxPool3d": [max_pool],
    "PixelShuffle": [shuffle],
    "PixelUnshuffle": [unshuffle],
    "Pointwise": [plain(nn.Pointwise(np.sin, np.cos), torch.sin)],
    "ReLU": [plain(nn.ReLU(), F.relu)],
    "Residual": [plain(nn.Residual(nn.MaxPool2d(2, 1), nn.Tanh()), residual)],
    "Sequential": [plain(nn.Sequential(nn.Tanh(), nn.Softmax()), lambda x: x.tanh().softmax(1))],
    "SiLU": [plain(nn.SiLU(), F.silu)],
    "Sigmoid": [plain(nn.Sigmoid(), torch.sigmoid)],
    "Skip": [plain(nn.Skip(nn.Softmax(), nn.Tanh()), lambda x: torch.cat(
        [x, x.softmax(1).tanh()], 1))],
    "Softmax": [plain(nn.Softmax(), lambda x: x.softmax(1))],
    "Tanh": [plain(nn.Tanh(), torch.tanh)],
    "Upsample": [linear, plain(nn.Upsample(2), lambda x: F.interpolate(x, scale_factor=2))],
}  # fmt: skip


def test_every_layer_is_here():
    public = [getattr(nn, name) for name in nn.__all__]
    layers = {a.__name__ for a in public if isinstance(a, type) and issubclass(a, nn.Layer)}
    assert CASES.keys() == layers - {"Layer"}


def arrays(rng, rank):
    """Cores of one element and others; borders that are none, narrow, one-sided and wide."""
    wide = (40, 9, 4)[rank - 1]
    for size, pad in ((1, 1), (1, wide), (4, 0), (3, ((1, 2),) * rank), (2, ((0, wide),) * rank)):
        widths = ((pad, pad),) * rank if isinstance(pad, int) else pad
        # an even number of positions, for blocks of two
        widths = [(before, after + (before + size + after) % 2) for before, after in widths]
        for fill in rng.normal(size=(1, 4)), rng.normal(size=(2, 4)):
            yield ip.PaddedArray(rng.normal(size=(2, 4) + (size,) * rank), widths, fill)
    total = [6 if rank < 3 else 4] * rank
    yield random_padded(rng, rank, lead=(2, 4), total=total)
    yield ip.PaddedArray(np.empty((2, 4) + (0,) * rank), [(6, 0)] * rank, rng.normal(size=4))


def backward(layer, x, y, back, gradient):
    grad = ip.PaddedGrad.of(y, gradient) if isinstance(y, ip.PaddedArray) else gradient
    return back(grad)


PARAMETERS = [
    pytest.param(name, case, rank, id=f"{name}-{number}-{rank}")
    for name, cases in CASES.items()
    for number, case in enumerate(cases)
    for rank in (1, 2, 3)
    if name[-2:] not in ("1d", "2d", "3d") or name.endswith(f"{rank}d")
    if name != "Residual" or rank == 2
]


@pytest.mark.parametrize(("name", "case", "rank"), PARAMETERS)
def test_gradient_is_that_of_the_explicit_array(name, case, rank):
    rng = np.random.default_rng([rank, *name.encode()])
    periodic = "linear" not in case.__name__ and name.rstrip("123d") in PERIODIC
    for x in arrays(rng, rank):
        if periodic and x.n_pad:
            fill = rng.normal(size=(*x.fill.shape[:2], 2) + (1,) * (rank - 1))
            x = ip.PaddedArray(x.core, x.pad, fill)
        layer, forward = case(rank, rng)
        y, back = layer.linearize(x)
        core, fill, whole = explicit(x)
        names = [n for n in ("weight", "bias") if getattr(layer, n, None) is not None]
        parameters = {n: torch.tensor(getattr(layer, n), requires_grad=True) for n in names}
        want = forward(whole, **parameters)
        assert_close(np.asarray(y), want.detach())
        gradient = rng.normal(size=y.shape)
        whole.retain_grad()
        want.backward(torch.tensor(gradient))
        got, found = backward(layer, x, y, back, gradient)
        assert_close(got.core, core.grad)
        assert_close(got.fill, fill.grad)
        assert found.keys() == {(layer, n) for n in names}
        for n in names:
            assert_close(found[layer, n], parameters[n].grad)
        # and of an ordinary array the gradient is an ordinary array
        y, back = layer.linearize(x.materialize())
        assert isinstance(y, np.ndarray)
        got, found = back(gradient)
        assert_close(got, whole.grad)
        for n in names:
            assert_close(found[layer, n], parameters[n].grad)


@pytest.mark.parametrize("mode", ["constant", "reflect"])
def test_padding_of_a_layer_on_an_array_without_border(mode):
    rng = np.random.default_rng(0)
    array, gradient = rng.normal(size=(2, 4, 5, 6)), rng.normal(size=(2, 3, 5, 6))
    value = 0.5 if mode == "constant" else None
    options = {"padding": 1, "fill_value": value, "padding_mode": mode, "dtype": np.float64}
    layer = nn.Conv2d(4, 3, 3, rng=rng, **options)
    x = torch.tensor(array, requires_grad=True)
    weight, bias = (torch.tensor(a, requires_grad=True) for a in (layer.weight, layer.bias))
    padded = F.pad(x, (1, 1, 1, 1), mode, value)
    F.conv2d(padded, weight, bias).backward(torch.tensor(gradient))
    cases = [(array, gradient)]
    if mode == "constant":  # which a border of another value would be, were there one
        cases.append((ip.PaddedArray(array, 0, 9), ip.PaddedGrad(gradient, np.zeros((1, 3, 1, 1)))))
    for given, grad in cases:
        _, back = layer.linearize(given)
        got, found = back(grad)
        assert_close(getattr(got, "core", got), x.grad)
        assert_close(found[layer, "weight"], weight.grad)
        assert_close(found[layer, "bias"], bias.grad)
        if isinstance(got, ip.PaddedGrad):
            assert not got.fill.any()


def test_equal_maxima_share_the_gradient():
    x = ip.PaddedArray(np.array([[[1.0, 3.0, 3.0]]]), [(2, 1)], 3.0)
    _, back = nn.GlobalMaxPool().linearize(x)
    got, _ = back(np.array([[[10.0]]]))
    np.testing.assert_array_equal(got.core, [[[0, 2, 2]]])
    np.testing.assert_array_equal(got.fill, [[[6]]])
