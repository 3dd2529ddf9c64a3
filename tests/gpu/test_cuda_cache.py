"""The disk cache of compiled modules."""

from __future__ import annotations

import pytest

from implicitpad import _cuda_cache
from implicitpad._cuda_compile import Program

PROGRAM = Program(b"\x7fELF\n\0 image", {"k<int>": "_Z1k"})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("IMPLICITPAD_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def never():
    raise AssertionError("compiled again")


def test_a_program_is_compiled_once(folder):
    assert _cuda_cache.cached(("text", "-arch=sm_80"), lambda: PROGRAM) == PROGRAM
    found = _cuda_cache.cached(("text", "-arch=sm_80"), never)
    assert (found.image, found.symbols) == (PROGRAM.image, PROGRAM.symbols)
    assert len(list(folder.iterdir())) == 1  # no temporary file is left


@pytest.mark.parametrize("key", [("other", "-arch=sm_80"), ("text", "-arch=sm_90"), ("text",)])
def test_every_part_of_the_key_counts(folder, key):
    _cuda_cache.cached(("text", "-arch=sm_80"), lambda: PROGRAM)
    other = Program(b"other", {})
    assert _cuda_cache.cached(key, lambda: other) == other


@pytest.mark.parametrize("damage", [b"", b"x", None])
def test_a_damaged_file_is_compiled_anew(folder, damage):
    _cuda_cache.cached(("text",), lambda: PROGRAM)
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-3] if damage is None else damage)
    other = Program(b"other", {})
    assert _cuda_cache.cached(("text",), lambda: other) == other
    assert _cuda_cache.cached(("text",), never) == other


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("IMPLICITPAD_CACHE_DIR", str(blocked))
    assert _cuda_cache.cached(("text",), lambda: PROGRAM) == PROGRAM


def test_the_cache_lies_in_the_users_cache_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("IMPLICITPAD_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert _cuda_cache.cache_folder() == tmp_path / "implicitpad"
