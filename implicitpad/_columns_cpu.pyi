"""Types of the compiled product of few pixels (pyx/columns_cpu.pyx)."""

from collections.abc import Sequence
from typing import Any

def transpose_columns(
    axes: Sequence[Any],
    groups: int,
    x: Any,
    weights: Any,
    bias: Any,
    y: Any,
    kernels: Any,
    codes: tuple[int, int, int],
    threads: int,
) -> None: ...
