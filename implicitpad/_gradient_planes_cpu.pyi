"""Types of the compiled gradients of planes (pyx/gradient_planes_cpu.pyx)."""

from collections.abc import Sequence
from typing import Any

class PlaneGradient:
    suits: bool
    workspace: int
    def __init__(
        self,
        axes: Sequence[Any],
        batch: int,
        in_channels: int,
        out_channels: int,
        groups: int,
        kernels: Any,
        codes: tuple[int, int, int],
        threads: int,
    ) -> None: ...
    def run(self, x: Any, dy: Any, fill: Any, dw: Any) -> None: ...
