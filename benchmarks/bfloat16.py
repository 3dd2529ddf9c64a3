"""bfloat16 layers against PyTorch, one thread, zero padding: ``python benchmarks/bfloat16.py``.

Ratios: PyTorch's time over that of our default, in either memory layout; above 1 we are faster.
Errors: the largest difference from float64, over the largest output; nearly all of it is the
rounding of the result.
"""

from __future__ import annotations

import time

import ml_dtypes
import numpy as np
import torch
from measure import medians, processor
from opponents import Layer
from torch.nn import functional

import implicitpad as ip

LAYERS = [
    Layer("res2 3x3", 1, 64, 56, 64, 3, p=1),
    Layer("res4 3x3", 1, 256, 14, 256, 3, p=1),
    Layer("stem 7x7 s2", 1, 3, 224, 64, 7, s=2, p=3),
    Layer("res3 s2", 1, 128, 56, 128, 3, s=2, p=1),
    Layer("5x5", 1, 64, 56, 64, 5, p=2),
    Layer("vgg1_1", 1, 3, 224, 64, 3, p=1),
    Layer("1x1 64>256", 1, 64, 56, 256, 1),
    Layer("1x1 1024>256", 1, 1024, 14, 256, 1),
]


def row(layer: Layer) -> str:
    """Time one layer; its cells."""
    options = (layer.s, layer.p, layer.d, layer.g)
    wide = layer.arrays()
    x, w, b = (a.astype(ml_dtypes.bfloat16) for a in wide)
    tensors = [torch.from_numpy(a).bfloat16() for a in wide]
    last = [t.contiguous(memory_format=torch.channels_last) for t in tensors[:2]]
    ours, fast = (ip.Conv2d(w, b, *options, precision=p) for p in ("default", "fast"))
    single = ip.Conv2d(wide[1], wide[2], *options)
    own = {"ours": lambda: ours(x), "fast": lambda: fast(x), "float32": lambda: single(wide[0])}
    theirs = {
        "torch": lambda: functional.conv2d(*tensors, *options),
        "last": lambda: functional.conv2d(*last, tensors[2], *options),
    }
    seconds = medians({**own, **theirs}, block=0.05, clock=time.process_time)
    truth = functional.conv2d(*(t.double() for t in tensors), *options).numpy()
    error = abs(ours(x).astype(np.float64) - truth).max() / abs(truth).max()
    cells = [f"{2e-9 * truth.size * layer.terms / seconds[name]:.0f}" for name in own]
    cells += [f"{error:.1e}", *(f"{seconds[name] / seconds['ours']:.2f}" for name in theirs)]
    return " | ".join(cells)


def main() -> None:
    """Print the table in Markdown."""
    torch.set_num_threads(1)
    ip.set_num_threads(1)
    print(f"{processor()}, torch {torch.__version__}, one thread\n")
    print("| bfloat16 | GF/s | fast GF/s | float32 GF/s | error | PyTorch | …channels_last |")
    print("|---|---|---|---|---|---|---|")
    for layer in LAYERS:
        print(f"| {layer.name} | {row(layer)} |", flush=True)


if __name__ == "__main__":
    main()
