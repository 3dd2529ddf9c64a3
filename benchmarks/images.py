"""Images and depthwise layers beside other libraries: ``python benchmarks/images.py --help``.

Planned layers, float32, random data, one thread by default. Images (one channel): fill 0, which all
opponents can do, into a given output where they take one. Depthwise layers: fill 0.5, fresh
outputs; PyTorch pads explicitly ("pad+conv"), or with zeros, another problem that needs no copy.
``copy`` is the time to copy an array of the input's size. Ratios above 1: implicitpad is faster.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import measure
import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional

import implicitpad as ip
from implicitpad import _conv_cpu

FILL = 0.5
SIZES = {1024: (3, 5, 7, 11, 15, 31, 63, 127), 4096: (3, 5, 15, 31, 63, 127)}
# N, channels, height = width, kernel, stride
DEPTHWISE = [
    (1, 32, 112, 3, 1),
    (8, 32, 112, 3, 1),
    (1, 64, 224, 3, 1),
    (1, 512, 14, 3, 1),
    (8, 512, 14, 3, 1),
    (1, 1024, 7, 3, 1),
    (1, 240, 28, 5, 1),
    (1, 672, 14, 5, 1),
    (1, 96, 56, 7, 1),
    (1, 96, 112, 3, 2),
    (1, 192, 28, 3, 2),
    (8, 96, 112, 3, 2),
]


def image(size: int, k: int, precision: str, timing: dict[str, Any]) -> dict[str, Any]:
    """One channel, k x k; seconds of each contender, error against float64."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((size, size), dtype=np.float32)
    w = rng.standard_normal((k, k), dtype=np.float32) / k
    y = np.empty_like(x)
    return timed(f"{size}² k {k}", x, w, y, precision, timing)


