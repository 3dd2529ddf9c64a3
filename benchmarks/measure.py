"""Fair timing: contenders run alone for a block at a time, blocks interleaved, medians of calls."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def medians(
    contenders: dict[str, Callable[[], Any]], *, block: float = 0.2, rounds: int = 3
) -> dict[str, float]:
    """Median seconds of a call of each contender; `block`: seconds one runs before the next."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            call()  # bring code and data back after the others' block
            end = time.perf_counter() + block
            while True:
                start = time.perf_counter()
                call()
                stop = time.perf_counter()
                times[name].append(stop - start)
                if stop > end:
                    break
    return {name: statistics.median(values) for name, values in times.items()}


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
