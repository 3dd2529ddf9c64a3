"""CuPy arrays in emulated memory, on a machine without a driver.

A `HostArray` is a ``cupy.ndarray``: shapes, strides, views and dtypes are CuPy's own, and kernels
launched on it run in the emulator. CuPy's kernels (arithmetic, reductions, copies) cannot run
here; NumPy computes them on the same memory, under CuPy's rules: what CuPy does not have is
refused, arguments are bound to the signatures of CuPy's own functions, arrays on the host do not
mix with those on the device, nothing turns into a NumPy array or number by itself, and results
without axes stay arrays. `HostCupyDevice` counts what a GPU's queue would have to be waited for
(`waits`) and what is copied to it (`uploads`).
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

import cupy
import numpy as np
from cupy.cuda.memory import MemoryPointer, UnownedMemory

from .device import EmulatedDevice
from .memory import EmulatorError

REDUCTIONS = ("add", "multiply")  # the ufuncs whose reduce CuPy has
VIEWS = ("reshape", "squeeze", "transpose")
CREATION = (np.asarray, np.array, np.arange)  # with like=: what brings host values to the device


class HostArray(np.lib.mixins.NDArrayOperatorsMixin, cupy.ndarray):
    """A ``cupy.ndarray`` in emulated memory, which NumPy computes with."""

    __hash__ = None

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        if getattr(cupy, ufunc.__name__, None) is None:
            return NotImplemented
        # CuPy refuses the other methods so, in these words; the library must not run into it.
        if method != "__call__" and not (method == "reduce" and ufunc.__name__ in REDUCTIONS):
            raise NotImplementedError(f"`cupy_{ufunc.__name__}.{method}` is not supported yet")
        device = _device(self)
        for value in inputs:
            if isinstance(value, (np.ndarray, list, tuple)):
                raise TypeError(f"Unsupported type {type(value)}")
        out = options.pop("out", None)
        if out is not None:
            options["out"] = tuple(device.host(value, write=True) for value in out)
        with np.errstate(all="ignore"):  # as on a device
            result = getattr(ufunc, method)(*map(device.host, inputs), **options)
        return device.wrap(result, inputs) if out is None else (out[0] if len(out) == 1 else out)

    def __array_function__(self, function, types, arguments, options):
        try:
            path = function.__module__.split(".")[1:]
            found = getattr(functools.reduce(getattr, path, cupy), function.__name__)
        except AttributeError:
            return NotImplemented
        inspect.signature(found).bind(*arguments, **options)
        device = _device(self)
        given = _flat((arguments, tuple(options.values())))
        if function in CREATION:
            device.uploads += function is not np.arange
        elif any(isinstance(value, np.ndarray) for value in given):
            raise TypeError(f"cupy.{function.__name__}: Unsupported type <class 'numpy.ndarray'>")
        with np.errstate(all="ignore"):
            result = function(
                *device.hosts(arguments), **{key: device.hosts(v) for key, v in options.items()}
            )
        return device.wrap(result, given, written=function is not np.empty_like)

    def __getitem__(self, key):
        device, keys = _device(self), key if isinstance(key, tuple) else (key,)
        if any(isinstance(item, (np.ndarray, list)) for item in keys):
            raise TypeError("an index in host memory would be copied to the device at every call")
        found = device.host(self, read=False)[tuple(map(device.host, keys))]
        return device.wrap(found, (self,))

    def __setitem__(self, key, value):
        device = _device(self)
        if isinstance(value, np.ndarray) and value.ndim:
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        keys = tuple(map(device.host, key if isinstance(key, tuple) else (key,)))
        device.host(self, read=False)[keys] = device.host(value)
        device.shadow(self)[keys] = _all_written(self)

    def _number(self, kind):
        device = _device(self)
        device.waits += 1
        return kind(device.host(self))

    def __bool__(self):
        return self._number(bool)

    def __int__(self):
        return self._number(int)

    def __float__(self):
        return self._number(float)

    def __index__(self):
        raise TypeError("only integer scalar arrays can be converted to an index")

    def item(self):
        return self._number(lambda array: array.item())

    def tolist(self):
        return self._number(lambda array: array.tolist())

    def __len__(self):
        return self.shape[0]

    def __iter__(self):
        return (self[index] for index in range(len(self)))

    def __repr__(self):
        return f"HostArray({self.shape}, {self.dtype})"

    def __deepcopy__(self, memo):
        return self.copy()


def _method(name: str):
    def method(self, *arguments, **options):
        device = _device(self)
        given = _flat((arguments, tuple(options.values())))
        if any(isinstance(value, np.ndarray) for value in given):
            raise TypeError(f"{name}: Unsupported type <class 'numpy.ndarray'>")
        with np.errstate(all="ignore"):
            array = device.host(self, read=name not in VIEWS)
            found = getattr(array, name)(*device.hosts(arguments), **options)
        return device.wrap(found, (self,))

    return method


for _name in (
    "all", "any", "argmax", "argmin", "astype", "copy", "max", "mean", "min", "prod", "ravel",
    "reshape", "round", "squeeze", "std", "sum", "take", "transpose", "var",
):  # fmt: skip
    setattr(HostArray, _name, _method(_name))


class HostCupyDevice(EmulatedDevice):
    """An emulated device whose arrays are ``cupy.ndarray``."""

    def __init__(self, arch: int, check: bool) -> None:
        super().__init__(arch, check)
        self.waits = self.uploads = 0

    def synchronize(self) -> None:
        self.waits += 1

    def empty(self, shape, dtype) -> HostArray:
        dtype = np.dtype(dtype)
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        allocation = self.memory.allocate(size)
        return self._array(allocation, 0, tuple(shape), dtype, None)

    def asarray(self, values) -> HostArray:
        values = np.asarray(values)
        array = self.empty(values.shape, values.dtype)
        self.host(array, write=True)[...] = values
        return array

    def asnumpy(self, array: Any) -> np.ndarray:
        return self.host(array).copy()

    def host(self, value: Any, read: bool = True, write: bool = False) -> Any:
        """The memory of a HostArray as a NumPy array; anything else as it is."""
        if not isinstance(value, HostArray):
            return value
        if write:
            self.shadow(value)[...] = _all_written(value)
        elif read and self.check and (self.shadow(value) != _all_written(value)).any():
            raise EmulatorError("elements of the array were never written")
        return _strided(value, _allocation(value).bytes, value.dtype)

    def hosts(self, values: Any) -> Any:
        """`host`, also inside lists and tuples."""
        if isinstance(values, (list, tuple)):
            return type(values)(self.hosts(value) for value in values)
        return self.host(values)

    def shadow(self, array: HostArray) -> np.ndarray:
        """For each element, a number whose bytes say whether those of the element were written."""
        return _strided(array, _allocation(array).written, np.dtype(f"u{array.itemsize}"))

    def wrap(self, result: Any, given: Any, written: bool = True) -> Any:
        """What NumPy made of the memory of `given`: views stay views, all else is copied."""
        if isinstance(result, (tuple, list)):
            return type(result)(self.wrap(part, given, written) for part in result)
        if isinstance(result, np.generic):
            result = np.asarray(result)
        if not isinstance(result, np.ndarray):
            return result
        start = result.__array_interface__["data"][0]
        for source in given:
            if isinstance(source, HostArray):
                allocation = _allocation(source)
                offset = start - allocation.bytes.ctypes.data
                if result.size and 0 <= offset < allocation.bytes.size:
                    return self._array(
                        allocation, offset, result.shape, result.dtype, result.strides
                    )
        array = self.empty(result.shape, result.dtype)
        self.host(array, read=False)[...] = result
        self.shadow(array)[...] = _all_written(array) if written else 0
        return array

    def _array(self, allocation, offset, shape, dtype, strides) -> HostArray:
        allocation.device = self
        owner = UnownedMemory(allocation.address, max(allocation.size, 1), allocation, 0)
        return HostArray(shape, dtype, MemoryPointer(owner, offset), strides)


def _allocation(array: HostArray) -> Any:
    return array.data.mem._owner


def _device(array: HostArray) -> HostCupyDevice:
    return _allocation(array).device


def _all_written(array: HostArray) -> int:
    return int.from_bytes(bytes([True]) * array.itemsize, "little")


def _strided(array: HostArray, memory: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The elements of `array`, as `dtype`, in memory that is laid out like its own."""
    start = array.data.ptr - _allocation(array).address
    return np.ndarray(array.shape, dtype, memory, start, array.strides)


def _flat(values: Any) -> list[Any]:
    if isinstance(values, (list, tuple)):
        return [part for value in values for part in _flat(value)]
    return [values]
