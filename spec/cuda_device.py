"""Where CUDA kernels can run: a device that CuPy finds, or the tests' emulator of their PTX."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from .problems import Problem

EMULATOR = Path(__file__).resolve().parents[1] / "tests" / "gpu"


@cache
def device() -> tuple[Any, str]:
    """A device and its name; or None, and a sentence that says why there is none."""
    try:
        cupy = import_module("cupy")
        if cupy.cuda.is_available():
            found = import_module("implicitpad._cuda_device").cupy_device(0)
            name = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
            return found, f"CUDA ({name})"
        why = "CuPy finds no CUDA device here"
    except ImportError:
        why = "CuPy is not installed"
    if not (EMULATOR / "ptx_emulator").is_dir():
        return None, f"{why}, and the emulator of CUDA's PTX comes with the sources only."
    sys.path.append(str(EMULATOR))
    try:
        emulator, compiler = import_module("ptx_emulator"), import_module("ptx_emulator.nvrtc")
        compiler.library()
    except ImportError as error:
        return None, f"{why}, and the emulator of CUDA's PTX cannot run: {error}."
    finally:
        sys.path.remove(str(EMULATOR))
    return emulator.EmulatedDevice(80, False), "CUDA (PTX emulator)"


def conv(found: Any, dtype: str) -> Callable[[Problem], Any]:
    """Convolutions on a device, through the library's own launch code."""
    launch = import_module("implicitpad._cuda_conv")
    geometry_of = import_module("implicitpad._geometry").conv_geometry

    def run(problem: Problem) -> Any:
        x, w, bias = (a.astype(dtype) for a in (problem.x, problem.w, problem.bias))
        geometry = geometry_of(
            f"conv{problem.rank}d",
            problem.rank,
            x,
            w,
            bias,
            stride=problem.stride,
            padding=problem.padding,
            dilation=problem.dilation,
            groups=problem.groups,
            fill_value=problem.fill.astype(dtype) if problem.mode == "constant" else None,
            padding_mode=problem.mode,
            precision=None,
            out=None,
        )
        packed = launch.pack(found, found.asarray(w), found.asarray(bias), geometry.compute)
        y = launch.conv(found, geometry, found.asarray(x), packed)
        return np.asarray(found.asnumpy(y)).astype(np.int64)

    return run


def source_index(found: Any) -> Callable[[int, int, str], int]:
    """The index map as the kernels' own table holds it."""
    tables = import_module("implicitpad._cuda_table")
    axis = import_module("implicitpad._geometry").Axis

    @cache
    def table(n: int, mode: str) -> Any:
        whole = axis(n, 1, 1, 1, 4 * n, 4 * n, mode)
        return found.asnumpy(tables.index_table(found, (whole,)))[2:]

    return lambda i, n, mode: int(table(n, mode)[i + 4 * n])
