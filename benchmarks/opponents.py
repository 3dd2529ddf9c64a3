"""Who else computes a convolution layer: each opponent as a call, where it is installed.

`pad` opponents solve the same problem, the fill written into a padded copy; `zero` opponents pad
with zeros by themselves, which is another problem unless the fill is 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional


@dataclass(frozen=True)
class Layer:
    """N, C_in, size of each axis, C_out, kernel, stride, padding, dilation, groups, axes, fill."""

    name: str
    n: int
    c: int
    h: int
    k: int
    f: int
    s: int = 1
    p: int = 0
    d: int = 1
    g: int = 1
    rank: int = 2
    v: float = 0.5

    def arrays(self) -> tuple[Any, Any, Any]:
        """Random input, weights of the scale of an initialised layer, bias."""
        rng = np.random.default_rng(0)
        x = rng.standard_normal((self.n, self.c, *[self.h] * self.rank), dtype=np.float32)
        shape = (self.k, self.c // self.g, *[self.f] * self.rank)
        w = rng.standard_normal(shape, dtype=np.float32) / np.float32(math.sqrt(self.terms))
        return x, w, rng.standard_normal(self.k, dtype=np.float32)

    @property
    def terms(self) -> int:
        """Products summed in one output."""
        return self.c // self.g * self.f**self.rank


def padded(layer: Layer, x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The layer by PyTorch, padding written out."""
    conv = getattr(functional, f"conv{layer.rank}d")
    wide = functional.pad(x, [layer.p] * 2 * layer.rank, value=layer.v)
    return conv(wide, w, b, layer.s, 0, layer.d, layer.g)


def torch_calls(layer: Layer, x: Any, w: Any, b: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    """PyTorch (oneDNN) in both memory layouts."""
    conv = getattr(functional, f"conv{layer.rank}d")
    last = {1: torch.contiguous_format, 2: torch.channels_last, 3: torch.channels_last_3d}
    tx, tw, tb = map(torch.from_numpy, (x, w, b))
    form = last[layer.rank]
    lx, lw = tx.contiguous(memory_format=form), tw.contiguous(memory_format=form)
    rest = (layer.s, layer.p, layer.d, layer.g)
    yield "pad", lambda: padded(layer, tx, tw, tb)
    yield "zero", lambda: conv(tx, tw, tb, *rest)
    if layer.rank > 1:
        yield "pad channels_last", lambda: padded(layer, lx, lw, tb)
        yield "zero channels_last", lambda: conv(lx, lw, tb, *rest)


def onnx_model(layer: Layer, w: Any, b: Any, padding: bool) -> bytes:
    """The layer as an ONNX model; with `padding` by Pad and the fill, else by Conv's own zeros."""
    from onnx import TensorProto, helper, numpy_helper

    around = [layer.p] * 2 * layer.rank
    size = [layer.n, layer.c, *[layer.h] * layer.rank]
    stored = {
        "w": w,
        "b": b,
        "widths": np.array([0, 0, *around[::2]] * 2),
        "v": np.float32(layer.v),
    }
    pad = [helper.make_node("Pad", ["x", "widths", "v"], ["wide"])] if padding else []
    conv = helper.make_node(
        "Conv",
        ["wide" if padding else "x", "w", "b"],
        ["y"],
        strides=[layer.s] * layer.rank,
        dilations=[layer.d] * layer.rank,
        pads=[0 if padding else p for p in around],
        group=layer.g,
    )
    graph = helper.make_graph(
        [*pad, conv],
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, size)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(np.asarray(value), name)
            for name, value in stored.items()
            if padding or name in "wb"
        ],
    )
    opset = [helper.make_opsetid("", 13)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    return bytes(model.SerializeToString())


def onnxruntime_call(model: bytes, x: Any, threads: int) -> Callable[[], Any] | None:
    """ONNX Runtime on its default CPU provider."""
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"x": x})


def openvino_call(model: bytes, x: Any, threads: int) -> Callable[[], Any] | None:
    """OpenVINO in float32; it writes into its own output array, which it need not allocate."""
    try:
        import openvino
    except ImportError:
        return None
    core = openvino.Core()
    limits = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(core.read_model(model=model), "CPU", limits).create_infer_request()
    return lambda: request.infer({"x": x}, share_inputs=True, share_outputs=True)


def opponents(
    layer: Layer, arrays: tuple[Any, Any, Any], threads: int, others: bool
) -> dict[str, Callable[[], Any]]:
    """Every opponent that is installed, by name; `others` than PyTorch if wanted."""
    x, w, b = arrays
    calls: dict[str, Callable[[], Any] | None] = dict(torch_calls(layer, x, w, b))
    if others:
        for kind in ("pad", "zero"):
            model = onnx_model(layer, w, b, kind == "pad")
            calls[f"{kind} onnxruntime"] = onnxruntime_call(model, x, threads)
            calls[f"{kind} openvino"] = openvino_call(model, x, threads)
    return {name: call for name, call in calls.items() if call is not None}
