"""Fixtures and hypothesis profiles shared by all tests.

`pytest tests` runs a few dozen random problems for each law; `pytest tests
--hypothesis-profile=thorough` runs a thousand.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

import implicitpad as ip
from implicitpad import _conv_cpu

settings.register_profile("quick", max_examples=40, deadline=None, derandomize=True)
settings.register_profile(
    "thorough",
    max_examples=1000,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("quick")


@pytest.fixture(scope="session", params=_conv_cpu.instruction_sets())
def instruction_set(request):
    """Run with each instruction set that this machine has."""
    before = _conv_cpu.get_instruction_set()
    _conv_cpu.set_instruction_set(request.param)
    yield request.param
    _conv_cpu.set_instruction_set(before)


@pytest.fixture(scope="session", params=[1, 2], ids=["1 thread", "2 threads"])
def threads(request):
    """Run with one thread and with two."""
    before = ip.get_num_threads()
    ip.set_num_threads(request.param)
    yield request.param
    ip.set_num_threads(before)
