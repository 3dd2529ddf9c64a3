"""The promise: memory beyond input and output does not grow with the padding."""

from __future__ import annotations

import subprocess
import sys

import pytest

LIMIT = 8_000_000  # bytes; an explicit copy of this image takes 1 073 741 824

# The largest resident size that the process has had, before and after one call. Every page of input
# and output is touched before; a small call has started everything there is to start.
MEASURE = """
import resource, sys
from pathlib import Path
import numpy as np
import implicitpad as ip

def peak():
    # Not getrusage on Linux: there a process starts with the peak of the one that started it.
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(status.read_text().partition("VmHWM:")[2].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

n, p = int(sys.argv[1]), int(sys.argv[2])
x = np.ones((1, n, n), np.float32)
w = np.full((1, 1, 3, 3), 1 / 9, np.float32)
out = np.ones((1, n + 2 * p - 2, n + 2 * p - 2), np.float32)
ip.conv2d(np.ones((1, 40, 40), np.float32), w)
for pool in ip.avg_pool2d_backward, ip.max_pool2d_backward:
    pool(np.ones((1, 40, 40), np.float32), np.ones((1, 40, 40), np.float32), 3, 1, 1)
before = peak()
{call}
print(peak() - before, out.mean())
"""
IMPLICIT = "ip.conv2d(x, w, padding=p, fill_value=7.0, out=out)"
EXPLICIT = "ip.conv2d(np.pad(x, [(0, 0), (p, p), (p, p)], constant_values=7), w, out=out)"


def extra_bytes(call, size, padding):
    """(bytes beyond input and output, mean of the result) in a process of its own."""
    pytest.importorskip("resource", reason="measured with getrusage, which Windows lacks")
    command = [sys.executable, "-c", MEASURE.format(call=call), str(size), str(padding)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    extra, mean = done.stdout.split()
    return int(extra), float(mean)


def test_wide_padding_of_a_large_image_takes_no_memory():
    extra, mean = extra_bytes(IMPLICIT, 8192, 4096)
    assert extra < LIMIT
    assert mean == pytest.approx(7 - 6 / 4, rel=1e-2)


def test_measurement_sees_an_explicit_copy():
    extra, _ = extra_bytes(EXPLICIT, 1024, 512)
    assert extra > 2048 * 2048 * 4 * 0.9


REPEATED = """
import resource
import numpy as np
import implicitpad as ip

layer = ip.Conv2d(np.ones((64, 64, 3, 3), np.float32), padding=1, precision="fast")
x, out = np.ones((64, 56, 56), np.float32), np.ones((64, 56, 56), np.float32)
layer(x, out=out), layer(x, out=out)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    layer(x, out=out)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, out.mean())
"""


def test_a_layer_called_again_finds_its_workspace():
    """Else the system clears 1.9 MB, 469 pages, at each call, which takes as long as the layer."""
    pytest.importorskip("resource", reason="measured with getrusage, which Windows lacks")
    done = subprocess.run(
        [sys.executable, "-c", REPEATED], check=True, capture_output=True, text=True
    )
    faults, mean = done.stdout.split()
    assert int(faults) < 50 * 50
    assert float(mean) > 500


@pytest.mark.parametrize("kind", ["avg", "max"])
def test_pool_gradients_keep_nothing_of_the_padded_size(kind):
    call = f"out = ip.{kind}_pool2d_backward(out, x, 3, 1, p, fill_value=0.5).input"
    extra, _ = extra_bytes(call, 4096, 512)
    assert extra < 4096 * 4096 * 4 + LIMIT  # the result; the padded input has 104 857 600 bytes
