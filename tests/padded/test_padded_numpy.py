"""NumPy's functions on padded arrays equal those on the explicit array."""

from __future__ import annotations

import numpy as np
import pytest
from padded_arrays import assert_same, numbers, random_padded

import implicitpad as ip

UNARY = (np.exp, np.tanh, np.negative, np.square, np.isfinite, np.signbit, np.rint, np.abs)
BINARY = (
    np.add,
    np.subtract,
    np.multiply,
    np.maximum,
    np.minimum,
    np.arctan2,
    np.greater,
    np.divide,
)


@pytest.mark.parametrize("seed", range(60))
def test_elementwise(seed):
    rng = np.random.default_rng(seed)
    x = random_padded(rng, period=3)
    total = [span.total for span in x.spans]
    y = random_padded(rng, x.rank, lead=x.lead, total=total, period=2)
    channel = numbers(rng, (x.lead[-1],) + (1,) * x.rank)
    for f in UNARY:
        assert_same(f(x), f(x.materialize()), 0)
    for f in BINARY:
        for other in (y, 2.5, channel):
            explicit = other.materialize() if isinstance(other, ip.PaddedArray) else other
            assert_same(f(x, other), f(x.materialize(), explicit), 0)
            assert_same(f(other, x), f(explicit, x.materialize()), 0)
    for got, want in zip(np.divmod(x, y), np.divmod(x.materialize(), y.materialize()), strict=True):
        assert_same(got, want, 0)
    assert_same(
        np.where(x > 0, x, y), np.where(x.materialize() > 0, x.materialize(), y.materialize()), 0
    )
    assert_same(np.clip(x, -0.5, None), np.clip(x.materialize(), -0.5, None), 0)
    assert_same(x.astype(np.float32), x.materialize().astype(np.float32), 0)
    assert np.array_equal(x, x)
    assert not np.allclose(x, x + 1)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int8, np.uint16, np.bool_])
def test_types_are_promoted_as_on_the_explicit_array(dtype):
    x = ip.PaddedArray(np.ones((1, 2, 3), dtype), 2, np.ones(2, dtype))
    for f in (
        lambda a: a * 2,
        lambda a: a + 1.5,
        lambda a: a + np.float64(1),
        np.sqrt,
        lambda a: a == a,
    ):
        assert_same(f(x), f(x.materialize()))


def test_a_border_that_does_not_exist_does_not_warn():
    image = np.ones((1, 1, 4))
    assert_same(1 / ip.PaddedArray(image, 0, 0.0), image, 0)
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        1 / ip.PaddedArray(image, 1, 0.0)


def test_out_and_in_place():
    rng = np.random.default_rng(0)
    x = random_padded(rng, 2, lead=(2, 3), total=(9, 8))
    y = ip.PaddedArray(rng.normal(size=(2, 3, 9, 8)))
    explicit = np.empty(x.shape)
    assert np.add(x, y, out=explicit) is explicit
    np.testing.assert_array_equal(explicit, x.materialize() + y.materialize())
    want, core = x.materialize() * 2 + 1, x.core
    x *= 2
    x += 1
    assert x.core is core
    assert_same(x, want, 0)
    whole = y
    want = y.materialize() + x.materialize()
    y += x
    assert whole is y
    assert_same(y, want, 0)
    with pytest.raises(ValueError, match=r"np.clip: out= has no rule"):
        np.clip(x, 0, 1, out=explicit)
    with pytest.raises(ValueError, match=r"np.add: out is a view of another PaddedArray"):
        np.add(x, 1, out=x[...])
    small = ip.PaddedArray(np.zeros((2, 3, 1, 1)), ((4, 4), (4, 3)))
    with pytest.raises(ValueError, match=r"np.add: the core of out.*a = a \+ b"):
        small += y
    with pytest.raises(TypeError, match=r"np.add: the result's float64 cannot be stored"):
        np.add(x, y, out=ip.PaddedArray(np.zeros((2, 3, 9, 8), int)))


def test_what_varies_over_the_border_is_refused():
    x = ip.PaddedArray(np.zeros((1, 1, 2, 2)), 1)
    position = np.zeros((1, 1, 4, 4))
    with pytest.raises(
        ValueError, match=r"np.add: an explicit array of shape \(1, 1, 4, 4\) varies .*PaddedArray"
    ):
        x + position
    assert_same(x + ip.PaddedArray(position), np.zeros(x.shape))
    with pytest.raises(ValueError, match=r"np.add: virtual shapes must agree"):
        x + x.extend(1)
    with pytest.raises(ValueError, match=r"np.add.accumulate: .*materialize"):
        np.add.accumulate(x)
    with pytest.raises(ValueError, match=r"np.add: where="):
        np.add(x, 1, where=np.ones((1, 1, 4, 4), bool))
    with pytest.raises(ValueError, match=r"np.subtract.reduce"):
        np.subtract.reduce(x)


