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

    operation: str  # "max", "avg", "indices", "backward" of one, "global ...", "adaptive avg"
    n: int
    c: int
    h: int
    f: int
    s: int
    p: int = 0

    @property
    def name(self) -> str:
        if self.operation.startswith("global"):
            return f"{self.operation}, {self.n}x{self.c}x{self.h}²"
        if self.operation.startswith("adaptive"):
            return f"{self.operation} to {self.f}², {self.n}x{self.c}x{self.h}²"
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
    Case("max backward", 1, 64, 112, 3, 2, 1),
    Case("max backward", 1, 64, 112, 3, 1, 1),
    Case("max backward", 8, 64, 112, 2, 2),
    Case("max backward", 1, 512, 28, 2, 2),
    Case("max search backward", 1, 64, 112, 3, 2, 1),
    Case("max search backward", 8, 64, 112, 2, 2),
    Case("max search backward", 1, 512, 28, 2, 2),
    Case("avg backward", 1, 64, 112, 3, 2, 1),
    Case("avg backward", 1, 64, 112, 3, 1, 1),
    Case("avg backward", 8, 64, 112, 2, 2),
    Case("avg backward", 1, 512, 28, 2, 2),
    Case("global avg", 32, 2048, 7, 7, 1),
    Case("global avg", 1, 512, 28, 28, 1),
    Case("global avg", 1, 64, 512, 512, 1),
    Case("global max", 32, 2048, 7, 7, 1),
    Case("global max", 1, 64, 512, 512, 1),
    Case("adaptive avg", 8, 256, 30, 7, 1),
    Case("adaptive avg", 1, 64, 224, 6, 1),
]


# of whole planes: ours, PyTorch's
WHOLE: dict[str, tuple[Any, Any]] = {
    "global avg": (
        lambda x, _: ip.global_avg_pool(x),
        lambda x, _: functional.adaptive_avg_pool2d(x, 1),
    ),
    "global max": (lambda x, _: ip.global_max_pool(x), lambda x, _: torch.amax(x, (2, 3))),
    "adaptive avg": (ip.adaptive_avg_pool2d, functional.adaptive_avg_pool2d),
}


def run(case: Case, threads: int, block: float) -> dict[str, Any]:
    """Time one case; seconds of each contender."""
    torch.set_num_threads(threads)
    ip.set_num_threads(threads)
    shape = (case.n, case.c, case.h, case.h)
    x = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    tx = torch.from_numpy(x)
    lx = tx.contiguous(memory_format=torch.channels_last)
    window = (case.f, case.s, case.p)
    if case.operation.endswith("backward"):
        return {"case": case.name, "seconds": backward_seconds(case, x, tx, lx, block)}
    if case.operation in WHOLE:
        ours, others = WHOLE[case.operation]
        contenders = {
            "implicitpad": lambda: ours(x, case.f),
            "torch": lambda: others(tx, case.f),
            "torch channels_last": lambda: others(lx, case.f),
        }
        return {"case": case.name, "seconds": measure.medians(contenders, block=block)}
    mine: Any
    theirs: Any
    options: dict[str, Any] = {}
    if case.operation == "avg":
        mine, theirs = ip.avg_pool2d, functional.avg_pool2d
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


def backward_seconds(
    case: Case, x: np.ndarray[Any, Any], tx: torch.Tensor, lx: torch.Tensor, block: float
) -> dict[str, float]:
    """Gradients of the input; PyTorch's maxima are known from the forward call, so are ours.

    "search": ours have to be found again.
    """
    name, window = f"{case.operation[:3]}_pool2d", (case.f, case.s, case.p)
    mine = getattr(ip, f"{name}_backward")
    upstream = np.random.default_rng(1).standard_normal(
        getattr(ip, name)(x, *window).shape, dtype=np.float32
    )

    known: dict[str, Any] = {}
    if case.operation == "max backward":
        known["indices"] = ip.max_pool2d(x, *window, return_indices=True)[1]

    def theirs(data: torch.Tensor) -> Any:
        leaf = data.detach().requires_grad_()
        y = getattr(functional, name)(leaf, *window)
        layout = torch.channels_last if data is lx else torch.contiguous_format
        grad = torch.from_numpy(upstream).contiguous(memory_format=layout)
        return lambda: torch.autograd.grad(y, leaf, grad, retain_graph=True)

    return measure.medians(
        {
            "implicitpad": lambda: mine(upstream, x, *window, **known),
            "torch": theirs(tx),
            "torch channels_last": theirs(lx),
        },
        block=block,
    )


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
    print(f"{'case':36s} {'ms':>8s}   times of ours: " + ", ".join(OPPONENTS))
    rows = []
    for case in CASES:
        if args.only and args.only not in case.name:
            continue
        row = run(case, args.threads, args.block)
        rows.append(row)
        own = row["seconds"]["implicitpad"]
        ratios = " ".join(f"{row['seconds'][name] / own:8.2f}" for name in OPPONENTS)
        print(f"{case.name:36s} {own * 1e3:8.3f} {ratios}", flush=True)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
