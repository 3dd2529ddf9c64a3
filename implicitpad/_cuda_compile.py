"""Compile CUDA C++ at run time with NVRTC.

NVRTC is used directly and not through ``cupy.RawModule``: RawModule always adds ``-ftz=true``,
which would flush float32 subnormals that the CPU keeps. ``nvrtc`` below is any object with the
functions of ``cupy.cuda.nvrtc``; the tests bring one that needs no CuPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

OPTIONS = ("--std=c++17", "--device-as-default-execution-space")


@dataclass(frozen=True)
class Program:
    """One compiled module: its image, and the symbol of every requested name expression."""

    image: bytes
    symbols: dict[str, str]
    log: str = ""


class CompileError(RuntimeError):
    """NVRTC refused a source; the message is its log."""


def compile_cuda(
    nvrtc: Any, text: str, names: Sequence[str], options: Sequence[str], *, ptx: bool = False
) -> Program:
    """Compile ``text`` and instantiate every name expression in ``names``.

    Parameters
    ----------
    nvrtc
        ``cupy.cuda.nvrtc`` or its like.
    text
        CUDA C++ of one translation unit.
    names
        Name expressions, for instance ``"conv_direct<float32, float32, float32, float32>"``.
    options
        Compiler options; ``-arch=sm_XX`` for a cubin, ``-arch=compute_XX`` for PTX.
    ptx
        Return PTX instead of a cubin.

    Raises
    ------
    CompileError
        The source does not compile, or a name expression names no kernel.
    """
    program = nvrtc.createProgram(text, "implicitpad.cu", (), ())
    try:
        try:
            for name in names:
                nvrtc.addNameExpression(program, name)
            nvrtc.compileProgram(program, tuple(options))
        except Exception as error:
            log = nvrtc.getProgramLog(program)
            raise CompileError(f"NVRTC, {' '.join(options)}: {log or error}") from error
        image = nvrtc.getPTX(program) if ptx else nvrtc.getCUBIN(program)
        symbols = {name: nvrtc.getLoweredName(program, name) for name in names}
        return Program(bytes(image), symbols, nvrtc.getProgramLog(program))
    finally:
        nvrtc.destroyProgram(program)
