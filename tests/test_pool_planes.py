"""Whole planes: global means and maxima, adaptive means, and inputs that outgrow the caches."""

from __future__ import annotations

import numpy as np
import pytest
from comparison import assert_identical
from hypothesis import given
from hypothesis import strategies as st
from strategies import FLOATS, INTEGERS, LAYOUTS, lay_out, numbers

import implicitpad as ip
from implicitpad import _numpy_planes

UNIT = {"float64": 2.0**-53, "float16": 2.0**-11, "bfloat16": 2.0**-8}


@st.composite
def planes(draw, dtypes, special=True):
    rank = draw(st.integers(1, 4))
    longest = {1: 2500, 2: 60, 3: 12, 4: 5}[rank]
    shape = [draw(st.integers(1, 3)) for _ in range(2)]
    shape += [draw(st.integers(1, longest)) for _ in range(rank)]
    dtype = draw(st.sampled_from(dtypes))
    special = special and dtype in FLOATS and draw(st.booleans())
    values = numbers(draw(st.integers(0, 99)), tuple(shape), dtype, "normal", special)
    return lay_out(values, draw(st.sampled_from(LAYOUTS)))


@given(x=planes(FLOATS))
def test_a_global_mean_is_near_the_exact_one(instruction_set, x):
    wide, axes = x.astype(np.float64), tuple(range(2, x.ndim))
    with np.errstate(all="ignore"):
        want, scale = wide.mean(axis=axes), abs(wide).mean(axis=axes)
        got = ip.global_avg_pool(x)
        unit = 64 * 2.0**-24 + UNIT.get(x.dtype.name, 0) if x.dtype != np.float64 else 1e-13
        wrong = abs(got.astype(np.float64) - want) > unit * scale
    assert got.dtype == x.dtype
    np.testing.assert_array_equal(np.isfinite(got.astype(np.float64)), np.isfinite(want))
    assert not wrong[np.isfinite(want)].any()


@given(x=planes(FLOATS + INTEGERS))
def test_a_global_maximum_is_numpys(instruction_set, x):
    with np.errstate(all="ignore"):
        want = x.max(axis=tuple(range(2, x.ndim)))
    got = ip.global_max_pool(x)
    assert got.dtype == x.dtype
    if x.dtype.kind not in "iu":
        got, want = got.astype(np.float64), want.astype(np.float64)
    np.testing.assert_array_equal(got, want)


@given(x=planes(FLOATS, special=False), size=st.integers(1, 9))
def test_parts_have_their_means(instruction_set, x, size):
    rank = x.ndim - 2
    if rank > 3:
        x, rank = x[:, :, 0], 3
    found = x.astype(np.float64)
    for axis in range(2, x.ndim):
        n = x.shape[axis]
        found = np.stack(
            [
                found.take(range(i * n // size, -(-(i + 1) * n // size)), axis).mean(axis)
                for i in range(size)
            ],
            axis,
        )
    got = getattr(ip, f"adaptive_avg_pool{rank}d")(x, size)
    assert got.dtype == x.dtype
    unit = 2.0**-14 if x.dtype != np.float64 else 1e-13
    unit += UNIT.get(x.dtype.name, 0)
    np.testing.assert_allclose(
        got.astype(np.float64), found, rtol=unit, atol=unit * abs(x.astype(np.float64)).max()
    )


@given(x=planes(("float32",)), size=st.integers(1, 5))
def test_threads_do_not_change_the_bits_of_planes(x, size):
    before, least = ip.get_num_threads(), _numpy_planes.ELEMENTS_PER_THREAD
    try:
        _numpy_planes.ELEMENTS_PER_THREAD = 1
        found = []
        for threads in (1, 2):
            ip.set_num_threads(threads)
            flat = x.reshape(*x.shape[:2], -1)
            found.append(
                (ip.global_avg_pool(x), ip.global_max_pool(x), ip.adaptive_avg_pool1d(flat, size))
            )
        for one, two in zip(*found, strict=True):
            assert_identical(one, two)
    finally:
        ip.set_num_threads(before)
        _numpy_planes.ELEMENTS_PER_THREAD = least


@pytest.mark.parametrize("window", [(2, 2, 0), (3, 2, 1), (3, 1, 1)])
def test_an_input_larger_than_the_caches_is_pooled_as_its_planes_are(instruction_set, window):
    x = np.random.default_rng(0).standard_normal((4, 1500, 720), dtype=np.float32)
    assert x.nbytes > 1 << 24
    upstream = np.ones_like(ip.max_pool2d(x, *window))
    for pool in (ip.max_pool2d, ip.avg_pool2d):
        assert_identical(
            pool(x, *window), np.concatenate([pool(x[i : i + 1], *window) for i in range(4)])
        )
    values, indices = ip.max_pool2d(x, *window, return_indices=True)
    for i in range(4):
        some = slice(i, i + 1)
        alone = ip.max_pool2d(x[some], *window, return_indices=True)
        assert_identical(values[some], alone[0])
        assert_identical(indices[some], alone[1])
    got = ip.max_pool2d_backward(upstream, x, *window).input
    for i in range(4):
        some = slice(i, i + 1)
        assert_identical(got[some], ip.max_pool2d_backward(upstream[some], x[some], *window).input)
