"""Real CuPy arrays in emulated memory, on a machine without a driver.

Shapes, strides, views and dtypes are CuPy's own; kernels, allocation and copies are the
emulator's. CuPy's own kernels (arithmetic, astype, fill) and streams do not work here.
"""

from __future__ import annotations

from typing import Any

import cupy
import numpy as np
from cupy.cuda.memory import MemoryPointer, UnownedMemory

from .device import EmulatedDevice
from .memory import EmulatorError


class HostCupyDevice(EmulatedDevice):
    """An emulated device whose arrays are ``cupy.ndarray``."""

    def empty(self, shape, dtype) -> Any:
        dtype = np.dtype(dtype)
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        allocation = self.memory.allocate(size)
        owner = UnownedMemory(allocation.address, max(size, 1), allocation, 0)
        return cupy.ndarray(tuple(shape), dtype, memptr=MemoryPointer(owner, 0))

    def asarray(self, values) -> Any:
        values = np.ascontiguousarray(values)
        array = self.empty(values.shape, values.dtype)
        allocation = self._allocation(array)
        allocation.bytes[: values.nbytes] = values.view(np.uint8).reshape(-1)
        allocation.written[:] = True
        return array

    def asnumpy(self, array: Any) -> np.ndarray:
        allocation = self._allocation(array)
        if self.check and not allocation.written.all():
            raise EmulatorError("elements of the array were never written")
        start = array.data.ptr - allocation.address
        first = allocation.bytes[start:]
        return np.ndarray(array.shape, array.dtype, first, strides=array.strides).copy()

    def _allocation(self, array: Any):
        return array.data.mem._owner
