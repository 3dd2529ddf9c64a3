"""What imports what, and what importing the library costs."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
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

# Each module may import those of lower levels: public API, then checks and dispatch, then backends,
# then compiled modules. Modules that are not listed are adapters; nothing below may import them.
LEVELS = {
    "_conv_cpu": 0,
    "_threads": 1,
    "_arguments": 1,
    "_geometry": 2,
    "_reference": 3,
    "_numpy": 3,
    "_cupy": 3,
    "_backend": 4,
    "_conv": 5,
    "_layers": 5,
    "_shapes": 5,
}
SOURCES = {path.stem: path for path in PACKAGE.glob("*.py")}


def imports(tree):
    """Names of the modules that are imported when a module is, those for type checkers apart."""
    found = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            found |= {module} if node.module else {f".{alias.name}" for alias in node.names}
    return found


def of_the_package(names):
    return {name.lstrip(".").split(".")[0] for name in names if name.startswith(".")}


@pytest.mark.parametrize("module", [name for name in LEVELS if name in SOURCES])
def test_imports_point_down(module):
    names = imports(ast.parse(SOURCES[module].read_text(encoding="utf-8")))
    for name in of_the_package(names):
        assert name in LEVELS, f"{module} imports {name}, which nothing of the core may import"
        assert LEVELS[name] < LEVELS[module], f"{module} imports {name}, which is not below it"


@pytest.mark.parametrize("module", SOURCES)
def test_no_module_needs_what_is_optional_to_be_imported(module):
    if module.startswith("_") and module not in LEVELS:
        pytest.skip("belongs to an adapter")
    roots = {name.split(".")[0] for name in imports(ast.parse(SOURCES[module].read_text("utf-8")))}
    assert not roots & OPTIONAL


@pytest.mark.parametrize("source", ["from . import _conv", "from ._conv import conv2d"])
def test_imports_upward_would_be_seen(source):
    assert of_the_package(imports(ast.parse(source))) == {"_conv"}


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


def test_import_is_quick():
    """Less than 60 ms over NumPy's own import; the median of several processes."""
    code = (
        "import time, numpy; start = time.perf_counter(); import implicitpad;"
        "print(time.perf_counter() - start)"
    )
    assert statistics.median(float(run(code)) for _ in range(7)) < 0.060
