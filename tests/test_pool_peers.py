"""Pooling against PyTorch, values and indices and gradients, and against SciPy's filters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import numbers

import implicitpad as ip

SCIPY_MODES = ("grid-constant", "nearest", "mirror", "reflect", "grid-wrap")


@st.composite
def calls(draw):
    """A call that PyTorch accepts: padding at most half the kernel, the same on both sides."""
    rank = draw(st.integers(1, 3))
    kernel = [draw(st.integers(1, 5)) for _ in range(rank)]
    options = {
        "kernel_size": kernel,
        "stride": [draw(st.integers(1, 4)) for _ in range(rank)],
        "padding": [draw(st.integers(0, k // 2)) for k in kernel],
        "ceil_mode": draw(st.booleans()),
    }
    dilation = [draw(st.integers(1, 2)) for _ in range(rank)]
    sizes = [draw(st.integers(2 * k, 2 * k + {1: 60, 2: 20, 3: 6}[rank])) for k in kernel]
    kind = draw(st.sampled_from(["normal", "small integers"]))
    special = draw(st.booleans())
    return (
        rank,
        options,
        dilation,
        numbers(draw(st.integers(0, 99)), (2, 3, *sizes), "float32", kind, special),
    )


@given(call=calls())
def test_maxima_and_indices_are_torchs(instruction_set, call):
    torch = pytest.importorskip("torch")
    rank, options, dilation, x = call
    function = getattr(torch.nn.functional, f"max_pool{rank}d")
    want, place = function(torch.from_numpy(x), **options, dilation=dilation, return_indices=True)
    mine = getattr(ip, f"max_pool{rank}d")
    values, indices = mine(x, **options, dilation=dilation, return_indices=True)
    np.testing.assert_array_equal(values, want.numpy())
    np.testing.assert_array_equal(indices, place.numpy())
    np.testing.assert_array_equal(mine(x, **options, dilation=dilation), want.numpy())


@given(call=calls(), include=st.booleans(), divisor=st.sampled_from([None, 5]))
def test_means_are_torchs(instruction_set, call, include, divisor):
    torch = pytest.importorskip("torch")
    rank, options, _, x = call
    options["count_include_pad"] = include
    if rank > 1:
        options["divisor_override"] = divisor
    want = getattr(torch.nn.functional, f"avg_pool{rank}d")(torch.from_numpy(x), **options)
    got = getattr(ip, f"avg_pool{rank}d")(x, **options)
    np.testing.assert_allclose(got, want.numpy(), rtol=1e-5, atol=1e-5)


@given(call=calls(), size=st.integers(1, 9))
def test_adaptive_and_global_means_are_torchs(call, size):
    torch = pytest.importorskip("torch")
    rank, _, _, x = call
    x = np.nan_to_num(x, posinf=1, neginf=-1)
    want = getattr(torch.nn.functional, f"adaptive_avg_pool{rank}d")(torch.from_numpy(x), size)
    got = getattr(ip, f"adaptive_avg_pool{rank}d")(x, size)
    np.testing.assert_allclose(got, want.numpy(), rtol=1e-5, atol=1e-5)
    axes = tuple(range(2, x.ndim))
    np.testing.assert_allclose(ip.global_avg_pool(x), x.mean(axis=axes), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(
        ip.global_max_pool(x, keepdims=True), x.max(axis=axes, keepdims=True)
    )


@given(call=calls(), include=st.booleans())
def test_gradients_are_torchs(call, include):
    torch = pytest.importorskip("torch")
    rank, options, dilation, x = call
    x = np.nan_to_num(x, posinf=9, neginf=-9).astype(np.float64)
    functional = torch.nn.functional
    for name, more in (("max", {"dilation": dilation}), ("avg", {"count_include_pad": include})):
        leaf = torch.from_numpy(x.copy()).requires_grad_()
        y = getattr(functional, f"{name}_pool{rank}d")(leaf, **options, **more)
        upstream = np.random.default_rng(1).standard_normal(tuple(y.shape))
        y.backward(torch.from_numpy(upstream))
        got = getattr(ip, f"{name}_pool{rank}d_backward")(upstream, x, **options, **more)
        np.testing.assert_allclose(got.input, leaf.grad.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mode", SCIPY_MODES)
@pytest.mark.parametrize("size", [(3, 5), (7, 1)])
def test_filters_are_scipys(instruction_set, mode, size):
    ndimage = pytest.importorskip("scipy.ndimage")
    x = np.random.default_rng(0).standard_normal((11, 23))
    # SciPy's "reflect" repeats the edge, which is "symmetric" here.
    mine = {
        "padding": [k // 2 for k in size],
        "padding_mode": "symmetric" if mode == "reflect" else mode,
        "fill_value": 0.5 if mode == "grid-constant" else None,
    }
    theirs = {"mode": "constant" if mode == "grid-constant" else mode, "cval": 0.5}
    want = ndimage.maximum_filter(x, size, **theirs)
    np.testing.assert_array_equal(ip.max_pool2d(x[None], size, 1, **mine)[0], want)
    want = ndimage.uniform_filter(x, size, **theirs)
    np.testing.assert_allclose(
        ip.avg_pool2d(x[None], size, 1, **mine)[0], want, rtol=1e-12, atol=1e-12
    )
    windows = ip.windows(x, size, **mine)
    median = windows.map(lambda block: np.median(block, axis=(-2, -1)))
    np.testing.assert_array_equal(median, ndimage.median_filter(x, size, **theirs))
