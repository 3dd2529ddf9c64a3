"""A layer's activation and residual on padded arrays: as on explicit ones, the cores aligned."""

from __future__ import annotations

import numpy as np
import pytest
from padded_arrays import assert_same, numbers, random_padded
from test_padded_conv import random_conv

import implicitpad as ip
from implicitpad import nn
from implicitpad.padded.gradients import PaddedGrad
from implicitpad.padded.spans import Span

LAYERS = (ip.Conv1d, ip.Conv2d, ip.Conv3d)
ACTIVATIONS = (None, "relu", ("clamp", -1, 1), ("leaky_relu", 0.5))


def random_residual(rng, y, period):
    """With the virtual shape of `y`, a core anywhere and a border of its own."""
    spans = []
    for span in y.spans:
        start, stop = np.sort(rng.integers(0, span.total + 1, 2)).tolist()
        spans.append(Span.of(start, stop, span.total))
    if rng.random() < 0.3:
        spans = list(y.spans)
    core = numbers(rng, y.lead + tuple(span.size for span in spans), y.dtype)
    lead = (*(int(rng.choice([1, n])) for n in y.lead[:-1]), y.lead[-1])
    lengths = [int(rng.integers(1, period + 1)) for _ in spans]
    return ip.PaddedArray._make(core, spans, numbers(rng, (*lead, *lengths), y.dtype))


@pytest.mark.parametrize("period", [1, 3])
@pytest.mark.parametrize("seed", range(60))
def test_fused_is_that_of_the_explicit_arrays(seed, period):
    rng = np.random.default_rng(seed)
    x = random_padded(rng, period=period)
    weight, bias, options = random_conv(rng, x)
    layer = LAYERS[x.rank - 1](weight, bias, **options, activation=ACTIVATIONS[seed % 4])
    plain = LAYERS[x.rank - 1](weight, bias, **options)
    assert_same(layer(x), layer(x.materialize()))
    residual = random_residual(rng, plain(x), period)
    want = layer(x.materialize(), residual=residual.materialize())
    for _ in range(2):
        got = layer(x, residual=residual)
        assert_same(got, want)
    assert got.spans == (plain(x) + residual).spans


@pytest.mark.parametrize("seed", range(10))
def test_another_residual_of_that_layout_is_read(seed):
    rng = np.random.default_rng(seed)
    x = ip.PaddedArray(numbers(rng, (2, 3, 6, 7), "float32"), 4, [1, 2, 3])
    weight = numbers(rng, (3, 3, 3, 3), "float32")
    plain = ip.Conv2d(weight, padding=1)
    layer = ip.Conv2d(weight, padding=1, activation="relu")
    residual = ip.PaddedArray(numbers(rng, (2, 3, 5, 9), "float32"), ((5, 4), (4, 2)), seed)
    for r in (residual, residual * 2):
        assert_same(layer(x, residual=r), np.maximum(plain(x) + r, 0).materialize())


@pytest.mark.parametrize("activation", ACTIVATIONS[1:])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_gradients_are_those_of_the_layers_apart(rank, activation):
    rng = np.random.default_rng(rank)
    make, apart = (
        getattr(nn, f"Conv{rank}d"),
        {
            "relu": nn.ReLU(),
            "leaky_relu": nn.LeakyReLU(0.5),
            "clamp": nn.Pointwise(lambda x: np.clip(x, -1, 1), lambda x: abs(x) < 1),
        }["relu" if activation == "relu" else activation[0]],
    )
    options = {"stride": 2, "padding": 1, "dtype": np.float64, "rng": 1}
    fused = make(4, 6, 2, activation=activation, **options)
    plain = make(4, 6, 2, **options)
    x = random_padded(rng, rank, lead=(2, 4), total=(7,) * rank)
    for given in (x, x.materialize()):
        y, pull = fused.linearize(given)
        z, pull_apart = nn.Sequential(plain, apart).linearize(given)
        assert_same(np.asarray(y), np.asarray(z))
        assert_same(np.asarray(fused(given)), np.asarray(z))
        grad = numbers(rng, z.shape)
        if isinstance(z, ip.PaddedArray):
            grad = PaddedGrad(numbers(rng, z.core.shape), numbers(rng, z.fill.shape))
        (got, parameters), (want, others) = pull(grad), pull_apart(grad)
        pairs = list(zip(parameters.values(), others.values(), strict=True))
        if isinstance(got, PaddedGrad):
            pairs += [(got.core, want.core), (got.fill, want.fill)]
        else:
            pairs.append((got, want))
        for a, b in pairs:
            assert_same(a, b)


def test_a_layer_adds_what_it_is_given():
    layer = ip.nn.Conv2d(3, 3, 3, padding=1, activation="relu", rng=0)
    x = ip.PaddedArray(numbers(np.random.default_rng(0), (1, 3, 5, 6), "float32"), 2, 1)
    z = ip.nn.Conv2d(3, 3, 3, padding=1, rng=0)(x) + x.extend(0)
    assert_same(layer(x, residual=x), np.maximum(z, 0).materialize(), 1e-6)
    assert repr(layer) == "Conv2d(3, 3, 3, padding=1, activation='relu')"
    with pytest.raises(ValueError, match=r"^nn\.Conv2d: activation must be None, 'relu'"):
        ip.nn.Conv2d(3, 3, 3, activation="tanh")