@pytest.mark.parametrize("seed", range(60))
def test_reductions_over_space(seed):
    rng = np.random.default_rng(seed)
    x = random_padded(rng, period=3)
    explicit = x.materialize()
    lead = x.ndim - x.rank
    space = tuple(range(lead, x.ndim))
    for axis in (space, None, (*space, lead - 1), (*space, 0)):
        for f in (np.sum, np.mean, np.max, np.min, np.var, np.std, np.prod):
            for keepdims in (False, True):
                got, want = (
                    f(x, axis=axis, keepdims=keepdims),
                    f(explicit, axis=axis, keepdims=keepdims),
                )
                assert np.shape(got) == np.shape(want)
                np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)
    assert (x > 0).any() == (explicit > 0).any()
    assert (x > 0).all() == (explicit > 0).all()
    assert (x > 0).sum() == (explicit > 0).sum()
    if max(x.period) == 1 or not x.n_pad:
        assert np.argmax(x) == np.argmax(explicit)
        assert np.argmin(np.round(x)) == np.argmin(np.round(explicit))


@pytest.mark.parametrize("seed", range(40))
def test_partial_reductions_stay_padded(seed):
    rng = np.random.default_rng(seed)
    x = random_padded(rng, int(rng.integers(2, 4)), period=3)
    explicit = x.materialize()
    channel = x.ndim - x.rank - 1
    for axis in (channel, x.ndim - 1, (channel, x.ndim - 2)):
        for f in (np.sum, np.max, np.mean):
            got = f(x, axis=axis, keepdims=True)
            assert isinstance(got, ip.PaddedArray)
            assert_same(got, f(explicit, axis=axis, keepdims=True))
    assert_same(
        np.var(x, axis=channel, keepdims=True), np.var(explicit, axis=channel, keepdims=True)
    )
    assert_same(
        np.argmax(x, axis=channel, keepdims=True),
        np.argmax(explicit, axis=channel, keepdims=True),
        0,
    )
    with pytest.raises(ValueError, match="keepdims=True"):
        np.sum(x, axis=channel)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64, np.uint64])
def test_integer_sums_are_exact(dtype):
    rng = np.random.default_rng(0)
    x = random_padded(rng, 2, lead=(2, 2), total=(9, 9), dtype=dtype)
    for f in (np.sum, np.prod, np.max, np.bitwise_xor.reduce, np.gcd.reduce, np.mean):
        got, want = f(x, axis=(2, 3)), f(x.materialize(), axis=(2, 3))
        np.testing.assert_array_equal(got, want)
        assert got.dtype == want.dtype


@pytest.mark.parametrize("level", [-1000.0, 40000.0, 1e6])
def test_float32_variance_does_not_cancel(level):
    rng = np.random.default_rng(0)
    core = (level + rng.normal(size=(1, 1, 64, 64))).astype(np.float32)
    x = ip.PaddedArray(core, 500, level)
    want = np.var(x.materialize().astype(np.float64))
    assert abs(np.var(x) / want - 1) < 1e-6


def test_a_huge_border_costs_nothing():
    x = ip.PaddedArray(np.ones((1, 1, 4, 4)), 10**8, 2.0)
    assert x.mean() == pytest.approx(2.0)
    assert x.sum() == pytest.approx(2.0 * (2 * 10**8 + 4) ** 2)


@pytest.mark.parametrize("seed", range(60))
def test_concatenate_flip_transpose(seed):
    rng = np.random.default_rng(seed)
    x = random_padded(rng, period=3)
    total = [span.total for span in x.spans]
    y = random_padded(rng, x.rank, lead=x.lead, total=total, period=2)
    a, b = x.materialize(), y.materialize()
    for axis in range(len(x.lead)):
        assert_same(np.concatenate([x, y], axis), np.concatenate([a, b], axis), 0)
    for axis in range(len(x.lead), x.ndim):
        cut = int(rng.integers(0, total[axis - x.ndim] + 1))
        before = (slice(None),) * axis
        parts = [x[(*before, slice(None, cut))], x[(*before, slice(cut, None))]]
        assert_same(np.concatenate(parts, axis), a, 0)
    axes = tuple(rng.choice(x.ndim, int(rng.integers(1, x.ndim + 1)), replace=False))
    assert_same(np.flip(x, axes), np.flip(a, axes), 0)
    order = (*range(len(x.lead)), *(len(x.lead) + rng.permutation(x.rank)))
    assert_same(np.transpose(x, order), a.transpose(order), 0)


def test_joining_refusals():
    x = ip.PaddedArray(np.zeros((1, 1, 4)), 1, 1.0)
    with pytest.raises(
        ValueError, match=r"np.concatenate: arrays joined in space must have one fill"
    ):
        np.concatenate([x, x + 1], 2)
    with pytest.raises(ValueError, match=r"np.concatenate: shapes must agree"):
        np.concatenate([x, x.extend(1)], 1)
    with pytest.raises(TypeError, match=r"np.concatenate: .*PaddedArray\(array\)"):
        np.concatenate([x, np.zeros((1, 1, 6))], 1)


def test_numpy_pad_continues_the_border_only():
    x = ip.PaddedArray(np.zeros((1, 1, 4)), 1, 1.0)
    wide = ((0, 0), (0, 0), (2, 3))
    assert_same(
        np.pad(x, wide, constant_values=1.0), np.pad(x.materialize(), wide, constant_values=1.0)
    )
    assert_same(np.pad(x, wide, mode="edge"), np.pad(x.materialize(), wide, mode="edge"))
    with pytest.raises(ValueError, match=r"np.pad: .*second border"):
        np.pad(x, wide)
