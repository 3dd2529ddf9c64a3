"""`implicitpad info`: what this installation can use, one sentence each."""

from __future__ import annotations

import platform

import click
import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

import implicitpad
from implicitpad import _conv_cpu
from implicitpad._threads import get_num_threads


def gpu() -> str:
    """Say whether CuPy is there and which devices it sees."""
    try:
        import cupy
    except ImportError:
        return (
            "CuPy is not installed; for an NVIDIA GPU: "
            "pip install 'implicitpad[cuda12]' or 'implicitpad[cuda13]'."
        )
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"CuPy {cupy.__version__} is installed but finds no GPU ({error})."
    names = [cupy.cuda.runtime.getDeviceProperties(i)["name"].decode() for i in range(count)]
    return f"CuPy {cupy.__version__} sees {', '.join(names) or 'no GPU'}."


def facts() -> dict[str, str]:
    """Name and sentence of everything that decides how a call runs."""
    threads = get_num_threads()
    chosen = _conv_cpu.get_instruction_set()
    return {
        "Version": f"implicitpad {implicitpad.__version__} with NumPy {np.__version__} "
        f"on Python {platform.python_version()}, {platform.system()} {platform.machine()}.",
        "Instruction sets": f"{chosen} is in use; this processor can run "
        f"{', '.join(_conv_cpu.instruction_sets())} (IMPLICITPAD_ISA chooses another).",
        "OpenMP": "Built with OpenMP."
        if _conv_cpu.has_openmp
        else "Built without OpenMP: every call runs on one thread.",
        "Threads": f"Calls use {threads} thread{'s' if threads > 1 else ''} "
        "(implicitpad.set_num_threads changes it).",
        "GPU": gpu(),
    }


@click.command()
def info() -> None:
    """Show versions, instruction sets, threads and GPU."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, sentence in facts().items():
        table.add_row(name, Text(sentence))
    Console().print(table)
