"""Compiled modules kept on disk between processes.

One file per module, named by the SHA-256 of everything that decides its content: source, options,
architecture, name expressions, compiler version. A file holds the SHA-256 of the rest, so one
that was cut short or altered is compiled anew; writes go to a temporary name first, so readers
see a whole file or none. Failing to read or write the cache is never an error.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ._cuda_compile import Program

DIGEST = hashlib.sha256().digest_size


def cache_folder() -> Path:
    """``$IMPLICITPAD_CACHE_DIR``, or ``implicitpad`` in the user's cache folder."""
    chosen = os.environ.get("IMPLICITPAD_CACHE_DIR")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "implicitpad"


def cached(key: tuple[Any, ...], build: Callable[[], Program]) -> Program:
    """The program of ``key``, from the disk if it is there, else from ``build()``."""
    path = cache_folder() / f"{hashlib.sha256(repr(key).encode()).hexdigest()}.cubin"
    program = read(path)
    if program is None:
        program = build()
        write(path, program)
    return program


def read(path: Path) -> Program | None:
    """The program in a file; None if there is none, or not a whole one."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, payload = content[:DIGEST], content[DIGEST:]
    if hashlib.sha256(payload).digest() != digest:
        return None
    symbols, _, image = payload.partition(b"\n")
    return Program(image, json.loads(symbols))


def write(path: Path, program: Program) -> None:
    payload = json.dumps(program.symbols).encode() + b"\n" + program.image
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(payload).digest() + payload)
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)
            raise
