"""What an installation must contain, wherever it was installed from."""

from __future__ import annotations

from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import entry_points, requires
from importlib.resources import files

import pytest

PACKAGE = files("implicitpad")


def test_numpy_is_the_only_dependency() -> None:
    always = [need for need in requires("implicitpad") or [] if "extra ==" not in need]
    assert [need.split(">")[0] for need in always] == ["numpy"]


def test_the_package_is_typed() -> None:
    assert PACKAGE.joinpath("py.typed").is_file()
    names = {path.name for path in PACKAGE.iterdir()}
    compiled = {name.split(".")[0] for name in names if name.endswith(tuple(EXTENSION_SUFFIXES))}
    assert compiled
    assert {f"{name}.pyi" for name in compiled} <= names


def test_the_spec_is_part_of_the_package() -> None:
    pytest.importorskip("sympy")
    from implicitpad.spec.index_map import source_index

    assert source_index(-1, 3, "circular") == 2


def test_the_command_is_installed() -> None:
    (script,) = entry_points(group="console_scripts", name="implicitpad")
    assert script.value == "implicitpad.cli:main"
