"""What imports what, and what importing the library costs."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from fnmatch import fnmatch
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import implicitpad

PACKAGE = Path(implicitpad.__file__).parent
OPTIONAL = {
    "click",
    "cupy",
    "matplotlib",
    "ml_dtypes",
    "rich",
    "scipy",
    "skimage",
    "sympy",
    "torch",
}

# From the bottom up: compiled modules, checks, backends, dispatch, the array with a border, public
# functions and layers, adapters.
LEVELS = [
    ["*_cpu"],
    ["_threads", "_arguments", "_precision", "_activation"],
    ["_geometry*"],
    ["_numpy*", "_cupy*", "_cuda_*", "_reference"],
    ["_backend"],
    ["padded"],
    ["_*", "nn"],
    ["*"],
]
SOURCES = {path.stem: path.read_text("utf-8") for path in PACKAGE.glob("*.py")}


def level(module):
    names = (index for index, names in enumerate(LEVELS) for name in names if fnmatch(module, name))
    return next(names)


def imports(source):
    """Modules of the package that are imported when a module is, those for type checkers apart."""
    found = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            module = (node.module or "").split(".")[0]
            found |= {module} if module else {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("module", SOURCES)
def test_imports_point_down(module):
    for name in imports(SOURCES[module]):
        assert level(name) <= level(module), f"{module} imports {name}, which is above it"


def test_imports_have_no_circle():
    graph = {module: imports(source) & set(SOURCES) for module, source in SOURCES.items()}
    assert list(TopologicalSorter(graph).static_order())


def test_backends_do_not_know_each_other():
    for module, source in SOURCES.items():
        if level(module) == level("_numpy"):
            found = imports(source) | {module}
            assert not ("_numpy" in found and any(name.startswith("_cu") for name in found))


@pytest.mark.parametrize("source", ["from . import _conv", "from ._conv import conv2d"])
def test_imports_upward_would_be_seen(source):
    assert imports(source) == {"_conv"}
    assert level("_conv_cpu") < level("_geometry") < level("_numpy") < level("_conv") < level("cli")


def run(code):
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout


def test_import_loads_numpy_only():
    loaded = run("import implicitpad, sys; print(*{name.split('.')[0] for name in sys.modules})")
    assert "numpy" in loaded.split()
    assert not (OPTIONAL | {"scipy"}) & set(loaded.split())
    own = run(
        "import implicitpad, sys; print(*[name for name in sys.modules if 'implicitpad' in name])"
    )
    assert not {"implicitpad.spec", "implicitpad.cli", "implicitpad.torch"} & set(own.split())


def test_import_is_quick(tmp_path, monkeypatch):
    """Less than 60 ms over NumPy's own import, of processor time, as machines are busy.

    Of modules that have been compiled to bytecode, as they are from the second import on: some
    environments forbid to write it.
    """
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path))
    code = (
        "import time, numpy; start = time.process_time(); import implicitpad;"
        "print(time.process_time() - start)"
    )
    assert statistics.median(float(run(code)) for _ in range(7)) < 0.060
