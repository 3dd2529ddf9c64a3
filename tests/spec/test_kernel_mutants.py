"""Break the kernels' index arithmetic, compile it, and compare with the spec: it is noticed."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from implicitpad.spec.index_map import MODES, source_index

SOURCE = Path(__file__).parents[2] / "pyx" / "index_map.pxd"
MUTANTS = [
    ("if 0 <= i < n:", "if 0 <= i <= n:"),
    ("if 0 <= i < n:", "if 0 < i < n:"),
    ("r + period if r < 0 else r", "r"),
    ("0 if i < 0 else n - 1", "0 if i < 0 else n"),
    ("0 if i < 0 else n - 1", "0 if i <= 0 else n - 2"),
    ("return floor_mod(i, n)", "return floor_mod(i, n + 1)"),
    ("floor_mod(i, 2 * n)\n", "floor_mod(i, 2 * n + 2)\n"),
    ("r if r < n else 2 * n - 1 - r", "r if r <= n else 2 * n - 1 - r"),
    ("r if r < n else 2 * n - 1 - r", "r if r < n else 2 * n - 2 - r"),
    ("if n == 1:", "if n <= 2:"),
    ("floor_mod(i, 2 * n - 2)", "floor_mod(i, 2 * n)"),
    ("r if r < n else 2 * n - 2 - r", "r if r < n else 2 * n - 1 - r"),
    ("    if mode == CONSTANT or n <= 0:\n        return FILL\n", ""),
]
SETTINGS = [(i, n, mode) for mode in MODES for n in range(1, 7) for i in range(-3 * n, 3 * n + 1)]


def variant(source: str, number: int, mutant: tuple[str, str] | None) -> str:
    """The functions of the index map under other names, with one change."""
    if mutant is not None:
        assert source.count(mutant[0]) == 1, mutant[0]
        source = source.replace(*mutant)
    functions = source[source.index("cdef inline") :]
    names = "|".join(re.findall(r"^cdef inline [^(]*?(\w+)\(", functions, re.MULTILINE))
    return re.sub(rf"\b({names})\b", rf"\1_{number}", functions)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """index(number, i, n, mode): the index map as it stands (0), and each mutant."""
    if not SOURCE.exists():
        pytest.skip("the sources of the kernels are not installed")
    source, folder = SOURCE.read_text(), tmp_path_factory.mktemp("mutants")
    enums = source[source.index("cdef enum Mode") : source.index("cdef inline")]
    bodies = [variant(source, at, mutant) for at, mutant in enumerate([None, *MUTANTS])]
    branches = [
        f"    if number == {at}:\n        return source_index_{at}(i, n, mode)\n"
        for at in range(len(bodies))
    ]
    header = "# cython: language_level=3, cdivision=True\n"
    entry = "def index(int number, Py_ssize_t i, Py_ssize_t n, Mode mode):\n" + "".join(branches)
    (folder / "index_mutants.pyx").write_text("\n".join([header, enums, *bodies, entry]))
    subprocess.run([sys.executable, "-m", "cython", "index_mutants.pyx"], cwd=folder, check=True)
    library = folder / f"index_mutants{sysconfig.get_config_var('EXT_SUFFIX')}"
    include = sysconfig.get_path("include")
    command = ["cc", "-O0", "-shared", "-fPIC", f"-I{include}", "index_mutants.c", "-o", library]
    subprocess.run(command, cwd=folder, check=True)
    found = spec_from_file_location("index_mutants", library)
    module = module_from_spec(found)
    found.loader.exec_module(module)
    names = re.findall(r"^    ([A-Z]+)$", enums, re.MULTILINE)
    return lambda number, i, n, mode: module.index(number, i, n, names.index(mode.upper()))


def test_the_index_map_of_the_kernels_is_that_of_the_spec(compiled):
    assert all(compiled(0, *setting) == source_index(*setting) for setting in SETTINGS)


@pytest.mark.parametrize("number", range(1, len(MUTANTS) + 1))
def test_a_mutant_is_noticed(compiled, number):
    assert any(compiled(number, *setting) != source_index(*setting) for setting in SETTINGS)
