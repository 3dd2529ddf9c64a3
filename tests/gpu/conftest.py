"""Devices to run kernels on: a real one where there is one, else the emulator."""

from __future__ import annotations

import pytest


def _has_gpu() -> bool:
    try:
        import cupy
    except ImportError:
        return False
    return bool(cupy.cuda.is_available())


def _emulator(check: bool):
    from ptx_emulator import EmulatedDevice, nvrtc

    try:
        nvrtc.library()
    except ImportError as error:
        pytest.skip(str(error))
    return EmulatedDevice(80, check)


def _cuda():
    if not _has_gpu():
        pytest.skip("no NVIDIA GPU with CuPy here")
    from implicitpad._cuda_device import cupy_device

    return cupy_device(0)


@pytest.fixture(scope="session", params=["emulator", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request):
    """The emulator with every check on, or a GPU."""
    return _cuda() if request.param == "cuda" else _emulator(check=True)


@pytest.fixture(scope="session", params=["emulator", pytest.param("cuda", marks=pytest.mark.gpu)])
def fast_device(request):
    """The emulator without its checks, for problems of many tiles, or a GPU."""
    return _cuda() if request.param == "cuda" else _emulator(check=False)


@pytest.fixture(scope="session")
def emulator():
    return _emulator(check=True)
