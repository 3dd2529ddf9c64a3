"""NVRTC through ctypes: the functions of ``cupy.cuda.nvrtc`` without CuPy.

The library comes from the wheel ``nvidia-cuda-nvrtc`` (extra ``cuda-test``), or from wherever the
loader finds it; no driver, no headers and no toolkit are needed.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
from collections.abc import Sequence
from pathlib import Path


def _candidates() -> list[str]:
    spec = importlib.util.find_spec("nvidia")
    found = []
    for root in spec.submodule_search_locations or () if spec else ():
        for pattern in ("cu1*/lib/libnvrtc.so.1*", "cuda_nvrtc/lib/libnvrtc.so.1*"):
            found += [str(path) for path in sorted(Path(root).glob(pattern))]
    return [*found, "libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12"]


@functools.cache
def library() -> ctypes.CDLL:
    """The shared library; ImportError, in one sentence, where there is none."""
    for name in _candidates():
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise ImportError(
        "NVRTC was not found; install it with: pip install 'cuda-toolkit[nvrtc]==13.*'"
    )


class NVRTCError(RuntimeError):
    pass


def _call(name: str, *arguments) -> None:
    lib = library()
    status = getattr(lib, name)(*arguments)
    if status:
        lib.nvrtcGetErrorString.restype = ctypes.c_char_p
        raise NVRTCError(f"{name}: {lib.nvrtcGetErrorString(status).decode()}")


def getVersion() -> tuple[int, int]:
    major, minor = ctypes.c_int(), ctypes.c_int()
    _call("nvrtcVersion", ctypes.byref(major), ctypes.byref(minor))
    return major.value, minor.value


def createProgram(text: str, name: str, headers: Sequence[str], includes: Sequence[str]):
    program = ctypes.c_void_p()
    _call("nvrtcCreateProgram", ctypes.byref(program), text.encode(), name.encode(), 0, None, None)
    return program


def destroyProgram(program) -> None:
    _call("nvrtcDestroyProgram", ctypes.byref(program))


def addNameExpression(program, name: str) -> None:
    _call("nvrtcAddNameExpression", program, name.encode())


def compileProgram(program, options: Sequence[str]) -> None:
    array = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
    _call("nvrtcCompileProgram", program, len(options), array)


def _text(program, what: str) -> bytes:
    size = ctypes.c_size_t()
    _call(f"nvrtcGet{what}Size", program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    _call(f"nvrtcGet{what}", program, buffer)
    return buffer.raw


def getProgramLog(program) -> str:
    return _text(program, "ProgramLog").rstrip(b"\0").decode()


def getPTX(program) -> bytes:
    return _text(program, "PTX").rstrip(b"\0")


def getCUBIN(program) -> bytes:
    return _text(program, "CUBIN")


def getLoweredName(program, name: str) -> str:
    lowered = ctypes.c_char_p()
    _call("nvrtcGetLoweredName", program, name.encode(), ctypes.byref(lowered))
    return (lowered.value or b"").decode()
