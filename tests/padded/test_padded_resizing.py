"""Resizing and normalisation of padded arrays equal PyTorch's of the explicit array."""

from __future__ import annotations

import numpy as np
import pytest
from padded_arrays import assert_same, random_padded

import implicitpad as ip
from implicitpad.padded import normalization, resizing

torch = pytest.importorskip("torch")
F = torch.nn.functional
LINEAR = ("linear", "bilinear", "trilinear")


def batched(rng, rank, **options):
    return random_padded(rng, rank, lead=(2, 4), **options)


def tensor(x):
    return torch.from_numpy(np.ascontiguousarray(x.materialize()))


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("seed", range(20))
def test_upsampling_and_adaptive_pooling(seed, rank):
    rng = np.random.default_rng(seed)
    x = batched(rng, rank)
    factors = rng.integers(1, 4, rank).tolist()
    want = F.interpolate(tensor(x), scale_factor=factors, mode="nearest").numpy()
    assert_same(resizing.repeat(x, factors), want, 0)
    y = batched(rng, rank, period=3)
    want = F.interpolate(tensor(y), scale_factor=factors, mode="nearest").numpy()
    assert_same(resizing.repeat(y, factors), want, 0)
    sizes = rng.integers(1, 20 if rank < 3 else 9, rank).tolist()
    for size in (sizes, [s.total * f for s, f in zip(x.spans, factors, strict=True)]):
        for corners in (False, True):
            want = F.interpolate(
                tensor(x), size, mode=LINEAR[rank - 1], align_corners=corners
            ).numpy()
            assert_same(resizing.interpolate(x, size, corners), want)
    adaptive = getattr(F, f"adaptive_avg_pool{rank}d")
    assert_same(resizing.adaptive_average("f", x, sizes), adaptive(tensor(x), sizes).numpy())


@pytest.mark.parametrize("seed", range(20))
def test_pixel_shuffle(seed):
    rng = np.random.default_rng(seed)
    x = batched(rng, 2, period=3)
    assert_same(resizing.pixel_shuffle(x, (2, 2)), F.pixel_shuffle(tensor(x), 2).numpy(), 0)
    y = batched(rng, 2, period=3, total=2 * rng.integers(1, 6, 2))
    assert_same(resizing.pixel_unshuffle(y, (2, 2)), F.pixel_unshuffle(tensor(y), 2).numpy(), 0)


def test_interpolation_keeps_the_border_implicit():
    x = ip.PaddedArray(np.ones((1, 1, 3)), [(1000, 1000)], 2.0)
    y = resizing.interpolate(x, [4006])
    assert y.core.shape == (1, 1, 8)
    with pytest.raises(ValueError, match=r"interpolate: the fill has period 2.*materialize\(\)"):
        resizing.interpolate(ip.PaddedArray(np.ones((1, 1, 3)), [(1, 1)], [[[1.0, 2.0]]]), [10])


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("seed", range(10))
def test_normalisation(seed, rank):
    rng = np.random.default_rng(seed)
    x = batched(rng, rank, period=2)
    t = tensor(x)
    weight, bias, mean = rng.normal(size=(3, 4))
    variance = rng.uniform(0.5, 2, 4)
    w, b, m, v = map(torch.from_numpy, (weight, bias, mean, variance))
    norm = normalization.batch_norm
    assert_same(norm(x, mean, variance, weight, bias), F.batch_norm(t, m, v, w, b).numpy())
    want = np.asarray(t - t.mean((0, *range(2, t.ndim)), keepdim=True))
    want = want / np.sqrt(np.square(want).mean((0, *range(2, t.ndim)), keepdims=True) + 1e-5)
    assert_same(norm(x), want, 1e-8)
    for groups in (1, 2, 4):
        want = F.group_norm(t, groups, w, b).numpy()
        assert_same(normalization.group_norm(x, groups, weight, bias), want, 1e-8)
    moved = F.layer_norm(t.movedim(1, -1), (4,), w, b).movedim(-1, 1).numpy()
    assert_same(normalization.layer_norm(x, weight, bias), moved, 1e-8)
    assert_same(normalization.softmax(x), F.softmax(t, 1).numpy())


def test_unbatched_is_a_batch_of_one():
    rng = np.random.default_rng(0)
    x = random_padded(rng, 2, lead=(4,))
    one = ip.PaddedArray(x.core[None], x.pad, x.fill[None])
    for f in (
        lambda a: normalization.group_norm(a, 2),
        lambda a: normalization.layer_norm(a),
        lambda a: normalization.batch_norm(a),
        lambda a: resizing.pixel_shuffle(a, (2, 2)),
        lambda a: resizing.interpolate(a, (9, 9)),
    ):
        assert_same(f(x), f(one).materialize()[0], 1e-12)


def test_a_constant_normalises_to_exactly_0():
    x = ip.PaddedArray(np.full((1, 2, 5, 5), 0.1, np.float32), 7, 0.1)
    assert not np.any(normalization.group_norm(x, 1))
