"""A prepared layer inside a CUDA graph, on a GPU."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import has_gpu
from gpu_problems import problem

import implicitpad

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not has_gpu(), reason="needs an NVIDIA GPU")]

LAYERS = {
    "planes": ((2, 8, 20, 20), (8, 1, 3, 3), {"groups": 8}),
    "few_channels": ((2, 3, 20, 20), (16, 3, 3, 3), {}),
    "gemm": ((2, 16, 20, 20), (16, 16, 3, 3), {}),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_prepared_layer_is_captured_and_replayed(layer):
    import cupy

    x_shape, w_shape, options = LAYERS[layer]
    p = problem(1, x_shape, w_shape, padding=1, fill_value=2.0, **options)
    convolve = implicitpad.Conv2d(cupy.asarray(p.w), cupy.asarray(p.bias), **p.options)
    x = cupy.asarray(p.x)
    out = convolve.prepare(x)
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        convolve(x, out)
        graph = stream.end_capture()
    x[...] = cupy.asarray(np.flip(p.x, -1).copy())
    cupy.cuda.Device().synchronize()
    graph.launch(stream)
    stream.synchronize()
    p.x = np.flip(p.x, -1)
    p.check(cupy.asnumpy(out))


def test_calls_follow_the_current_stream():
    import cupy

    p = problem(2, (2, 16, 30, 30), (16, 16, 3, 3), padding=1)
    x, w, bias = (cupy.asarray(array) for array in (p.x, p.w, p.bias))
    with cupy.cuda.Stream(non_blocking=True) as stream:
        y = implicitpad.conv2d(x, w, bias, **p.options)
        stream.synchronize()
    p.check(cupy.asnumpy(y))
