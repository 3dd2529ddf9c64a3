"""Convolution layers against PyTorch, ONNX Runtime and OpenVINO: ``--help`` tells how.

Planned layers, float32, fill 0.5 if nothing else is said, random data, fresh outputs. *pad*
opponents solve the same problem by an explicit padded copy (in PyTorch ``F.pad``, then ``conv2d``,
in either memory layout); *zero* is the same layer with the opponent's own zero padding, which needs
no copy and is another problem unless the fill is 0.
GF/s counts the operations of direct convolution, so that Winograd may exceed the processor's peak.
Ratios: the opponent's time over that of our default; above 1 implicitpad is faster. Errors are the
largest difference from float64, over the largest output.

For PyTorch with huge pages, set THP_MEM_ALLOC_ENABLE=1; for oneDNN on AVX2, ONEDNN_MAX_CPU_ISA=AVX2
together with ``--isa avx2``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

import measure
import numpy as np
import torch
from opponents import Layer, opponents, padded

import implicitpad as ip
from implicitpad import _conv_cpu

TABLES = {
    "3x3": [
        Layer("vgg1_2", 1, 64, 224, 64, 3, p=1),
        Layer("vgg2_2", 1, 128, 112, 128, 3, p=1),
        Layer("vgg3_2", 1, 256, 56, 256, 3, p=1),
        Layer("vgg4_2", 1, 512, 28, 512, 3, p=1),
        Layer("res2", 1, 64, 56, 64, 3, p=1),
        Layer("res3", 1, 128, 28, 128, 3, p=1),
        Layer("res4", 1, 256, 14, 256, 3, p=1),
        Layer("res5", 1, 512, 7, 512, 3, p=1),
        Layer("res2 N8", 8, 64, 56, 64, 3, p=1),
        Layer("res3 N8", 8, 128, 28, 128, 3, p=1),
        Layer("res4 N8", 8, 256, 14, 256, 3, p=1),
        Layer("res5 N8", 8, 512, 7, 512, 3, p=1),
        Layer("unet", 1, 64, 512, 64, 3, p=1),
        Layer("odd", 1, 70, 61, 75, 3, p=1),
        Layer("odd N8", 8, 45, 33, 90, 3, p=1),
    ],
    "others": [
        Layer("stem 7x7 s2", 1, 3, 224, 64, 7, s=2, p=3),
        Layer("res3 s2", 1, 128, 56, 128, 3, s=2, p=1),
        Layer("aspp d12", 1, 256, 33, 256, 3, p=12, d=12),
        Layer("aspp d12, fill 0", 1, 256, 33, 256, 3, p=12, d=12, v=0),
        Layer("aspp d24", 1, 256, 33, 256, 3, p=24, d=24),
        Layer("vgg1_1", 1, 3, 224, 64, 3, p=1),
        Layer("5x5", 1, 64, 56, 64, 5, p=2),
        Layer("16>32 7x7", 1, 16, 128, 32, 7, p=3),
        Layer("dilation 2", 1, 64, 56, 64, 3, p=2, d=2),
        Layer("1>64", 1, 1, 256, 64, 3, p=1),
        Layer("3>16", 1, 3, 256, 16, 3, p=1),
        Layer("64>3", 1, 64, 256, 3, 3, p=1),
        Layer("groups 32", 1, 128, 56, 128, 3, p=1, g=32),
        Layer("groups 4", 1, 128, 28, 128, 3, p=1, g=4),
    ],
    "1x1": [
        Layer("64>256 56", 1, 64, 56, 256, 1),
        Layer("256>64 56", 1, 256, 56, 64, 1),
        Layer("1024>256 14", 1, 1024, 14, 256, 1),
        Layer("256>1024 14 N8", 8, 256, 14, 1024, 1),
    ],
    "3-D": [
        Layer("32>32 64", 1, 32, 64, 32, 3, p=1, rank=3),
        Layer("64>64 32", 1, 64, 32, 64, 3, p=1, rank=3),
        Layer("128>128 16", 1, 128, 16, 128, 3, p=1, rank=3),
    ],
    "1-D": [
        Layer("64>64 k3", 1, 64, 16000, 64, 3, p=1, rank=1),
        Layer("128>128 k3", 1, 128, 4000, 128, 3, p=1, rank=1),
        Layer("256>256 k3", 1, 256, 1000, 256, 3, p=1, rank=1),
        Layer("128>128 k7", 1, 128, 4000, 128, 7, p=3, rank=1),
    ],
}
OURS = {"implicitpad": "default", "implicitpad fast": "fast"}


def run(layer: Layer, threads: int, block: float, others: bool, clock: Any) -> dict[str, Any]:
    """Time one layer; seconds and error of each contender."""
    torch.set_num_threads(threads)
    ip.set_num_threads(threads)
    x, w, b = layer.arrays()
    make = {1: ip.Conv1d, 2: ip.Conv2d, 3: ip.Conv3d}[layer.rank]
    options = (layer.s, layer.p, layer.d, layer.g)
    calls: dict[str, Any] = {}
    for name, precision in OURS.items():
        planned = make(w, b, *options, fill_value=layer.v, precision=precision)
        calls[name] = lambda planned=planned: planned(x)
    calls |= opponents(layer, (x, w, b), threads, others)
    seconds = measure.medians(calls, block=block, clock=clock)
    tensors = [torch.from_numpy(a).double() for a in (x, w, b)]
    truth = padded(layer, *tensors).numpy()

    def error(name: str) -> float:
        result = calls[name]()
        result = result if hasattr(result, "shape") else result[0]
        return float(np.abs(np.asarray(result) - truth).max() / np.abs(truth).max())

    return {
        "layer": layer.name,
        "gflop": 2e-9 * truth.size * layer.terms,
        "seconds": seconds,
        "error": {name: error(name) for name in calls if not name.startswith("zero")},
    }


def ratio(row: dict[str, Any], opponent: str, ours: str = "implicitpad") -> float:
    """The opponent's time over ours."""
    return float(row["seconds"][opponent] / row["seconds"][ours])


