"""Run CUDA kernels without a GPU: NVRTC's own PTX, executed on NumPy.

Every PTX register is an array with one element per CUDA thread, over the threads of many blocks
at once; threads that branch apart wait for those behind them. What runs is the compiler's output
for the very text that a device would get, so index arithmetic, tails, launch shapes and argument
packing are tested as they are.

In check mode the emulator also reports what a device would leave to chance: races in shared
memory (whatever order the threads happen to run in), reads of memory nobody wrote, two threads
writing one element of an output, and outputs left unwritten. Always reported: accesses outside
every array, misaligned accesses, barriers that not every thread of a block reaches, and arguments
whose number, size or kind differ from the kernel's.

Not modelled: warp collectives, atomics, tensor cores, asynchronous copies, denormal flushing, and
time. A multiply-add is rounded twice here, once on a device.

parser        PTX text -> functions, instructions, operands
memory        global allocations and per-block shared memory, with the shadow of check mode
machine       registers, program counters, divergence, barriers
instructions  what each instruction computes
device        arrays, modules and kernels with the interface that the launch code uses
nvrtc         the compiler, through ctypes
"""

from .device import Array, EmulatedDevice
from .memory import EmulatorError

__all__ = ["Array", "EmulatedDevice", "EmulatorError"]
