"""Types of the compiled pooling module (pyx/pool_cpu.pyx)."""

from collections.abc import Sequence
from typing import Any

STORAGE: dict[str, tuple[int, int, int]]
ELEMENTS: dict[int, str]

class PoolPlan:
    element: str
    workspace: int
    threads: int
    indices: bool
    def __init__(
        self,
        axes: Sequence[Any],
        batch: int,
        channels: int,
        storage: str,
        operation: str,
        indices: bool,
        divisor: float,
        count_pad: bool,
        fill_given: bool,
        in_place: bool,
        out_place: bool,
        instruction_set: str,
        threads: int,
    ) -> None: ...
    def run(self, x: Any, fill: Any, y: Any, index: Any) -> None: ...

def reduce_planes(
    x: Any,
    out: Any,
    storage: str,
    operation: str,
    in_place: bool,
    instruction_set: str,
    threads: int,
) -> None: ...
def average_parts(
    x: Any,
    out: Any,
    sizes: Sequence[int],
    storage: str,
    in_place: bool,
    instruction_set: str,
    threads: int,
) -> None: ...
