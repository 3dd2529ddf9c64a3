"""The CUDA sources as one text per module.

The files are joined here and not by ``#include``: CuPy's and our own caches are keyed by the text
that is compiled, so an edited header can never be answered with an old binary. ``#line`` marks
keep the compiler's messages pointing into the files.
"""

from __future__ import annotations

import functools
from pathlib import Path

HEADERS = ("ptx.cuh", "types.cuh", "index_map.cuh", "conv.cuh", "adjoint.cuh")


@functools.cache
def source_folder() -> Path:
    """Where the sources lie: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    for folder in (package / "_cuda", package.parent / "cuda"):
        if (folder / HEADERS[0]).is_file():
            return folder
    raise FileNotFoundError(
        f"implicitpad: the CUDA sources should be in {package / '_cuda'}; reinstall the package."
    )


@functools.cache
def source(name: str) -> str:
    """The text of module ``name``: every header, then ``name.cu``."""
    files = (*HEADERS, f"{name}.cu")
    folder = source_folder()
    return "".join(
        f'#line 1 "{file}"\n{(folder / file).read_text(encoding="utf-8")}\n' for file in files
    )
