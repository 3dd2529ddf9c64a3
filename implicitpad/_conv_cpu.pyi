"""Types of the compiled convolution module (pyx/conv_cpu.pyx)."""

from collections.abc import Sequence
from typing import Any

STORAGE: dict[str, tuple[int, int]]
OUTPUT: dict[str, int]
has_openmp: bool

def openmp_threads() -> int: ...
def instruction_sets() -> tuple[str, ...]: ...
def get_instruction_set() -> str: ...
def set_instruction_set(name: str) -> None: ...
def kernels() -> Any: ...
def codes(storage: str, out_storage: str) -> tuple[int, int, int]: ...
def source_index(i: int, n: int, mode: str) -> int: ...
def index_table(size: int, before: int, length: int, mode: str) -> memoryview: ...

class Buffer:
    def __new__(cls, size: int) -> Buffer: ...

class ConvPlan:
    instruction_set: str
    layout: str
    workspace: int
    threads: int
    blocks: tuple[int, ...]
    corrected: bool
    interleaved: int
    offset: int
    def __init__(
        self,
        axes: Sequence[Any],
        batch: int,
        in_channels: int,
        out_channels: int,
        groups: int,
        storage: str,
        weight_storage: str,
        out_storage: str,
        direct: bool,
        fast: bool,
        skips: bool,
        threads: int,
        tables: Sequence[Any] | None = None,
    ) -> None: ...
    def then(self, second: ConvPlan, columns: memoryview, before: int) -> None: ...
    def pack(self, weights: Any) -> Buffer: ...
    def pack_bias(self, bias: Any) -> Buffer: ...

class ConvCall:
    plan: ConvPlan
    def __init__(
        self,
        resolved: ConvPlan,
        terms: Any,
        weights: Buffer,
        bias: Buffer,
        x_strides: Sequence[int],
        y_strides: Sequence[int],
        limits: Any = None,
        residual_strides: Sequence[int] = ...,
    ) -> None: ...
    def __call__(self, x: Any, fill: Any, fill_sums: Any, y: Any, residual: Any = None) -> None: ...
