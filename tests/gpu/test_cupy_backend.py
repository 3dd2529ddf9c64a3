"""The public functions with CuPy arrays: the backend that they reach, and what it is given.

Without a GPU the arrays are real ``cupy.ndarray`` objects in emulated memory.
"""

from __future__ import annotations

import numpy as np
import pytest
from gpu_problems import Problem, problem

import implicitpad
from implicitpad import _cupy
from implicitpad._cuda_compile import OPTIONS, compile_cuda
from implicitpad._cuda_source import source

cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
from cupy.cuda.memory import MemoryPointer, UnownedMemory  # noqa: E402

PROBLEMS = {
    "conv1d": problem(1, (2, 3, 19), (4, 3, 3), padding=((2, 5),), fill_value=2.5),
    "conv2d": problem(2, (2, 9, 6, 7), (8, 9, 3, 3), padding=1, padding_mode="reflect"),
    "conv3d": problem(3, (2, 4, 4, 3, 5), (4, 2, 2, 3, 1), "int8", padding=(1, 2, 0), groups=2),
}


@pytest.mark.parametrize("function", PROBLEMS)
def test_functions_take_cupy_arrays(on_device, function):
    p = PROBLEMS[function]
    x, w, bias = (on_device.asarray(array) for array in (p.x, p.w, p.bias))
    y = getattr(implicitpad, function)(x, w, bias, **p.options)
    assert isinstance(y, cupy.ndarray)
    assert y.dtype == p.geometry.out_dtype
    p.check(on_device.asnumpy(y))


def test_a_prepared_convolution(on_device):
    p = problem(4, (2, 9, 6, 7), (8, 9, 3, 3), padding=1, fill_value=1.0)
    x = on_device.asarray(p.x.transpose(0, 2, 3, 1).copy()).transpose(0, 3, 1, 2)
    packed = _cupy.pack_conv(p.geometry, on_device.asarray(p.w), on_device.asarray(p.bias))
    y = _cupy.prepare(p.geometry, x, packed)
    assert _cupy.conv(p.geometry, x, packed, y) is y
    assert y.strides[1] == y.itemsize
    p.check(on_device.asnumpy(y))


def test_views_of_cupy_arrays_are_read_in_place(on_device):
    base = np.random.default_rng(5).standard_normal((2, 6, 8, 9)).astype(np.float32)
    w = problem(5, (1, 3, 1, 1), (8, 3, 3, 3)).w
    p = Problem(base[:, ::2, ::-1, 2:], w, None, {"padding": 2})
    x = on_device.asarray(base)[:, ::2, ::-1, 2:]
    p.check(on_device.asnumpy(implicitpad.conv2d(x, on_device.asarray(w), padding=2)))


def test_bad_arguments_are_refused_before_the_device_is_asked(monkeypatch, on_device):
    x, w = (on_device.asarray(np.zeros(shape, np.float32)) for shape in ((1, 3, 5), (4, 2, 3)))
    monkeypatch.setattr(_cupy, "cupy_device", None)
    with pytest.raises(ValueError, match="conv1d: weight has 2 input channels"):
        implicitpad.conv1d(x, w)


def test_arrays_on_the_host_and_on_a_device_do_not_mix(on_device):
    x = on_device.asarray(np.zeros((1, 3, 5), np.float32))
    with pytest.raises(TypeError, match="conv1d: all arrays must live on one device"):
        implicitpad.conv1d(x, np.zeros((4, 3, 3), np.float32))


def test_arrays_of_two_devices_do_not_mix(on_device):
    x = on_device.asarray(np.zeros((1, 3, 5), np.float32))
    elsewhere = UnownedMemory(x.data.ptr, x.nbytes, x, device_id=1)
    w = cupy.ndarray((1, 3, 5), np.float32, memptr=MemoryPointer(elsewhere, 0))
    with pytest.raises(ValueError, match="input is on <CUDA Device 0> and weight on"):
        implicitpad.conv1d(x, w)


@pytest.mark.parametrize("groups", [1, 3])
def test_transposed_convolution_equals_that_on_the_cpu(on_device, groups):
    rng = np.random.default_rng(6)
    x, w = rng.integers(-9, 9, (2, 6, 5, 4)), rng.integers(-9, 9, (6, 2, 3, 2))
    options = {"stride": (2, 3), "padding": ((1, 0), (0, 2)), "groups": groups, "dilation": 2}
    want = implicitpad.conv_transpose2d(x, w, **options)
    got = implicitpad.conv_transpose2d(on_device.asarray(x), on_device.asarray(w), **options)
    np.testing.assert_array_equal(on_device.asnumpy(got), want)


@pytest.mark.parametrize("fill", [2.0, [1.0, 2.0, 3.0], None])
def test_gradients_equal_those_on_the_cpu(on_device, fill):
    p = problem(7, (2, 3, 6, 5), (4, 3, 3, 3), "float64", bias=False, padding=2, stride=2)
    if fill is None:
        p.options["padding_mode"] = ("reflect", "circular")
    else:
        p.options["fill_value"] = fill
    v = np.random.default_rng(8).standard_normal(p.geometry.out_shape)
    arrays = (v, p.x, p.w)
    want = implicitpad.conv2d_backward(*arrays, **p.options)
    got = implicitpad.conv2d_backward(*map(on_device.asarray, arrays), **p.options)
    for name in want._fields:
        result = on_device.asnumpy(getattr(got, name))
        np.testing.assert_allclose(result, getattr(want, name), rtol=1e-12, atol=1e-12)
        assert result.shape == getattr(want, name).shape


@pytest.mark.parametrize("fill", [None, [0.0, 1.0, 2.0]])
def test_pooling_equals_that_on_the_cpu(on_device, fill):
    x = np.random.default_rng(9).standard_normal((2, 3, 6, 5)).astype(np.float32)
    options = {"padding": 2, "ceil_mode": True, "fill_value": fill}
    want = implicitpad.max_pool2d(x, 3, return_indices=True, **options)
    got = implicitpad.max_pool2d(on_device.asarray(x), 3, return_indices=True, **options)
    for ours, theirs in zip(got, want, strict=True):
        np.testing.assert_array_equal(on_device.asnumpy(ours), theirs)
    want = implicitpad.avg_pool2d(x, 3, **options)
    got = implicitpad.avg_pool2d(on_device.asarray(x), 3, **options)
    np.testing.assert_allclose(on_device.asnumpy(got), want, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("arch", [75, 120])
def test_cupys_own_compiler_takes_the_sources(arch):
    program = compile_cuda(
        cupy.cuda.nvrtc, source("pack_weights"), ["pack_weights<float16, float32>"],
        (*OPTIONS, f"-arch=sm_{arch}"),
    )  # fmt: skip
    assert program.image[:4] == b"\x7fELF"
    assert "pack_weights" in program.symbols["pack_weights<float16, float32>"]


def test_importing_the_library_does_not_import_cupy():
    import subprocess
    import sys

    code = "import sys, implicitpad; assert 'cupy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
