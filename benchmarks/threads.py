"""What more threads bring, and what a small call costs: ``python benchmarks/threads.py --help``.

Planned layers, float32, fill 0.5, random data, fresh outputs: every layer of ``conv.py`` above 0.2
GFLOP. Of seven blocks of calls each number of threads gets the best median, or else work of others
on a shared machine halves now one, now the other. *efficiency*: the time on one thread over that on
n, over n. PyTorch pads explicitly. A small layer's call stands beside its arithmetic: what each
further image of a batch adds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import conv
import measure
import numpy as np
import torch
from opponents import Layer, padded

import implicitpad as ip

WORTH_DIVIDING = 0.2  # GFLOP
BLOCKS = 7
SMALL = Layer("16x16, 8 channels", 1, 8, 16, 8, 3, p=1)


def on(threads: int, call: Callable[[], Any]) -> Any:
    """A call on so many threads, by whoever computes it."""
    ip.set_num_threads(threads)
    torch.set_num_threads(threads)
    return call()


def contenders(layer: Layer) -> dict[str, Callable[[], Any]]:
    """Ours in both precisions, and PyTorch."""
    x, w, b = layer.arrays()
    make = {1: ip.Conv1d, 2: ip.Conv2d, 3: ip.Conv3d}[layer.rank]
    options = (layer.s, layer.p, layer.d, layer.g)
    calls: dict[str, Callable[[], Any]] = {}
    for precision in ("default", "fast"):
        planned = make(w, b, *options, fill_value=layer.v, precision=precision)
        calls[precision] = partial(planned, x)
    tensors = [torch.from_numpy(a) for a in (x, w, b)]
    calls["pytorch"] = lambda: padded(layer, *tensors)
    return calls


def divided(layer: Layer, threads: int, block: float) -> None:
    """A line of the table."""
    calls = contenders(layer)
    gflop = 2e-9 * calls["default"]().size * layer.terms
    if gflop < WORTH_DIVIDING:
        return
    cells = []
    for call in calls.values():
        each = {str(n): partial(on, n, call) for n in (1, threads)}
        blocks = [measure.medians(each, block=block, rounds=1) for _ in range(BLOCKS)]
        rates = [gflop / min(seconds[name] for seconds in blocks) for name in each]
        cells += [f"{rate:.0f}" for rate in rates] + [f"{rates[1] / rates[0] / threads:.2f}"]
    print(f"| {layer.name} | {gflop:.2f} | " + " | ".join(cells) + " |", flush=True)


def small(layer: Layer, block: float) -> None:
    """Microseconds of a call on one thread, and of its arithmetic alone."""
    x, w, b = layer.arrays()
    planned = ip.Conv2d(w, b, padding=layer.p, fill_value=layer.v)
    many = np.repeat(x, 33, axis=0)
    calls = {"one": partial(planned, x), "many": partial(planned, many)}
    seconds = measure.medians(
        {name: partial(on, 1, call) for name, call in calls.items()}, block=block
    )
    arithmetic = (seconds["many"] - seconds["one"]) / 32
    print(f"\n{layer.name}: {1e6 * seconds['one']:.1f} us, arithmetic {1e6 * arithmetic:.1f} us")


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--block", type=float, default=0.06, help="seconds of a contender's block")
    parser.add_argument("--only", nargs="*", help="names of layers")
    args = parser.parse_args()
    print(f"{measure.processor()}, 1 and {args.threads} threads, torch {torch.__version__}\n")
    each = f"1 | {args.threads} | efficiency"
    print(f"| GF/s | GFLOP | default, {each} | fast, {each} | PyTorch, {each} |")
    print("|---" * 11 + "|")
    for layers in conv.TABLES.values():
        for layer in layers:
            if not args.only or layer.name in args.only:
                divided(layer, args.threads, args.block)
    small(SMALL, args.block)


if __name__ == "__main__":
    main()
