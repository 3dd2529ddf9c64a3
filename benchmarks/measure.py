"""Fair timing: contenders run alone for a block at a time, blocks interleaved, medians of calls."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def medians(
    contenders: dict[str, Callable[[], Any]],
    *,
    block: float = 0.2,
    rounds: int = 3,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Median seconds of a call of each contender; `block`: seconds one runs before the next.

    `clock`: ``time.process_time`` counts processor time, for one thread on a shared machine.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            call()  # bring code and data back after the others' block
            end = clock() + block
            while True:
                start = clock()
                call()
                stop = clock()
                times[name].append(stop - start)
                if stop > end:
                    break
    return {name: statistics.median(values) for name, values in times.items()}


def ceilings(threads: int) -> tuple[float, float]:
    """What the machine does here and now: GF/s of the fastest matrix product, GB/s of a copy.

    The product is float32, 1024 by 1024, by PyTorch or by us, whoever is faster; the copy counts
    what it reads and what it writes.
    """
    import torch

    import implicitpad as ip

    torch.set_num_threads(threads)
    ip.set_num_threads(threads)
    rng = np.random.default_rng(0)
    a = rng.standard_normal((1, 1024, 1024), dtype=np.float32)
    b = rng.standard_normal((1024, 1024, 1), dtype=np.float32)
    product, ta, tb = ip.Conv1d(b), torch.from_numpy(a[0]), torch.from_numpy(b[:, :, 0].copy())
    source = rng.standard_normal(2**24, dtype=np.float32)
    target = np.empty_like(source)
    seconds = medians(
        {
            "torch": lambda: tb @ ta,
            "implicitpad": lambda: product(a),
            "copy": lambda: np.copyto(target, source),
        }
    )
    flops = 2e-9 * 1024**3 / min(seconds["torch"], seconds["implicitpad"])
    return flops, 2e-9 * source.nbytes / seconds["copy"]


def processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    for key in ("model name", "model"):
        for line in lines:
            if line.partition(":")[0].strip() == key:
                return line.partition(":")[2].strip()
    return platform.machine()
