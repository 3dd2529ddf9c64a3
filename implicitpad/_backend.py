"""Which backend computes a call: decided by the kinds of its arrays, loaded when first needed."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from . import _numpy
from ._arguments import is_cupy


def backend_of(function: str, *, fill_value: Any = None, **arrays: Any) -> ModuleType:
    """The backend module for arrays of one kind; TypeError where kinds are foreign or mixed.

    A fill value is one of the arrays if it is a CuPy array, and of no matter otherwise.
    """
    if fill_value is not None and is_cupy(fill_value):
        arrays["fill_value"] = fill_value
    for array in arrays.values():
        if type(array) is not np.ndarray and array is not None:
            break
    else:
        return _numpy
    kinds = {
        name: _kind(function, name, array) for name, array in arrays.items() if array is not None
    }
    if "cupy" not in kinds.values():
        return _numpy
    for name, kind in kinds.items():
        if kind != "cupy":
            raise TypeError(
                f"{function}: all arrays must live on one device, but {name} is a NumPy array or "
                f"array-like while others are CuPy arrays, got {type(arrays[name]).__name__}; "
                f"convert with cupy.asarray({name})."
            )
    first, *others = kinds
    for name in others:
        if arrays[name].device != arrays[first].device:
            raise ValueError(
                f"{function}: all arrays must live on one device, but {first} is on "
                f"{arrays[first].device} and {name} on {arrays[name].device}; "
                f"copy one of them to the device of the other."
            )
    return import_module("implicitpad._cupy")


def operation_of(name: str, function: str, **arrays: Any) -> Any:
    """The backend's function `name`, for operators that not every backend has."""
    found = getattr(backend_of(function, **arrays), name, None)
    if found is None:
        raise TypeError(
            f"{function}: CuPy arrays are not accepted by this operator; "
            "convert with cupy.asnumpy(array)."
        )
    return found


def as_array(function: str, name: str, value: Any) -> Any:
    """`value` unless it is an array-like, which NumPy converts. Call after `backend_of`."""
    if type(value) is np.ndarray or is_cupy(value):
        return value
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        array = None
    if array is None or (array.dtype.kind in "OSU" and not isinstance(value, np.ndarray)):
        raise TypeError(
            f"{function}: {name} must be an array or nested lists of numbers of one length, got "
            f"{type(value).__name__}; pass a numpy.ndarray."
        )
    return array


def _kind(function: str, name: str, array: Any) -> str:
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(
            f"{function}: {name} is a MaskedArray, whose mask would be lost; "
            f"pass {name}.filled(value)."
        )
    if type(array).__module__.partition(".")[0] == "torch":
        raise TypeError(
            f"{function}: {name} is a torch {type(array).__name__}; "
            f"pass {name}.numpy(), which shares its memory."
        )
    if type(array).__module__.startswith("implicitpad.padded"):
        raise TypeError(
            f"{function}: {name} is a PaddedArray, for which there is no rule here; "
            f"pass {name}.materialize() if an explicit copy is meant."
        )
    if name == "out" and not isinstance(array, np.ndarray) and not is_cupy(array):
        raise TypeError(
            f"{function}: out must be an array, got {type(array).__name__}; pass a numpy.ndarray."
        )
    return "cupy" if is_cupy(array) else "numpy"
