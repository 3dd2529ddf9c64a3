"""The emulated device: arrays, modules and kernels as the launch code uses them."""

from __future__ import annotations

import functools
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import numpy as np

from implicitpad._cuda_compile import compile_cuda

from . import nvrtc
from .machine import launch
from .memory import Allocation, EmulatorError, GlobalMemory
from .parser import Function, parse

SHARED_LIMIT = 48 * 1024  # bytes a kernel gets without asking for more
FLOATS = ("f16", "f32", "f64")


class Array:
    """An array in emulated memory. Like a CuPy array it does not turn into NumPy by itself."""

    def __init__(self, device: EmulatedDevice, allocation: Allocation, view: np.ndarray) -> None:
        self.device, self.allocation, self._view = device, allocation, view
        offset = view.ctypes.data - allocation.bytes.ctypes.data
        self.data = SimpleNamespace(ptr=allocation.address + offset)

    shape = property(lambda self: self._view.shape)
    strides = property(lambda self: self._view.strides)
    dtype = property(lambda self: self._view.dtype)
    ndim = property(lambda self: self._view.ndim)
    size = property(lambda self: self._view.size)
    nbytes = property(lambda self: self._view.nbytes)

    def transpose(self, *axes: int) -> Array:
        return Array(self.device, self.allocation, self._view.transpose(*axes))

    def __getitem__(self, index: Any) -> Array:
        return Array(self.device, self.allocation, self._view[index])

    def __array__(self, *arguments: Any, **keywords: Any) -> np.ndarray:
        raise TypeError("an array on a device is copied to NumPy with asnumpy")


class Kernel:
    """One entry of a module; called as ``kernel(grid, block, arguments, shared_mem=bytes)``."""

    def __init__(self, device: EmulatedDevice, name: str, function: Function) -> None:
        self.device, self.name, self.function = device, name, function
        self.launches = 0

    def __call__(self, grid, block, arguments, shared_mem: int = 0) -> None:
        function = self.function
        grid, block = ((*size, 1, 1)[:3] for size in (grid, block))
        if min(grid) < 1 or max(grid[1:]) > 65535 or grid[0] >= 1 << 31:
            raise EmulatorError(f"{self.name}: invalid grid {grid}")
        if min(block) < 1 or np.prod(block) > function.max_threads:
            raise EmulatorError(f"{self.name}: invalid block {block}")
        if shared_mem + function.shared_size > SHARED_LIMIT:
            raise EmulatorError(f"{self.name}: {shared_mem} bytes of shared memory")
        if len(arguments) != len(function.parameters):
            raise EmulatorError(
                f"{self.name} takes {len(function.parameters)} arguments, got {len(arguments)}"
            )
        parameters = np.zeros(-(-function.parameter_size // 16) * 16, np.uint8)
        for parameter, argument in zip(function.parameters, arguments, strict=True):
            self._pack(parameters, parameter, argument)
        try:
            launch(function, self.device.memory, grid, block, parameters, shared_mem)
        except EmulatorError as error:
            raise EmulatorError(f"{self.name}: {error}") from None
        self.launches += 1

    def _pack(self, parameters, parameter, argument) -> None:
        """Copy one argument by the rules of CuPy's launcher."""
        if hasattr(argument, "device") and hasattr(argument.data, "ptr"):
            value = np.array(argument.data.ptr, np.uint64)
        elif isinstance(argument, np.ndarray) and argument.size != 1:
            raise TypeError(f"{self.name}: a NumPy array cannot be an argument of a kernel")
        else:
            value = np.asarray(argument)
        if value.nbytes != parameter.size or (value.dtype.kind == "f") != (
            parameter.kind in FLOATS
        ):
            got = "a structure" if value.dtype.names else value.dtype
            raise EmulatorError(
                f"{self.name}: {parameter.name} is .{parameter.kind} of {parameter.size} bytes, "
                f"got {got} of {value.nbytes} bytes"
            )
        end = parameter.offset + parameter.size
        parameters[parameter.offset : end] = np.frombuffer(value.tobytes(), np.uint8)


@functools.cache
def _functions(code: str, options: tuple[str, ...], names: tuple[str, ...], arch: int):
    options = (*options, f"-arch=compute_{arch}", "--generate-line-info")
    program = compile_cuda(nvrtc, code, names, options, ptx=True)
    functions = parse(program.image.decode())
    return {name: functions[symbol] for name, symbol in program.symbols.items()}


class EmulatedDevice:
    """A device of compute capability ``arch`` / 10; ``check`` turns the check mode on."""

    def __init__(self, arch: int, check: bool) -> None:
        self.arch, self.check = arch, check
        self.smem_optin = SHARED_LIMIT
        self.memory = GlobalMemory(check)

    def empty(self, shape, dtype) -> Array:
        dtype = np.dtype(dtype)
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        allocation = self.memory.allocate(size)
        return Array(self, allocation, allocation.bytes[:size].view(dtype).reshape(shape))

    def asarray(self, values) -> Array:
        values = np.asarray(values)
        array = self.empty(values.shape, values.dtype)
        array._view[...] = values
        array.allocation.written[:] = True
        return array

    def far_apart(self, values: np.ndarray, stride: int) -> Array:
        """An array whose first axis steps over ``stride`` bytes, most of which do not exist.

        Tests 64-bit addresses without the memory. The array can be read by kernels only.
        """
        base = 1 << 45
        parts = []
        for index, part in enumerate(values):
            allocation = self.memory.allocate(part.nbytes, base + index * stride)
            allocation.bytes[: part.nbytes] = np.ascontiguousarray(part).view(np.uint8).reshape(-1)
            allocation.written[:] = True
            parts.append(allocation)
        first = parts[0].bytes[: values[0].nbytes].view(values.dtype).reshape(values[0].shape)
        view = np.lib.stride_tricks.as_strided(
            first, values.shape, (stride, *first.strides), writeable=False
        )
        array = Array(self, parts[0], view)
        array.parts = parts
        return array

    def asnumpy(self, array: Array) -> np.ndarray:
        if self.check and not array.allocation.written.all():
            raise EmulatorError("elements of the array were never written")
        return array._view.copy()

    def current(self):
        """Make this the current device: there is no other."""
        return nullcontext()

    def synchronize(self) -> None:
        """Every launch has finished when it returns."""

    def module(self, code: str, options, names) -> dict[str, Kernel]:
        functions = _functions(code, tuple(options), tuple(names), self.arch)
        return {name: Kernel(self, name, function) for name, function in functions.items()}
