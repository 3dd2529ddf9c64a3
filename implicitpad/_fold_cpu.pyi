"""Types of the compiled sums of gradients (pyx/fold_cpu.pyx)."""

from collections.abc import Sequence
from typing import Any

def fold(g: Any, depth: Any, height: Any, width: Any, dx: Any, threads: int) -> None: ...
def segment_sums(
    dy: Any,
    segments: Sequence[Sequence[int]],
    kernels: Any,
    codes: tuple[int, int, int],
    sums: Any,
    threads: int,
) -> None: ...
