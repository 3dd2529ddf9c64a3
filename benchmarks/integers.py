"""Convolution of bytes against ONNX Runtime and PyTorch: ``--help`` tells how.

uint8 input with zero point 128, which is also the fill, int8 weights, random data, fresh outputs,
one thread. ConvInteger is the like-for-like operator: int32 sums of (x - 128) w; ours are of x w,
with what the zero point subtracts in the bias. QLinearConv and PyTorch's quantized convolution
rescale the sums to 8 bits, a quarter of the bytes to write. GOP/s counts a multiplication and an
addition for each product. Ratios: the opponent's time over ours; above 1 implicitpad is faster.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import measure
import numpy as np
import torch
from opponents import Layer

import implicitpad as ip

ZERO = 128
LAYERS = [
    Layer("res2", 1, 64, 56, 64, 3, p=1),
    Layer("res3", 1, 128, 28, 128, 3, p=1),
    Layer("res4", 1, 256, 14, 256, 3, p=1),
    Layer("res5", 1, 512, 7, 512, 3, p=1),
    Layer("res3 s2", 1, 128, 56, 128, 3, s=2, p=1),
    Layer("vgg1_2 224", 1, 64, 224, 64, 3, p=1),
    Layer("stem 7x7 s2", 1, 3, 224, 64, 7, s=2, p=3),
    Layer("1x1 64>256 56", 1, 64, 56, 256, 1),
    Layer("1x1 256>64 56", 1, 256, 56, 64, 1),
    Layer("1x1 1024>256 14", 1, 1024, 14, 256, 1),
    Layer("depthwise 112", 1, 64, 112, 64, 3, p=1, g=64),
    Layer("depthwise 112 s2", 1, 96, 112, 96, 3, s=2, p=1, g=96),
    Layer("depthwise 5x5 28", 1, 240, 28, 240, 5, p=2, g=240),
]


def data(layer: Layer) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (layer.n, layer.c, layer.h, layer.h), np.uint8)
    w = rng.integers(-128, 128, (layer.k, layer.c // layer.g, layer.f, layer.f), np.int8)
    return x, w


def scale(layer: Layer) -> float:
    """What rescales the sums to about 8 bits."""
    return 1 / (60 * layer.terms**0.5)


def onnx_call(layer: Layer, x: Any, w: Any, operator: str) -> Callable[[], Any] | None:
    """The layer by ONNX Runtime's `operator`, its padding the zero point."""
    try:
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        return None
    one = np.float32(1)
    rescale = np.float32(1 / scale(layer))
    stored = {"w": w, "z": np.uint8(ZERO), "zw": np.int8(0), "s": one, "sy": rescale}
    inputs = ["x", "w", "z", "zw"]
    if operator == "QLinearConv":
        inputs = ["x", "s", "z", "w", "s", "zw", "sy", "z"]
    node = helper.make_node(
        operator,
        inputs,
        ["y"],
        strides=[layer.s] * 2,
        pads=[layer.p] * 4,
        group=layer.g,
    )
    kind = TensorProto.UINT8 if operator == "QLinearConv" else TensorProto.INT32
    graph = helper.make_graph(
        [node],
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, x.shape)],
        [helper.make_tensor_value_info("y", kind, None)],
        [
            numpy_helper.from_array(np.asarray(value), name)
            for name, value in stored.items()
            if name in inputs
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda: session.run(None, {"x": x})


def torch_call(layer: Layer, x: Any, w: Any) -> Callable[[], Any] | None:
    """PyTorch's quantized convolution (oneDNN), in its own memory layout."""
    engine = "onednn"
    if engine not in torch.backends.quantized.supported_engines:
        return None
    torch.backends.quantized.engine = engine
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the quantized types are to move to another package
        quantized = torch._make_per_tensor_quantized_tensor(torch.from_numpy(x), 1.0, ZERO)
        weights = torch._make_per_tensor_quantized_tensor(torch.from_numpy(w), 1.0, 0)
        packed = torch.ops.quantized.conv2d_prepack(
            weights, None, [layer.s] * 2, [layer.p] * 2, [1, 1], layer.g
        )
    last = quantized.contiguous(memory_format=torch.channels_last)
    return lambda: torch.ops.quantized.conv2d(last, packed, 1 / scale(layer), ZERO)


def run(layer: Layer, block: float) -> dict[str, Any]:
    """Time one layer; seconds of each contender."""
    x, w = data(layer)
    bias = -ZERO * w.sum((1, 2, 3), np.int32)
    planned = ip.Conv2d(w, bias, layer.s, layer.p, groups=layer.g, fill_value=ZERO)
    calls: dict[str, Callable[[], Any] | None] = {
        "implicitpad": lambda: planned(x),
        "ConvInteger": onnx_call(layer, x, w, "ConvInteger"),
        "QLinearConv": onnx_call(layer, x, w, "QLinearConv"),
        "torch quantized": torch_call(layer, x, w),
    }
    present = {name: call for name, call in calls.items() if call is not None}
    if "ConvInteger" in present:
        np.testing.assert_array_equal(present["ConvInteger"]()[0], planned(x))
    seconds = measure.medians(present, block=block)
    operations = 2e-9 * planned(x).size * layer.terms
    return {"layer": layer.name, "gop": operations, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--block", type=float, default=0.1, help="seconds before the next one runs")
    parser.add_argument("--only", default="", help="layers whose name contains this")
    parser.add_argument("--isa", help="instruction set of implicitpad")
    parser.add_argument("--json", type=Path, help="also write the times there")
    options = parser.parse_args()
    torch.set_num_threads(1)
    ip.set_num_threads(1)
    if options.isa:
        from implicitpad import _conv_cpu

        _conv_cpu.set_instruction_set(options.isa)
    rows = [run(layer, options.block) for layer in LAYERS if options.only in layer.name]
    rivals = [name for name in rows[0]["seconds"] if name != "implicitpad"]
    print(f"{measure.processor()}, one thread\n")
    print("| layer | ms | GOP/s | " + " | ".join(rivals) + " |")
    print("|---" * (3 + len(rivals)) + "|")
    for row in rows:
        own = row["seconds"]["implicitpad"]
        cells = [f"{row['seconds'][name] / own:.2f}" for name in rivals]
        print(
            f"| {row['layer']} | {1e3 * own:.3f} | {row['gop'] / own:.0f} | "
            + " | ".join(cells)
            + " |"
        )
    if options.json:
        options.json.write_text(
            json.dumps({"processor": measure.processor(), "rows": rows}, indent=1)
        )


if __name__ == "__main__":
    main()
