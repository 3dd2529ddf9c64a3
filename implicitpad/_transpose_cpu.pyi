"""Types of the compiled transposed convolution (pyx/transpose_cpu.pyx)."""

from collections.abc import Sequence
from typing import Any

class TransposePlan:
    layout: tuple[Any, ...]
    packed_bytes: int
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
        direct: bool,
        winograd: bool,
        threads: int,
    ) -> None: ...
    def pack(self, weights: Any, packed: Any) -> None: ...
    def run(self, x: Any, packed: Any, bias: Any, y: Any) -> bool: ...

def flip(w: Any, flipped: Any) -> None: ...
