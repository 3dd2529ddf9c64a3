"""Pooling against PyTorch in both memory layouts: ``python benchmarks/pool.py --help``.

float32, random data, fresh outputs. Ratios above 1: implicitpad is faster.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import measure
import numpy as np
import torch
from torch.nn import functional

import implicitpad as ip
from implicitpad import _conv_cpu

OPPONENTS = ("torch", "torch channels_last")


@dataclass(frozen=True)
class Case:
    """A pooling of square planes: N, C, H, kernel, stride, padding."""

    operation: str  # "max", "avg" or "indices"
    n: int
    c: int
    h: int
    f: int
    s: int
    p: int = 0

    @property
    def name(self) -> str:
        return f"{self.operation} {self.f}x{self.f} s{self.s}, {self.n}x{self.c}x{self.h}²"


CASES = [
    Case("max", 1, 64, 112, 3, 2, 1),
    Case("max", 8, 64, 112, 3, 2, 1),
    Case("max", 8, 64, 224, 2, 2),
    Case("max", 1, 64, 112, 7, 1, 3),
    Case("max", 1, 1, 4096, 3, 1, 1),
    Case("max", 1, 1, 4096, 7, 1, 3),
    Case("max", 1, 512, 28, 2, 2),
    Case("max", 32, 512, 14, 2, 2),
    Case("max", 1, 512, 14, 2, 2),
    Case("avg", 1, 64, 112, 3, 2, 1),
    Case("avg", 8, 64, 224, 2, 2),
    Case("avg", 1, 64, 112, 7, 1, 3),
    Case("avg", 1, 512, 28, 2, 2),
    Case("avg", 1, 512, 14, 2, 2),
    Case("indices", 1, 64, 112, 3, 2, 1),
    Case("indices", 1, 64, 112, 2, 2),
    Case("indices", 1, 1, 4096, 3, 1, 1),
]


def run(case: Case, threads: int, block: float) -> dict[str, Any]:
    """Time one case; seconds of each contender."""
    torch.set_num_threads(threads)
    ip.set_num_threads(threads)
    shape = (case.n, case.c, case.h, case.h)
    x = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    tx = torch.from_numpy(x)
    lx = tx.contiguous(memory_format=torch.channels_last)
    window = (case.f, case.s, case.p)
    if case.operation == "avg":
        mine, theirs, options = ip.avg_pool2d, functional.avg_pool2d, {}
    else:
        mine, theirs = ip.max_pool2d, functional.max_pool2d
        options = {"return_indices": case.operation == "indices"}
    seconds = measure.medians(
        {
            "implicitpad": lambda: mine(x, *window, **options),
            "torch": lambda: theirs(tx, *window, **options),
            "torch channels_last": lambda: theirs(lx, *window, **options),
        },
        block=block,
    )
    return {"case": case.name, "seconds": seconds}


def main() -> None:
    """Print the table; save it as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--block", type=float, default=0.2, help="seconds of a contender's block")
    parser.add_argument("--only", help="cases whose name contains this")
    parser.add_argument("--json", type=Path, help="save the table here")
    args = parser.parse_args()
    print(
        f"{measure.processor()}, {_conv_cpu.get_instruction_set()}, {args.threads} thread(s), "
        f"torch {torch.__version__}"
    )
    print(f"{'case':30s} {'ms':>8s}   times of ours: " + ", ".join(OPPONENTS))
    rows = []
    for case in CASES:
        if args.only and args.only not in case.name:
            continue
        row = run(case, args.threads, args.block)
        rows.append(row)
        own = row["seconds"]["implicitpad"]
        ratios = " ".join(f"{row['seconds'][name] / own:8.2f}" for name in OPPONENTS)
        print(f"{case.name:30s} {own * 1e3:8.3f} {ratios}", flush=True)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
