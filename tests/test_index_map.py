"""The index map: the compiled one, the specified one and numpy.pad are one function."""

from __future__ import annotations

import numpy as np
import pytest

from implicitpad import _conv_cpu

MODES = {
    "constant": {"mode": "constant", "constant_values": -1},
    "replicate": {"mode": "edge"},
    "reflect": {"mode": "reflect"},
    "symmetric": {"mode": "symmetric"},
    "circular": {"mode": "wrap"},
}
every_map = pytest.mark.parametrize(("mode", "n"), [(m, n) for m in MODES for n in range(1, 7)])


def numpy_map(n, mode):
    """What i = -3n ... 3n reads: numpy.pad of the indices themselves."""
    padded = np.pad(np.arange(n), (3 * n, 3 * n), **MODES[mode])
    return [int(padded[i + 3 * n]) for i in range(-3 * n, 3 * n + 1)]


@every_map
def test_compiled_map_is_that_of_numpy_pad(n, mode):
    got = [_conv_cpu.source_index(i, n, mode) for i in range(-3 * n, 3 * n + 1)]
    assert got == numpy_map(n, mode)


@every_map
def test_specified_map_is_that_of_numpy_pad(n, mode):
    spec = pytest.importorskip("implicitpad.spec.index_map", reason="needs SymPy")
    got = [spec.source_index(i, n, mode) for i in range(-3 * n, 3 * n + 1)]
    assert got == numpy_map(n, mode)


@every_map
def test_table_lists_the_map(n, mode):
    for before in (-n, -1, 0, 1, 3 * n):
        table = _conv_cpu.index_table(n, before, 4 * n, mode)
        want = [_conv_cpu.source_index(v - before, n, mode) for v in range(4 * n)]
        assert list(table) == want


@pytest.mark.parametrize("mode", MODES)
def test_map_holds_at_the_ends_of_the_index_range(mode):
    n = 2**31 - 1
    assert _conv_cpu.source_index(n - 1, n, mode) == n - 1
    after = {
        "constant": -1,
        "replicate": n - 1,
        "reflect": n - 2,
        "symmetric": n - 1,
        "circular": 0,
    }
    assert _conv_cpu.source_index(n, n, mode) == after[mode]
    before = {"constant": -1, "replicate": 0, "reflect": 1, "symmetric": 0, "circular": n - 1}
    assert _conv_cpu.source_index(-1, n, mode) == before[mode]
