"""Types of the compiled gradients of pooling (pyx/pool_gradient_cpu.pyx)."""

from collections.abc import Sequence
from typing import Any

def spread_means(
    tables: Sequence[Any],
    divisor: float,
    count_pad: bool,
    padded: bool,
    dy: Any,
    dx: Any,
    padding: Any,
    work: Any,
    held: Any,
) -> None: ...
def place_maxima(index: Any, dy: Any, dx: Any, padding: Any, threads: int) -> None: ...
