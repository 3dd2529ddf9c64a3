"""The device that kernels are tested on: a GPU where there is one, otherwise the emulator."""

from __future__ import annotations

import pytest


def has_gpu() -> bool:
    try:
        import cupy
    except ImportError:
        return False
    return bool(cupy.cuda.is_available())


def emulated(check: bool):
    pytest.importorskip("ml_dtypes", reason="bfloat16 needs ml_dtypes")
    from ptx_emulator import EmulatedDevice, nvrtc

    try:
        nvrtc.library()
    except ImportError as error:
        pytest.skip(str(error))
    return EmulatedDevice(80, check)


DEVICES = [pytest.param("cuda", marks=pytest.mark.gpu) if has_gpu() else "emulator"]


@pytest.fixture(scope="session", params=DEVICES)
def device(request):
    """A GPU, or the emulator with every check on."""
    if request.param == "emulator":
        return emulated(check=True)
    from implicitpad._cuda_device import cupy_device

    return cupy_device(0)


@pytest.fixture(scope="session")
def emulator():
    """The emulator, also where there is a GPU."""
    return emulated(check=True)


@pytest.fixture(params=DEVICES)
def on_device(request, monkeypatch):
    """A device whose arrays are CuPy's; the backend is made to use it."""
    pytest.importorskip("cupy", reason="CuPy is not installed")
    if request.param == "cuda":
        from implicitpad._cuda_device import cupy_device

        return cupy_device(0)
    emulated(check=True)
    from ptx_emulator.host_cupy import HostCupyDevice

    from implicitpad import _cupy

    host = HostCupyDevice(80, check=True)
    monkeypatch.setattr(_cupy, "cupy_device", lambda index: host)
    return host
