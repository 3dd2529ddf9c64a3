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
    instruction_set: str,
) -> None: ...
def spread_pairs(
    dy: Any, dx: Any, height: int, divisor: float, threads: int, instruction_set: str
) -> None: ...
def place_small(
    axes: Sequence[Any], index: Any, dy: Any, dx: Any, threads: int, instruction_set: str
) -> None: ...
def place_maxima(index: Any, dy: Any, dx: Any, threads: int) -> None: ...
def add_unplaced(index: Any, dy: Any, padding: Any) -> None: ...
