"""Execute a kernel: one array element per thread, over a batch of blocks."""

from __future__ import annotations

import numpy as np

from .instructions import HANDLERS
from .memory import EmulatorError, GlobalMemory, SharedMemory
from .parser import Address, Function, Immediate, Register, Special

LANES = 16384  # threads executed together: long arrays, yet in the second-level cache


class Machine:
    """Registers and program counters of a batch of blocks.

    ``mask`` is None while every thread is at the same instruction; otherwise the threads that
    are behind all others run first, which brings branches together again where they join.
    """

    def __init__(
        self,
        function: Function,
        memory: GlobalMemory,
        grid: tuple[int, int, int],
        block: tuple[int, int, int],
        parameters: np.ndarray,
        dynamic: int,
        blocks: np.ndarray,
    ) -> None:
        threads = int(np.prod(block))
        self.function, self.memory, self.parameters = function, memory, parameters
        self.threads, self.blocks, self.lanes = threads, len(blocks), threads * len(blocks)
        self.block_of_lane = np.repeat(np.arange(len(blocks)), threads)
        self.first_thread = int(blocks[0]) * threads
        self.shared = SharedMemory(len(blocks), function.shared_size + dynamic, memory.check)
        self.registers: dict[str, np.ndarray] = {}
        self.special = _special_registers(grid, block, blocks)

    # Operands ------------------------------------------------------------------------------

    def read(self, operand, dtype: np.dtype) -> np.ndarray:
        """The value of an operand in every thread, or one value for all of them."""
        if isinstance(operand, Register):
            value = self.registers.get(operand.name)
            if value is None:
                raise EmulatorError(f"read of register {operand.name} before any write")
            if value.dtype == dtype:
                return value
            if value.dtype.itemsize == dtype.itemsize and dtype.kind != "b":
                return value.view(dtype)
            return value.view(f"u{value.dtype.itemsize}").astype(dtype)
        if isinstance(operand, Immediate):
            return operand.read(dtype)
        if isinstance(operand, Special):
            return self.special[operand.name].view(dtype)
        raise EmulatorError(f"operand not understood: {operand}")

    def write(self, register: Register, value: np.ndarray, mask: np.ndarray | None) -> None:
        """Set a register in the threads of ``mask``; narrower values widen by their own sign."""
        value = np.asarray(value)
        if value.dtype != register.dtype:
            if value.dtype.itemsize == register.dtype.itemsize and value.dtype.kind != "b":
                value = value.view(register.dtype)
            elif value.dtype.kind == "i":
                value = value.astype(f"i{register.dtype.itemsize}").view(register.dtype)
            else:
                value = value.astype(register.dtype)
        if mask is None:
            if value.shape != (self.lanes,):
                value = np.full(self.lanes, value)
            self.registers[register.name] = value
            return
        old = self.registers.get(register.name)
        if old is None:
            old = np.zeros(self.lanes, register.dtype)
        self.registers[register.name] = np.where(mask, value, old)

    def addresses(self, address: Address, size: int, mask: np.ndarray | None) -> np.ndarray:
        """Byte addresses of the threads in ``mask``."""
        width = address.base.dtype.itemsize if isinstance(address.base, Register) else 8
        value = self.read(address.base, np.dtype(f"u{width}")).astype(np.int64) + address.offset
        value = np.broadcast_to(value, (self.lanes,))
        value = value if mask is None else value[mask]
        if (value % size).any():
            raise EmulatorError(f"misaligned access of {size} bytes")
        return value

    def active(self, mask: np.ndarray | None) -> np.ndarray:
        return np.arange(self.lanes) if mask is None else np.flatnonzero(mask)

    # Control -------------------------------------------------------------------------------

    def run(self) -> None:
        instructions = self.function.instructions
        end = len(instructions)
        waiting = end + 1  # counters of threads at a barrier are moved up by this
        counters = np.zeros(self.lanes, np.int64)
        together, here = True, 0
        while True:
            if together:
                mask = None
            else:
                here = int(counters.min())
                if here < end:
                    mask = counters == here
                    if mask.all():
                        together, mask = True, None
            if here >= end:
                if not together and (counters > end).any():
                    raise EmulatorError(
                        f"{self.where(self.at_barrier(counters, end))}: "
                        "barrier not reached by every thread of the block"
                    )
                return
            instruction = instructions[here]
            taken = self.predicated(instruction, mask)
            opcode = instruction.opcode
            if opcode in ("bra", "ret", "exit"):
                target = instruction.target if opcode == "bra" else end
                if taken is None:
                    here = target
                    continue
                if together:
                    if not taken.any():
                        here += 1
                        continue
                    counters[:] = here
                    together, mask = False, np.ones(self.lanes, bool)
                counters[mask] = here + 1
                counters[taken] = target
                continue
            if opcode in ("bar", "barrier"):
                if together:
                    if self.shared.check:
                        self.shared.epoch += 1
                    here += 1
                else:
                    counters[mask] = waiting + here + 1
                    arrived = (counters == waiting + here + 1).reshape(self.blocks, self.threads)
                    complete = arrived.all(1)
                    counters[complete[self.block_of_lane]] = here + 1
                    if self.shared.check:
                        self.shared.epoch += complete
                continue
            if taken is None or taken.any():
                self.execute(instruction, taken)
            if together:
                here += 1
            else:
                counters[mask] = here + 1

    def predicated(self, instruction, mask: np.ndarray | None) -> np.ndarray | None:
        """The threads of ``mask`` whose predicate holds; None for all of them."""
        if instruction.predicate is None:
            return mask
        holds = self.read(instruction.predicate, np.dtype(bool))
        holds = ~holds if instruction.negated else holds
        if mask is not None:
            return holds & mask
        return None if holds.all() else holds

    def execute(self, instruction, mask: np.ndarray | None) -> None:
        handler = HANDLERS.get(instruction.opcode)
        if handler is None:
            raise EmulatorError(f"{self.where(instruction)}: instruction not modelled")
        try:
            handler(self, instruction, mask)
        except EmulatorError as error:
            raise EmulatorError(f"{self.where(instruction)}: {error}") from None

    def at_barrier(self, counters: np.ndarray, end: int):
        return self.function.instructions[int(counters.max()) - end - 2]

    def where(self, instruction) -> str:
        return f"{instruction.where} ({instruction.text})"


def _special_registers(grid, block, blocks) -> dict[str, np.ndarray]:
    threads = int(np.prod(block))
    thread = np.tile(np.arange(threads), len(blocks))
    number = np.repeat(blocks, threads)
    values = {"%laneid": thread % 32}
    for name, of, extent in (("tid", thread, block), ("ctaid", number, grid)):
        x, y, _ = extent
        parts = (of % x, of // x % y, of // (x * y))
        for axis, part, count in zip("xyz", parts, extent, strict=True):
            values[f"%{name}.{axis}"] = part
            values[f"%n{name}.{axis}"] = np.full(len(of), count)
    return {name: value.astype(np.uint32) for name, value in values.items()}


def launch(function, memory, grid, block, parameters, dynamic) -> None:
    """Run every block of the grid, as many at a time as fit in LANES threads."""
    count, threads = int(np.prod(grid)), int(np.prod(block))
    step = max(1, LANES // threads)
    memory.begin_launch()
    with np.errstate(all="ignore"):
        for first in range(0, count, step):
            blocks = np.arange(first, min(count, first + step))
            Machine(function, memory, grid, block, parameters, dynamic, blocks).run()
