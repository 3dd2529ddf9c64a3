"""The precision that a call or a layer was not given comes from the block around it."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import implicitpad as ip

WEIGHT = np.ones((64, 32, 3, 3), np.float32)


def made() -> str:
    return ip.Conv2d(WEIGHT)._options["precision"]


def test_blocks_nest_and_end():
    assert made() == "default"
    with ip.precision("fast"):
        assert made() == "fast"
        with ip.precision("default"):
            assert made() == "default"
        assert made() == "fast"
    assert made() == "default"
    with pytest.raises(RuntimeError), ip.precision("fast"):
        raise RuntimeError
    assert made() == "default"


def test_what_is_given_wins():
    with ip.precision("fast"):
        assert ip.Conv2d(WEIGHT, precision="default")._options["precision"] == "default"


def test_a_call_in_a_block_is_the_call_with_the_argument():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 32, 60, 60), dtype=np.float32)
    w = rng.standard_normal((64, 32, 3, 3), dtype=np.float32)
    usual, fast = ip.conv2d(x, w, padding=1), ip.conv2d(x, w, padding=1, precision="fast")
    assert (usual != fast).any()
    with ip.precision("fast"):
        np.testing.assert_array_equal(ip.conv2d(x, w, padding=1), fast)
        np.testing.assert_array_equal(ip.conv2d(x, w, padding=1, precision="default"), usual)


def test_other_threads_are_not_affected():
    seen = []
    with ip.precision("fast"):
        thread = threading.Thread(target=lambda: seen.append(made()))
        thread.start()
        thread.join()
    assert seen == ["default"]


@pytest.mark.parametrize(("kind", "error"), [("exact", ValueError), (4, TypeError)])
def test_bad_kinds(kind, error):
    with pytest.raises(error, match="precision: precision must be"), ip.precision(kind):
        pass
