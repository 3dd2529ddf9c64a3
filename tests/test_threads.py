"""Threads: how many are used, and that neither a fork nor another limit is ignored."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import implicitpad as ip
from implicitpad import _conv_cpu


@pytest.fixture(autouse=True)
def same_threads_afterwards():
    before = ip.get_num_threads()
    yield
    ip.set_num_threads(before)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_the_number_set_is_the_number_used(n):
    ip.set_num_threads(n)
    assert ip.get_num_threads() == (n if _conv_cpu.has_openmp else 1)


@pytest.mark.parametrize(
    ("n", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_anything_but_a_positive_int_is_refused(n, error):
    with pytest.raises(error, match=f"set_num_threads: n must be .* got {n}; pass"):
        ip.set_num_threads(n)


def test_a_limit_of_threadpoolctl_holds():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    if not _conv_cpu.has_openmp:
        pytest.skip("built without OpenMP")
    with threadpoolctl.threadpool_limits(1, user_api="openmp"):
        assert ip.get_num_threads() == 1


FORK = """
import os
import numpy as np
import implicitpad as ip
ip.set_num_threads(2)
rng = np.random.default_rng(0)
x, w = rng.standard_normal((1, 32, 40, 40)), rng.standard_normal((32, 32, 3, 3))
before = ip.conv2d(x, w)
child = os.fork()
if child == 0:
    os._exit(not (ip.get_num_threads() == 1 and np.array_equal(ip.conv2d(x, w), before)))
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_computes_the_same_alone():
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], check=True, timeout=60)


def test_many_python_threads_may_call_one_layer():
    from concurrent.futures import ThreadPoolExecutor

    rng = np.random.default_rng(0)
    layer = ip.Conv2d(rng.standard_normal((20, 16, 3, 3)), padding=1, fill_value=0.5)
    inputs = [rng.standard_normal((1, 16, 20 + i % 3, 20)) for i in range(12)]
    want = [layer(x) for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        for got, expected in zip(pool.map(layer, inputs), want, strict=True):
            np.testing.assert_array_equal(got, expected)
