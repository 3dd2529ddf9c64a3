"""Types of the compiled gradients (pyx/gradient_cpu.pyx)."""

from collections.abc import Sequence
from typing import Any

class WeightGradient:
    algorithm: str
    workspace: int
    @property
    def corrected(self) -> bool: ...
    def __init__(
        self,
        axes: Sequence[Any],
        batch: int,
        in_channels: int,
        out_channels: int,
        groups: int,
        kernels: Any,
        codes: tuple[int, int, int],
        exchanged: bool,
        finite: bool,
        fast: bool,
        threads: int,
    ) -> None: ...
    def run(self, x: Any, dy: Any, fill: Any, dw: Any) -> bool: ...