def separable(size: int, k: int, precision: str, timing: dict[str, Any]) -> dict[str, Any]:
    """A Gaussian of k x k, whose opponents are told that it is separable."""
    x = np.random.default_rng(0).standard_normal((size, size), dtype=np.float32)
    g = np.exp(-0.5 * (np.arange(k) - k // 2) ** 2 / (k / 6) ** 2).astype(np.float32)
    g /= g.sum()
    y = np.empty_like(x)
    more = {"opencv sep": lambda: cv2.sepFilter2D(x, -1, g, g, y, borderType=cv2.BORDER_CONSTANT)}

    def twice() -> None:
        first = ndimage.correlate1d(x, g, 0, mode="constant")
        ndimage.correlate1d(first, g, 1, y, mode="constant")

    more["scipy sep"] = twice
    return timed(f"{size}² gauss {k}", x, np.outer(g, g), y, precision, timing, more)


def timed(
    name: str,
    x: Any,
    w: Any,
    y: Any,
    precision: str,
    timing: dict[str, Any],
    more: dict[str, Callable[[], Any]] | None = None,
) -> dict[str, Any]:
    size, k = x.shape[0], w.shape[0]
    ours = ip.Conv2d(w[None, None], padding=k // 2, precision=precision)
    inner, outer = x[None], y[None]
    contenders = {
        "implicitpad": lambda: ours(inner, out=outer),
        "copy": lambda: np.copyto(y, x),
        "opencv": lambda: cv2.filter2D(x, -1, w, y, borderType=cv2.BORDER_CONSTANT),
    }
    contenders.update(more or {})
    tx, tw = torch.from_numpy(inner[None]), torch.from_numpy(w[None, None])
    slow: dict[str, Callable[[], Any]] = {
        "scipy": lambda: ndimage.correlate(x, w, y, mode="constant"),
        "torch": lambda: functional.conv2d(tx, tw, padding=k // 2),
    }
    if (k <= 15 and size <= 1024 and not more) or (k <= 5 and not more):
        contenders.update(slow)
    seconds = measure.medians(contenders, **timing)
    ours(inner, out=outer)
    rows = np.unique(np.linspace(0, size - 1, 12).astype(int))
    wide = np.pad(x.astype(np.float64), k // 2)
    truth = np.array(
        [sum(np.correlate(wide[r + i], w[i].astype(np.float64)) for i in range(k)) for r in rows]
    )
    return {
        "name": name,
        "gflop": 2e-9 * x.size * k * k,
        "seconds": seconds,
        "error": float(np.abs(y[rows] - truth).max() / np.abs(truth).max()),
    }


def depthwise(n: int, c: int, size: int, k: int, s: int, timing: dict[str, Any]) -> dict[str, Any]:
    """A depthwise layer in batches."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, c, size, size), dtype=np.float32)
    w = rng.standard_normal((c, 1, k, k), dtype=np.float32) / k
    b = rng.standard_normal(c, dtype=np.float32)
    p = k // 2
    ours = ip.Conv2d(w, b, s, p, 1, c, fill_value=FILL)
    tx, tw, tb = torch.from_numpy(x), torch.from_numpy(w), torch.from_numpy(b)
    last = torch.channels_last
    lx, lw = tx.contiguous(memory_format=last), tw.contiguous(memory_format=last)

    def padded(data: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        wide = functional.pad(data, [p] * 4, value=FILL)
        return functional.conv2d(wide, weight, bias, s, 0, 1, c)

    seconds = measure.medians(
        {
            "implicitpad": lambda: ours(x),
            "copy": lambda: x.copy(),
            "pad+conv": lambda: padded(tx, tw, tb),
            "pad+conv channels_last": lambda: padded(lx, lw, tb),
            "zero": lambda: functional.conv2d(tx, tw, tb, s, p, 1, c),
            "zero channels_last": lambda: functional.conv2d(lx, lw, tb, s, p, 1, c),
        },
        **timing,
    )
    y = ours(x)
    truth = padded(tx.double(), tw.double(), tb.double()).numpy()
    return {
        "name": f"{n},{c},{size} k{k} s{s}",
        "gflop": 2e-9 * y.size * k * k,
        "seconds": seconds,
        "error": float(np.abs(y - truth).max() / np.abs(truth).max()),
    }


def show(row: dict[str, Any]) -> None:
    own = row["seconds"]["implicitpad"]
    others = {name: t / own for name, t in row["seconds"].items() if name != "implicitpad"}
    ratios = ", ".join(f"{name} {ratio:.2f}" for name, ratio in others.items())
    print(
        f"{row['name']:18s} {own * 1e3:9.3f} ms {row['gflop'] / own:7.1f} GF/s "
        f"{row['error']:8.1e}   {ratios}",
        flush=True,
    )


def main() -> None:
    """Print the table; save it as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="*", default=["depthwise", "images", "separable"])
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--kernels", type=int, nargs="*", help="only images of these kernels")
    parser.add_argument("--precision", nargs="*", default=["default", "fast"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--block", type=float, default=0.2, help="seconds of a contender's block")
    parser.add_argument("--cpu-time", action="store_true", help="on a shared machine, one thread")
    parser.add_argument("--json", type=Path, help="save the table here")
    args = parser.parse_args()
    clock = time.process_time if args.cpu_time else time.perf_counter
    timing = {"block": args.block, "clock": clock}
    torch.set_num_threads(args.threads)
    ip.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    print(
        f"{measure.processor()}, {_conv_cpu.get_instruction_set()}, {args.threads} thread(s), "
        f"torch {torch.__version__}, opencv {cv2.__version__}; times of ours:"
    )
    rows = []
    if "depthwise" in args.parts:
        for shape in DEPTHWISE:
            rows.append(depthwise(*shape, timing))
            show(rows[-1])
    for part, run in (("images", image), ("separable", separable)):
        for size in args.sizes if part in args.parts else ():
            kernels = SIZES[size] if part == "images" else (7, 15, 31, 61)
            for k in kernels:
                for precision in args.precision:
                    if args.kernels and k not in args.kernels:
                        continue
                    if precision == "default" and (k > 31 or part == "separable"):
                        continue
                    rows.append(run(size, k, precision, timing))
                    rows[-1]["name"] += "" if precision == "default" else " fast"
                    show(rows[-1])
    if args.json:
        args.json.write_text(json.dumps({"processor": measure.processor(), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
