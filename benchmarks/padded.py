"""Ten 3×3 layers on one image in borders of growing width: time and peak memory do not grow.

Then what a call of a planned layer costs beside its arithmetic: calls on a single element.

Run ``python benchmarks/padded.py``. Each width runs in a process of its own, which reports its peak
memory (Unix); times are medians, taken in turns so that a busy machine disturbs all widths alike.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from measure import medians

import implicitpad as ip
from implicitpad import nn

CHANNELS, SIZE, LAYERS = 16, 256, 10


def problem(width: int) -> tuple[nn.Sequential, ip.PaddedArray]:
    """The network and an image with `width` positions of border on each side."""
    rng = np.random.default_rng(0)
    network = nn.Sequential(*[nn.Conv2d(CHANNELS, CHANNELS, 3, rng=rng) for _ in range(LAYERS)])
    image = rng.normal(size=(1, CHANNELS, SIZE, SIZE)).astype(np.float32)
    return network, ip.PaddedArray(image, width, 1)


def measure(width: int, rounds: int) -> dict[str, float]:
    """Seconds of one pass (the median) and bytes at the peak of the process."""
    network, image = problem(width)
    network(image)
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        network(image)
        seconds.append(time.perf_counter() - start)
    return {"seconds": float(np.median(seconds)), "peak": peak()}


def calls() -> dict[str, float]:
    """Seconds of a call on one element, as an array and as a padded array."""
    layer = ip.Conv2d(np.ones((1, 1, 3, 3), np.float32), padding=1)
    valid = ip.Conv2d(np.ones((1, 1, 3, 3), np.float32))
    array = np.ones((1, 1, 1, 1), np.float32)
    padded = ip.PaddedArray(array, 20, 1)
    function = {"array": lambda: layer(array), "padded array": lambda: valid(padded)}
    return medians({name: repeated(call) for name, call in function.items()})


def repeated(call: Callable[[], Any]) -> Callable[[], None]:
    """A thousand calls, so that milliseconds of it are microseconds of one."""

    def run() -> None:
        for _ in range(1000):
            call()

    return run


def peak() -> int:
    """Largest memory this process has held so far."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would also count the parent from before exec
        (line,) = [s for s in status.read_text().splitlines() if s.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("widths", nargs="*", type=int, default=[20, 1000, 8000])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(measure(options.one, 5)))
        return
    found: dict[int, list[dict[str, float]]] = {width: [] for width in options.widths}
    for _ in range(options.turns):
        for width in options.widths:
            command = [sys.executable, __file__, "--one", str(width)]
            found[width].append(json.loads(subprocess.check_output(command)))
    print(f"{'border':>7} {'time':>10} {'peak':>10} {'explicit tensor':>16}")
    for width, runs in found.items():
        seconds = np.median([run["seconds"] for run in runs])
        memory = np.median([run["peak"] for run in runs])
        explicit = problem(width)[1].nbytes_virtual
        print(
            f"{width:7d} {1e3 * seconds:7.1f} ms {memory / 1e6:7.1f} MB {explicit / 1e9:13.2f} GB"
        )
    for name, seconds in calls().items():
        print(f"a planned layer on one element, {name}: {1e3 * seconds:.1f} µs")


if __name__ == "__main__":
    main()
