"""Layers with bias, residual and activation: in the output stage against one pass for each.

Planned layers, float32, zero padding, random data, fresh outputs. *apart*: our layer, then NumPy's
addition and maximum in place; *PyTorch*: `conv2d`, `add_`, `clamp_min_` or `clamp_`, the faster of
both memory layouts; *ONNX Runtime* fuses Conv, Add and Relu by itself. Ratios are the other's time
over ours, by the thread's own clock if there is one thread; *cost* is what the output stage adds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import measure
import numpy as np
import torch
from opponents import Layer, onnxruntime_call

import implicitpad as ip

RELU, RELU6 = "relu", ("clamp", 0, 6)
CASES = [
    (Layer("res2 3x3", 1, 64, 56, 64, 3, p=1), RELU, True),
    (Layer("res3 3x3", 1, 128, 28, 128, 3, p=1), RELU, True),
    (Layer("res4 3x3", 1, 256, 14, 256, 3, p=1), RELU, True),
    (Layer("res2 3x3 N8", 8, 64, 56, 64, 3, p=1), RELU, True),
    (Layer("1x1 64>256 56", 1, 64, 56, 256, 1), RELU, True),
    (Layer("1x1 64>256 56 N8", 8, 64, 56, 256, 1), RELU, True),
    (Layer("depthwise 32 112", 1, 32, 112, 32, 3, p=1, g=32), RELU6, False),
    (Layer("depthwise 144 56", 1, 144, 56, 144, 3, p=1, g=144), RELU6, False),
    (Layer("depthwise 384 14", 1, 384, 14, 384, 3, p=1, g=384), RELU6, False),
]


def ours(layer: Layer, x: Any, w: Any, b: Any, r: Any, activation: Any) -> dict[str, Any]:
    """Fused, apart, and without an output stage."""
    options = {"padding": layer.p, "groups": layer.g}
    fused, plain = ip.Conv2d(w, b, activation=activation, **options), ip.Conv2d(w, b, **options)
    high = None if activation == RELU else np.float32(6)

    def apart() -> Any:
        y = plain(x)
        if r is not None:
            y += r
        return np.maximum(y, 0, out=y) if high is None else np.clip(y, 0, high, out=y)

    return {
        "fused": lambda: fused(x, residual=r), "apart": apart, "bare": lambda: plain(x)
    }  # fmt: skip


def by_torch(layer: Layer, x: Any, w: Any, b: Any, r: Any, activation: Any) -> Callable[[], Any]:
    """One memory layout: that of x."""

    def call() -> Any:
        y = torch.conv2d(x, w, b, padding=layer.p, groups=layer.g)
        if r is not None:
            y.add_(r)
        return y.clamp_min_(0) if activation == RELU else y.clamp_(0, 6)

    return call


def onnx_model(layer: Layer, w: Any, b: Any, r: Any, activation: Any) -> bytes:
    """The same as a graph, the residual a constant."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["y"], pads=[layer.p] * 4, group=layer.g),
        *([] if r is None else [helper.make_node("Add", ["y", "r"], ["s"])]),
    ]
    last = nodes[-1].output[0]
    nodes.append(
        helper.make_node("Relu", [last], ["z"])
        if activation == RELU
        else helper.make_node("Clip", [last, "low", "high"], ["z"])
    )
    stored = {"w": w, "b": b, "r": r, "low": np.float32(0), "high": np.float32(6)}
    size = [layer.n, layer.c, layer.h, layer.h]
    graph = helper.make_graph(
        nodes, "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, size)],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(np.asarray(value), name)
            for name, value in stored.items()
            if any(name in node.input for node in nodes)
        ],
    )  # fmt: skip
    opset = [helper.make_opsetid("", 13)]
    return bytes(helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString())


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--block", type=float, default=0.12, help="seconds of a contender's block")
    parser.add_argument("--only", nargs="*", help="names of layers")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    ip.set_num_threads(args.threads)
    print(f"{measure.processor()}, {args.threads} thread(s), torch {torch.__version__}")
    print(
        "\n| layer | fused ms | cost | apart | PyTorch | ONNX Runtime |\n|---|---|---|---|---|---|"
    )
    for layer, activation, added in CASES:
        if args.only and layer.name not in args.only:
            continue
        x, w, b = layer.arrays()
        rng = np.random.default_rng(1)
        shape = (layer.n, layer.k, layer.h, layer.h)
        r = rng.standard_normal(shape, dtype=np.float32) if added else None
        calls = ours(layer, x, w, b, r, activation)
        for form in (torch.contiguous_format, torch.channels_last):
            tensors = [torch.from_numpy(a).contiguous(memory_format=form) for a in (x, w)]
            tr = None if r is None else torch.from_numpy(r).contiguous(memory_format=form)
            calls[str(form)] = by_torch(layer, *tensors, torch.from_numpy(b), tr, activation)
        model = onnx_model(layer, w, b, r, activation)
        if other := onnxruntime_call(model, x, args.threads):
            calls["onnx"] = other
        want = calls["torch.contiguous_format"]().numpy()
        assert np.allclose(calls["fused"](), want, atol=1e-4)
        clock = time.thread_time if args.threads == 1 else time.perf_counter
        t = measure.medians(calls, block=args.block, clock=clock)
        torch_time = min(t["torch.contiguous_format"], t["torch.channels_last"])
        cells = [f"{1e3 * t['fused']:.2f}", f"{t['fused'] / t['bare'] - 1:+.0%}"]
        cells += [f"{other / t['fused']:.2f}" for other in (t["apart"], torch_time)]
        cells += [f"{t['onnx'] / t['fused']:.2f}" if "onnx" in t else "–"]
        print(f"| {layer.name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
