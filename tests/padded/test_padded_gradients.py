"""Gradients through padded arrays equal PyTorch's through the explicit array."""

from __future__ import annotations

import numpy as np
import pytest
from padded_arrays import random_padded
from test_padded_conv import random_conv

import implicitpad as ip

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
@pytest.mark.parametrize("seed", range(80))
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
    want = TORCH[x.rank - 1](whole, w, None, options["stride"], 0, options["dilation"], options["groups"])
    want.backward(torch.tensor(gradient))
    assert_close(got.input.core, core.grad)
    assert_close(got.weight, w.grad)
    assert_close(got.bias, torch.tensor(gradient).sum([a for a in range(y.ndim) if a != y.ndim - x.rank - 1]))
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


def test_gradients_of_something_else_are_refused():
    x = ip.PaddedArray(np.ones((1, 1, 4)), 2, 1.0)
    weight = np.ones((1, 1, 3))
    with pytest.raises(TypeError, match=r"conv1d_backward: grad_output must be a PaddedGrad"):
        ip.conv1d_backward(np.ones((1, 1, 6)), x, weight)
    with pytest.raises(ValueError, match=r"conv1d_backward: .*output's core \(1, 1, 6\)"):
        ip.conv1d_backward(ip.PaddedGrad(np.ones((1, 1, 4)), np.ones((1, 1, 1))), x, weight)
    with pytest.raises(ValueError, match=r"PaddedGrad.of: .*virtual shape"):
        ip.PaddedGrad.of(x, np.ones((1, 1, 4)))
