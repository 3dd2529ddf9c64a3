"""What the launch code needs of a GPU runtime, and CuPy as the one that provides it.

The launch code knows a device only through :class:`Device`; the tests bring a second one that
runs kernels without a GPU.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

from ._cuda_cache import cached
from ._cuda_compile import OPTIONS, compile_cuda
from ._cuda_source import source

NUM_REGS = 4  # CU_FUNC_ATTRIBUTE_NUM_REGS
Kernel = Any  # called as kernel(grid, block, arguments, shared_mem=bytes)


class Device(Protocol):
    """One GPU: memory, copies, and compiled modules."""

    arch: int  # ten times the compute capability

    def __hash__(self) -> int: ...

    def empty(self, shape: tuple[int, ...], dtype: np.dtype) -> Any: ...

    def asarray(self, values: np.ndarray) -> Any: ...

    def asnumpy(self, array: Any) -> np.ndarray: ...

    def current(self) -> AbstractContextManager[Any]: ...

    def synchronize(self) -> None: ...

    def module(
        self, code: str, options: Sequence[str], names: Sequence[str]
    ) -> Mapping[str, Kernel]: ...


@functools.cache
def kernel(device: Device, name: str, expression: str) -> Kernel:
    """The kernel ``expression`` of ``cuda/NAME.cu``, compiled once per device and process."""
    return device.module(source(name), OPTIONS, (expression,))[expression]


class CupyDevice:
    """A GPU through CuPy. Launches go to CuPy's current stream."""

    def __init__(self, index: int) -> None:
        import cupy

        self.cupy = cupy
        self.index = index
        self.arch = int(cupy.cuda.Device(index).compute_capability)

    def empty(self, shape: tuple[int, ...], dtype: np.dtype) -> Any:
        with self.current():
            return self.cupy.empty(shape, dtype)

    def asarray(self, values: np.ndarray) -> Any:
        with self.current():
            return self.cupy.asarray(values)

    def asnumpy(self, array: Any) -> np.ndarray:
        return self.cupy.asnumpy(array)

    def current(self) -> AbstractContextManager[Any]:
        """Make this the current device."""
        return self.cupy.cuda.Device(self.index)

    def synchronize(self) -> None:
        """Wait for the current stream."""
        with self.current():
            self.cupy.cuda.get_current_stream().synchronize()

    def module(
        self, code: str, options: Sequence[str], names: Sequence[str]
    ) -> Mapping[str, Kernel]:
        nvrtc = self.cupy.cuda.nvrtc
        options = (*options, f"-arch=sm_{self.arch}")
        program = cached(
            (code, *options, *names, nvrtc.getVersion()),
            lambda: compile_cuda(nvrtc, code, names, options),
        )
        with self.current():
            module = self.cupy.cuda.function.Module()
            module.load(program.image)
            functions = {name: module.get_function(program.symbols[name]) for name in names}
            for function in functions.values():  # asked for, a kernel is loaded: not in a capture
                self.cupy.cuda.driver.funcGetAttribute(NUM_REGS, function.ptr)
            return functions


@functools.cache
def cupy_device(index: int) -> CupyDevice:
    return CupyDevice(index)