def show(name: str, rows: list[dict[str, Any]], peak: float) -> None:
    """Print one table in Markdown, ready for docs/performance.md."""
    rivals = [key for key in rows[0]["seconds"] if key not in OURS]
    head = ["GF/s", "of peak", "fast GF/s", "error", "fast error", "pad error"]
    print(f"\n| {name} | " + " | ".join([*head, *rivals, "fast: pad", "fast: best"]) + " |")
    print("|---" * (len(head) + len(rivals) + 3) + "|")
    best = []
    for row in rows:
        own, fast = (row["gflop"] / row["seconds"][key] for key in OURS)
        best.append(min(ratio(row, key, "implicitpad fast") for key in rivals))
        cells = [f"{own:.0f}", f"{own / peak:.2f}", f"{fast:.0f}"]
        cells += [f"{row['error'][key]:.1e}" for key in (*OURS, "pad")]
        cells += [f"{ratio(row, key):.2f}" for key in rivals]
        cells += [f"{ratio(row, 'pad', 'implicitpad fast'):.2f}", f"{best[-1]:.2f}"]
        print(f"| {row['layer']} | " + " | ".join(cells) + " |")
    means = [statistics.geometric_mean(ratio(row, key) for row in rows) for key in rivals]
    means += [statistics.geometric_mean(ratio(row, "pad", "implicitpad fast") for row in rows)]
    means += [statistics.geometric_mean(best)]
    print(
        f"| **geometric mean** {'| ' * len(head)}| " + " | ".join(f"{m:.2f}" for m in means) + " |"
    )


def plot(tables: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Speed against accuracy, a point for each layer and contender that solves the same problem."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    rows = [row for table in tables.values() for row in table]
    for name in rows[0]["error"]:
        found = [row for row in rows if name in row["error"]]
        speed = [ratio(row, "pad", name) for row in found]
        axes.scatter([row["error"][name] for row in found], speed, s=22, label=name, alpha=0.75)
    axes.set(xscale="log", yscale="log", xlabel="largest error, relative to the largest output")
    axes.set_ylabel("speed, relative to F.pad + conv in PyTorch")
    axes.set_yticks([0.25, 0.5, 1, 2, 4], ["0.25", "0.5", "1", "2", "4"])
    axes.minorticks_off()
    axes.axhline(1, color="0.6", lw=0.8)
    axes.legend(frameon=False)
    figure.savefig(path)


def main() -> None:
    """Print the tables; save them as JSON and as a plot if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--block", type=float, default=0.12, help="seconds of a contender's block")
    parser.add_argument("--cpu-time", action="store_true", help="for a shared machine, one thread")
    parser.add_argument("--tables", nargs="*", choices=TABLES, default=list(TABLES))
    parser.add_argument("--only", nargs="*", help="names of layers")
    parser.add_argument("--isa", choices=_conv_cpu.instruction_sets(), help="instruction set")
    parser.add_argument("--torch-only", action="store_true", help="no opponents but PyTorch")
    parser.add_argument("--json", type=Path, help="save the tables here")
    parser.add_argument("--plot", type=Path, help="save a plot of speed against accuracy here")
    args = parser.parse_args()
    if args.isa:
        _conv_cpu.set_instruction_set(args.isa)
    clock = time.process_time if args.cpu_time else time.perf_counter
    peak, copy = measure.ceilings(args.threads)
    print(
        f"{measure.processor()}, {_conv_cpu.get_instruction_set()}, {args.threads} thread(s), "
        f"torch {torch.__version__}; matrix product {peak:.0f} GF/s, copy {copy:.1f} GB/s"
    )
    tables = {}
    for name in args.tables:
        layers = [layer for layer in TABLES[name] if not args.only or layer.name in args.only]
        if not layers:
            continue
        tables[name] = [
            run(layer, args.threads, args.block, not args.torch_only, clock) for layer in layers
        ]
        show(name, tables[name], peak)
    if args.json:
        record = {
            "processor": measure.processor(),
            "instruction_set": _conv_cpu.get_instruction_set(),
            "threads": args.threads,
            "torch": torch.__version__,
            "environment": {
                key: os.environ.get(key) for key in ("THP_MEM_ALLOC_ENABLE", "ONEDNN_MAX_CPU_ISA")
            },
            "matrix product GF/s": peak,
            "copy GB/s": copy,
            "tables": tables,
        }
        args.json.write_text(json.dumps(record, indent=1))
    if args.plot:
        plot(tables, args.plot)


if __name__ == "__main__":
    main()
