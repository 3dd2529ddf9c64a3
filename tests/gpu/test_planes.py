"""Global and adaptive pooling, explicit padding and windows of CuPy arrays, as of NumPy arrays."""

from __future__ import annotations

import numpy as np
import pytest
from gpu_problems import values
from test_cuda_pool import FLOATS, INTEGERS

import implicitpad as ip
from implicitpad._reference import NUMPY_MODES

cupy = pytest.importorskip("cupy", reason="CuPy is not installed")

PARTS = [
    ((2, 3, 29), (7,)),
    ((2, 3, 5, 8), (3, 4)),
    ((3, 5, 8), (7, 1)),
    ((1, 2, 3, 5, 4), (2, 9, None)),
]
SHAPES = [(2, 3, 700), (2, 3, 5, 7), (1, 2, 3, 4, 30), (1, 2, 2, 3, 2, 3)]


def both(device, run, x):
    """The result on the device and on the CPU, each as a NumPy array."""
    got, want = run(device.asarray(x)), run(x)
    assert isinstance(got, cupy.ndarray)
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    return device.asnumpy(got), want


@pytest.mark.parametrize("shape", SHAPES, ids=len)
@pytest.mark.parametrize("keep", [False, True])
def test_the_mean_of_planes_is_rounded_once(on_device, shape, keep):
    """Whole numbers, whose sums are exact in float64 in every order."""
    x = np.random.default_rng(1).integers(-99, 99, shape)
    for dtype in FLOATS:
        got, want = both(on_device, lambda a: ip.global_avg_pool(a, keep), x.astype(dtype))
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", FLOATS + INTEGERS)
def test_the_maximum_of_planes(on_device, dtype):
    for shape in SHAPES:
        x = values(np.random.default_rng(2), shape, dtype)
        got, want = both(on_device, ip.global_max_pool, x)
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("place", [0, 300, 699])
def test_a_nan_is_the_maximum_of_its_plane(on_device, dtype, place):
    x = values(np.random.default_rng(3), SHAPES[0], dtype)
    x[1, 2, place] = np.nan
    got, want = both(on_device, ip.global_max_pool, x)
    np.testing.assert_array_equal(got.astype(float), want.astype(float))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("shape", "sizes"), PARTS)
def test_adaptive_means_have_the_bits_of_the_cpu(on_device, shape, sizes, dtype):
    x = values(np.random.default_rng(4), shape, dtype)
    pool = getattr(ip, f"adaptive_avg_pool{len(sizes)}d")
    got, want = both(on_device, lambda a: pool(a, sizes), x)
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(want))


def test_planes_are_read_in_place(on_device):
    x = np.random.default_rng(5).standard_normal((2, 6, 5, 3)).astype(np.float32)
    for run in (ip.global_max_pool, lambda a: ip.adaptive_avg_pool2d(a, (2, 3))):
        got = on_device.asnumpy(run(on_device.asarray(x).transpose(0, 3, 1, 2)))
        np.testing.assert_array_equal(got, run(x.transpose(0, 3, 1, 2)))


PADDED = [
    ((4,), ((2, 3),)),
    ((3, 5), ((1, 9), (-1, 2))),
    ((2, 3, 4, 5), ((0, 2), (3, -2))),
    ((2, 2, 3, 4, 3, 2), ((1, 0), (2, 2), (0, 1))),
]


@pytest.mark.parametrize("mode", NUMPY_MODES)
@pytest.mark.parametrize(("shape", "padding"), PADDED, ids=str)
def test_pad(on_device, shape, padding, mode):
    for dtype in ("float32", "bfloat16", "int8", "uint64"):
        x = values(np.random.default_rng(6), shape, dtype)
        fill = 2 if mode == "constant" else None
        got, want = both(
            on_device, lambda a, f=fill: ip.pad(a, padding, fill_value=f, padding_mode=mode), x
        )
        np.testing.assert_array_equal(got, want)


def test_pad_by_a_value_for_each_channel(on_device):
    x = np.random.default_rng(7).standard_normal((2, 3, 4, 5)).astype(np.float32)
    fill = np.array([np.inf, -0.0, np.nan], np.float32)
    want = ip.pad(x, 2, fill_value=fill)
    for value in (fill, on_device.asarray(fill)):
        got = on_device.asnumpy(ip.pad(on_device.asarray(x), 2, fill_value=value))
        np.testing.assert_array_equal(got, want)
        np.testing.assert_array_equal(np.signbit(got[:, 1]), np.signbit(want[:, 1]))


def test_a_fourth_padded_axis_is_refused(on_device):
    x = on_device.asarray(np.zeros((1, 2, 3, 4), np.float32))
    with pytest.raises(ValueError, match=r"^pad: a CuPy array has at most 3 spatial axes.*\.$"):
        ip.pad(x, (1, 1, 1, 1))


@pytest.mark.parametrize("block", [None, 5])
@pytest.mark.parametrize("mode", ["constant", "reflect"])
def test_windows_map(on_device, mode, block):
    x = np.random.default_rng(8).standard_normal((2, 3, 5, 6)).astype(np.float32)

    def ranges(a):
        seen = ip.windows(a, 3, stride=(1, 2), padding=2, dilation=2, padding_mode=mode)
        return seen.map(lambda w: w.max(axis=(-2, -1)) - w.min(axis=(-2, -1)), block=block)

    got, want = both(on_device, ranges, x)
    np.testing.assert_array_equal(got, want)


def test_windows_one_at_a_time(on_device):
    x = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    here, there = (ip.windows(a, (2, 2), padding=1) for a in (x, on_device.asarray(x)))
    for ours, theirs in zip(there, here, strict=True):
        np.testing.assert_array_equal(on_device.asnumpy(ours), theirs)
    got = there.map(lambda window: window.max(), each=True)
    np.testing.assert_array_equal(on_device.asnumpy(got), here.map(np.max, each=True))


def test_windows_are_not_copied_to_numpy(on_device):
    with pytest.raises(TypeError, match=r"call \.map"):
        np.asarray(ip.windows(on_device.asarray(np.zeros((1, 3), np.float32)), (2,)))
