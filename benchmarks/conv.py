"""Convolution layers against PyTorch (oneDNN): ``python benchmarks/conv.py --help``.

Planned layers, float32, fill 0.5, random data, fresh outputs. The opponents solve the same problem
by an explicit padded copy (F.pad, then conv2d, in either memory layout); the same layer with zero
padding, which needs no copy but is a different problem, is shown beside them. GF/s counts the
operations of direct convolution. Ratios above 1: implicitpad is faster.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import measure
import numpy as np
import torch
from torch.nn import functional

import implicitpad as ip
from implicitpad import _conv_cpu

FILL = 0.5
OPPONENTS = ("pad+conv", "pad+conv channels_last", "zero", "zero channels_last")


@dataclass(frozen=True)
class Layer:
    """One layer on square images: N, C_in, H, C_out, kernel, stride, padding, dilation, groups."""

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


STRIDE_1 = [
    Layer("vgg1_2", 1, 64, 224, 64, 3, p=1),
    Layer("res2", 1, 64, 56, 64, 3, p=1),
    Layer("res3", 1, 128, 28, 128, 3, p=1),
    Layer("res4", 1, 256, 14, 256, 3, p=1),
    Layer("res5", 1, 512, 7, 512, 3, p=1),
    Layer("unet", 1, 64, 512, 64, 3, p=1),
    Layer("res2 N8", 8, 64, 56, 64, 3, p=1),
    Layer("res3 N8", 8, 128, 28, 128, 3, p=1),
    Layer("res4 N8", 8, 256, 14, 256, 3, p=1),
    Layer("res5 N8", 8, 512, 7, 512, 3, p=1),
]
OTHERS = [
    Layer("stem 7x7 s2", 1, 3, 224, 64, 7, s=2, p=3),
    Layer("res3 s2", 1, 128, 56, 128, 3, s=2, p=1),
    Layer("aspp d12", 1, 256, 33, 256, 3, p=12, d=12),
    Layer("vgg1_1", 1, 3, 224, 64, 3, p=1),
    Layer("5x5", 1, 64, 56, 64, 5, p=2),
    Layer("16>32 7x7", 1, 16, 128, 32, 7, p=3),
    Layer("dilation 2", 1, 64, 56, 64, 3, p=2, d=2),
    Layer("1>64", 1, 1, 256, 64, 3, p=1),
    Layer("3>16", 1, 3, 256, 16, 3, p=1),
    Layer("64>3", 1, 64, 256, 3, 3, p=1),
    Layer("groups 32", 1, 128, 56, 128, 3, p=1, g=32),
    Layer("groups 4", 1, 128, 28, 128, 3, p=1, g=4),
]


def run(layer: Layer, threads: int, block: float) -> dict[str, Any]:
    """Time one layer; seconds of each contender, error against float64."""
    torch.set_num_threads(threads)
    ip.set_num_threads(threads)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((layer.n, layer.c, layer.h, layer.h), dtype=np.float32)
    terms = layer.c // layer.g * layer.f**2
    w = rng.standard_normal((layer.k, layer.c // layer.g, layer.f, layer.f), dtype=np.float32)
    w /= math.sqrt(terms)
    b = rng.standard_normal(layer.k, dtype=np.float32)
    ours = ip.Conv2d(w, b, layer.s, layer.p, layer.d, layer.g, fill_value=FILL)
    tx, tw, tb = torch.from_numpy(x), torch.from_numpy(w), torch.from_numpy(b)
    last = torch.channels_last
    lx, lw = tx.contiguous(memory_format=last), tw.contiguous(memory_format=last)
    rest = (layer.s, layer.p, layer.d, layer.g)
    width = [layer.p] * 4

    def padded(data: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        wide = functional.pad(data, width, value=FILL)
        return functional.conv2d(wide, weight, bias, layer.s, 0, layer.d, layer.g)

    seconds = measure.medians(
        {
            "implicitpad": lambda: ours(x),
            "pad+conv": lambda: padded(tx, tw, tb),
            "pad+conv channels_last": lambda: padded(lx, lw, tb),
            "zero": lambda: functional.conv2d(tx, tw, tb, *rest),
            "zero channels_last": lambda: functional.conv2d(lx, lw, tb, *rest),
        },
        block=block,
    )
    y = ours(x)
    truth = padded(tx.double(), tw.double(), tb.double()).numpy()
    return {
        "layer": layer.name,
        "gflop": 2e-9 * y.size * terms,
        "seconds": seconds,
        "error": float(np.abs(y - truth).max() / np.abs(truth).max()),
    }


def mean_ratio(rows: list[dict[str, Any]], opponent: str) -> float:
    """Geometric mean of opponent's time over ours."""
    return statistics.geometric_mean(
        [row["seconds"][opponent] / row["seconds"]["implicitpad"] for row in rows]
    )


def main() -> None:
    """Print the table; save it as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--block", type=float, default=0.2, help="seconds of a contender's block")
    parser.add_argument("--only", nargs="*", help="names of layers")
    parser.add_argument("--json", type=Path, help="save the table here")
    args = parser.parse_args()
    layers = [layer for layer in STRIDE_1 + OTHERS if not args.only or layer.name in args.only]
    rows = []
    print(
        f"{measure.processor()}, {_conv_cpu.get_instruction_set()}, {args.threads} thread(s), "
        f"torch {torch.__version__}"
    )
    print(f"{'layer':12s} {'GF/s':>6s} {'error':>8s}   times of ours: " + ", ".join(OPPONENTS))
    for layer in layers:
        row = run(layer, args.threads, args.block)
        rows.append(row)
        own = row["seconds"]["implicitpad"]
        ratios = " ".join(f"{row['seconds'][name] / own:8.2f}" for name in OPPONENTS)
        print(
            f"{layer.name:12s} {row['gflop'] / own:6.1f} {row['error']:8.1e} {ratios}", flush=True
        )
    print("geometric means: " + ", ".join(f"{n} {mean_ratio(rows, n):.2f}" for n in OPPONENTS))
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
