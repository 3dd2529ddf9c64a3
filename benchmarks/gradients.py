"""Gradients and transposed convolutions against PyTorch (oneDNN): ``--help`` tells more.

float32, random data, fresh results, weights as they come (each call packs them), zero padding
except under `mode`. The opponent is PyTorch's own function for the same problem in either memory
layout: conv_transpose2d, convolution_backward with one output at a time, and for other boundary
modes the autograd gradient of pad(mode) followed by conv2d. GF/s counts the
operations of direct convolution. Ratios above 1: implicitpad is faster.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import measure
import numpy as np
import torch
from torch.nn import functional

import implicitpad as ip
from implicitpad import _conv_cpu

OPPONENTS = ("torch", "channels_last")


@dataclass(frozen=True)
class Layer:
    """One layer on square images; p: padding, op: output padding, g: groups."""

    name: str
    n: int
    c: int
    h: int
    k: int
    f: int
    s: int = 1
    p: int = 0
    op: int = 0
    mode: str = "constant"
    g: int = 1


RES = [
    Layer("res2", 1, 64, 56, 64, 3, p=1),
    Layer("res3", 1, 128, 28, 128, 3, p=1),
    Layer("res4", 1, 256, 14, 256, 3, p=1),
    Layer("res5", 1, 512, 7, 512, 3, p=1),
    Layer("res2 N8", 8, 64, 56, 64, 3, p=1),
    Layer("res3 N8", 8, 128, 28, 128, 3, p=1),
    Layer("res4 N8", 8, 256, 14, 256, 3, p=1),
    Layer("res5 N8", 8, 512, 7, 512, 3, p=1),
    Layer("res3 s2", 1, 128, 56, 128, 3, s=2, p=1),
    Layer("res4 s2", 1, 256, 28, 256, 3, s=2, p=1),
    Layer("res3 s2 N8", 8, 128, 56, 128, 3, s=2, p=1),
]
CASES = {
    "transpose": [
        Layer("k4s2 1024>512", 1, 1024, 4, 512, 4, s=2, p=1),
        Layer("k4s2 512>256", 1, 512, 8, 256, 4, s=2, p=1),
        Layer("k4s2 256>128", 1, 256, 16, 128, 4, s=2, p=1),
        Layer("k4s2 128>64 N8", 8, 128, 32, 64, 4, s=2, p=1),
        Layer("k4s2 64>64", 1, 64, 112, 64, 4, s=2, p=1),
        Layer("k4s2 64>3 N8", 8, 64, 32, 3, 4, s=2, p=1),
        Layer("k2s2 1024>512", 1, 1024, 32, 512, 2, s=2),
        Layer("k2s2 512>256", 1, 512, 64, 256, 2, s=2),
        Layer("k2s2 256>128", 1, 256, 128, 128, 2, s=2),
        Layer("k2s2 128>64", 1, 128, 256, 64, 2, s=2),
        Layer("k3s2 128>64", 1, 128, 56, 64, 3, s=2, p=1, op=1),
        Layer("k3s2 256>128", 1, 256, 28, 128, 3, s=2, p=1, op=1),
    ],
    "input": RES,
    "weight": [
        *RES,
        Layer("vgg1_2", 1, 64, 224, 64, 3, p=1),
        Layer("1x1 64>256", 1, 64, 56, 256, 1),
        Layer("1x1 512>128", 1, 512, 28, 128, 1),
        Layer("1x1 256>1024", 1, 256, 14, 1024, 1),
        Layer("1x1 64>256 N8", 8, 64, 56, 256, 1),
    ],
    "depthwise": [
        Layer(f"{n},{c},{h} k{f} s{s}", n, c, h, c, f, s=s, p=f // 2, g=c)
        for n, c, h, f, s in [
            (1, 32, 112, 3, 1),
            (8, 32, 112, 3, 1),
            (1, 512, 14, 3, 1),
            (8, 512, 14, 3, 1),
            (1, 1024, 7, 3, 1),
            (8, 1024, 7, 3, 1),
            (1, 96, 112, 3, 2),
            (8, 96, 112, 3, 2),
            (1, 192, 28, 3, 2),
            (1, 240, 28, 5, 1),
            (1, 672, 14, 5, 1),
            (1, 96, 56, 7, 1),
        ]
    ],
    "mode": [
        Layer(f"{name} {mode}", n, c, h, c, 3, p=1, mode=mode)
        for name, n, c, h in [("res2", 1, 64, 56), ("res3 N8", 8, 128, 28)]
        for mode in ("replicate", "reflect", "circular")
    ]
    + [Layer("32 256² reflect", 1, 32, 256, 32, 3, p=1, mode="reflect")],
}


def run(operator: str, layer: Layer, threads: int, block: float) -> dict[str, Any]:
    """Time one layer; seconds of each contender, error against float64."""
    torch.set_num_threads(threads)
    ip.set_num_threads(threads)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((layer.n, layer.c, layer.h, layer.h), dtype=np.float32)
    channels = (layer.c, layer.k) if operator == "transpose" else (layer.k, layer.c // layer.g)
    w = rng.standard_normal((*channels, layer.f, layer.f), dtype=np.float32)
    (ours, fast), theirs = CONTENDERS[operator](layer, x, w)
    last = [torch.from_numpy(a).contiguous(memory_format=torch.channels_last) for a in (x, w)]
    usual = [torch.from_numpy(a) for a in (x, w)]
    contenders = {"implicitpad": ours, "torch": theirs(*usual), "channels_last": theirs(*last)}
    if fast is not None:
        contenders["fast"] = fast
    # One thread's own time is that of a machine to itself, whatever else runs there.
    clock = time.thread_time if threads == 1 else time.perf_counter
    seconds = measure.medians(contenders, block=block, clock=clock)
    truth = theirs(*[a.double() for a in usual])().numpy()
    if operator in ("transpose", "input", "mode"):
        size, each = truth.size if operator == "transpose" else x.size, layer.f**2 / layer.s**2
        flops = 2 * size * (layer.c if operator == "transpose" else layer.k) * each
    else:
        side = (layer.h + 2 * layer.p - layer.f) // layer.s + 1
        flops = 2 * w.size * layer.n * side**2
    return {
        "operator": operator,
        "layer": layer.name,
        "gflop": 1e-9 * flops,
        "seconds": seconds,
        "error": error(ours, truth),
        "fast_error": None if fast is None else error(fast, truth),
    }


def error(call: Callable[[], Any], truth: Any) -> float:
    return float(np.abs(call() - truth).max() / np.abs(truth).max())


# Each returns (ours, ours with precision="fast" or None) and what makes theirs.
Contenders = tuple[tuple[Callable[[], Any], Callable[[], Any] | None], Any]


def transpose(layer: Layer, x: Any, w: Any) -> Contenders:
    rest = (layer.s, layer.p, layer.op)

    def theirs(x: torch.Tensor, w: torch.Tensor) -> Callable[[], Any]:
        return lambda: functional.conv_transpose2d(x, w, None, *rest)

    return (lambda: ip.conv_transpose2d(x, w, None, *rest), None), theirs


def backward(which: int) -> Callable[[Layer, Any, Any], Contenders]:
    def contenders(layer: Layer, x: Any, w: Any) -> Contenders:
        side = (layer.h + 2 * layer.p - layer.f) // layer.s + 1
        g = np.random.default_rng(1).standard_normal((layer.n, layer.k, side, side), np.float32)
        name = ("input", "weight")[which]
        options: dict[str, Any] = {"stride": layer.s, "padding": layer.p, "needs": [name]}
        options["groups"] = layer.g

        def theirs(x: torch.Tensor, w: torch.Tensor) -> Callable[[], Any]:
            layout = torch.channels_last
            layout = layout if x.is_contiguous(memory_format=layout) else torch.contiguous_format
            tg = torch.from_numpy(g).to(x.dtype).contiguous(memory_format=layout)
            mask = [which == i for i in range(3)]
            pairs = [[v, v] for v in (layer.s, layer.p, 1)]
            return lambda: torch.ops.aten.convolution_backward(
                tg, x, w, None, *pairs, False, [0, 0], layer.g, mask
            )[which]

        def ours(precision: str) -> Any:
            return getattr(ip.conv2d_backward(g, x, w, precision=precision, **options), name)

        fast = partial(ours, "fast") if layer.f == 3 and layer.s == layer.g == 1 else None
        return (partial(ours, "default"), fast), theirs

    return contenders


def through_mode(layer: Layer, x: Any, w: Any) -> Contenders:
    g = np.random.default_rng(1).standard_normal((layer.n, layer.k, layer.h, layer.h), np.float32)

    def theirs(x: torch.Tensor, w: torch.Tensor) -> Callable[[], Any]:
        layout = torch.channels_last
        layout = layout if x.is_contiguous(memory_format=layout) else torch.contiguous_format
        tg = torch.from_numpy(g).to(x.dtype).contiguous(memory_format=layout)
        x = x.clone().requires_grad_()
        y = functional.conv2d(functional.pad(x, [layer.p] * 4, layer.mode), w)
        return lambda: torch.autograd.grad(y, x, tg, retain_graph=True)[0]

    options: dict[str, Any] = {"padding": layer.p, "padding_mode": layer.mode, "needs": ["input"]}

    def ours(precision: str) -> Any:
        return ip.conv2d_backward(g, x, w, precision=precision, **options).input

    return (partial(ours, "default"), partial(ours, "fast")), theirs


CONTENDERS: dict[str, Any] = {
    "transpose": transpose,
    "input": backward(0),
    "weight": backward(1),
    "depthwise": backward(1),
    "mode": through_mode,
}


def main() -> None:
    """Print the tables; save them as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--block", type=float, default=0.1, help="seconds of a contender's block")
    parser.add_argument("--operators", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--only", nargs="*", help="names of layers")
    parser.add_argument("--json", type=Path, help="save the tables here")
    args = parser.parse_args()
    rows = []
    print(
        f"{measure.processor()}, {_conv_cpu.get_instruction_set()}, {args.threads} thread(s), "
        f"torch {torch.__version__}"
    )
    for operator in args.operators:
        print(
            f"{operator:18s} {'ms':>8s} {'GF/s':>6s} {'error':>8s}   times of ours: {OPPONENTS}"
            f" | ms, error, times of ours by precision='fast'"
        )
        ratios: dict[str, list[float]] = {name: [] for name in OPPONENTS}
        for layer in CASES[operator]:
            if args.only and layer.name not in args.only:
                continue
            row = run(operator, layer, args.threads, args.block)
            rows.append(row)
            own = row["seconds"]["implicitpad"]
            for name in OPPONENTS:
                ratios[name].append(row["seconds"][name] / own)
            both = " ".join(f"{ratios[name][-1]:6.2f}" for name in OPPONENTS)
            line = f"{layer.name:18s} {1e3 * own:8.3f} {row['gflop'] / own:6.1f} "
            line += f"{row['error']:8.1e} {both}"
            if "fast" in row["seconds"]:
                own = row["seconds"]["fast"]
                both = " ".join(f"{row['seconds'][name] / own:6.2f}" for name in OPPONENTS)
                line += f" | {1e3 * own:8.3f} {row['fast_error']:8.1e} {both}"
            print(line, flush=True)
        if ratios["torch"]:
            means = [f"{n} {statistics.geometric_mean(r):.2f}" for n, r in ratios.items()]
            print("geometric means: " + ", ".join(means))
    if args.json:
        record = {
            "processor": measure.processor(),
            "instruction_set": _conv_cpu.get_instruction_set(),
            "threads": args.threads,
            "torch": torch.__version__,
            "rows": rows,
        }
        args.json.write_text(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
