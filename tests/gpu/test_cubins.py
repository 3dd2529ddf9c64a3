"""Every instantiation compiles for every architecture, without spills and within its resources."""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest
from ptx_emulator import nvrtc

from implicitpad._cuda_compile import OPTIONS, CompileError, compile_cuda
from implicitpad._cuda_instances import instantiations
from implicitpad._cuda_source import source, source_folder

ARCHITECTURES = (75, 80, 86, 89, 90, 100, 120)
SHARED_LIMIT = 48 * 1024
# Registers a thread may use: what leaves room for the blocks that the launch bounds promise.
REGISTERS = {
    "index_table": 64,
    "pack_weights": 64,
    "conv_direct": 64,
    "conv_adjoint": 64,
    "conv_gradients": 64,
    "pool": 64,
    "pool_gradients": 64,
    "pool_planes": 64,
    "conv_planes": 128,
    "conv_channels_last": 128,
    "conv_few_channels": 255,
    "conv_gemm": 128,
}
NAMES = instantiations()


@pytest.fixture(scope="module")
def reports(request):
    """Futures of the resources used, by (source, architecture); two compile at a time.

    What a text needed when it was last compiled by this compiler is remembered between runs.
    """
    try:
        nvrtc.library()
    except ImportError as error:
        pytest.skip(str(error))
    cache = getattr(request.config, "cache", None)

    def report(name: str, arch: int) -> dict[str, dict[str, int]]:
        options = (*OPTIONS, f"-arch=sm_{arch}", "--ptxas-options=-v")
        key = repr((source(name), NAMES[name], options, nvrtc.getVersion()))
        key = f"implicitpad/cubins/{hashlib.sha256(key.encode()).hexdigest()}"
        found = cache.get(key, None) if cache else None
        if found is None:
            program = compile_cuda(nvrtc, source(name), NAMES[name], options)
            assert program.image[:4] == b"\x7fELF"
            found = resources(program.log)
            assert set(found) == set(program.symbols.values())
            if cache:
                cache.set(key, found)
        return found

    with ThreadPoolExecutor(2) as pool:
        yield {case: pool.submit(report, *case) for case in product(NAMES, ARCHITECTURES)}
        pool.shutdown(cancel_futures=True)


def resources(log: str) -> dict[str, dict[str, int]]:
    """Of every entry in the assembler's report: registers and bytes of stack, spills, shared."""
    found = {}
    for entry in log.split("Compiling entry function")[1:]:
        shared = re.search(r"(\d+) bytes smem", entry)
        stack, stores, loads = re.search(
            r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", entry
        ).groups()
        found[re.search(r"'(\w+)'", entry)[1]] = {
            "registers": int(re.search(r"Used (\d+) registers", entry)[1]),
            "stack": int(stack),
            "spills": int(stores) + int(loads),
            "shared": int(shared[1]) if shared else 0,
        }
    return found


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("name", NAMES)
def test_every_instantiation_fits(reports, name, arch):
    used = reports[name, arch].result()
    assert len(used) == len(NAMES[name])
    for symbol, use in used.items():
        assert use["stack"] == use["spills"] == 0, (symbol, use)
        assert use["registers"] <= REGISTERS[name], (symbol, use)
        assert use["shared"] <= SHARED_LIMIT, (symbol, use)


def test_every_source_is_compiled():
    assert {path.stem for path in source_folder().glob("*.cu")} == set(NAMES)


def test_spills_are_seen_in_the_report(reports):
    greedy = """extern "C" __global__ void __launch_bounds__(1024) k(const float* x, float* y) {
        float v[128];
        for (int i = 0; i < 128; ++i) v[i] = x[i * 1024 + threadIdx.x];
        __syncthreads();
        for (int i = 0; i < 128; ++i) y[i * 1024 + threadIdx.x] = v[127 - i] * v[i];
    }"""
    options = (*OPTIONS, "-arch=sm_80", "--ptxas-options=-v")
    assert resources(compile_cuda(nvrtc, greedy, ("k",), options).log)["k"]["spills"] > 0


def test_a_source_that_does_not_compile_is_reported_by_file_and_line(reports):
    broken = source("conv_direct").replace("Acc sum = 0;", "Acc sum = nothing;")
    with pytest.raises(CompileError, match=r"conv_direct\.cu\(\d+\): error: .*nothing"):
        compile_cuda(nvrtc, broken, NAMES["conv_direct"][:1], (*OPTIONS, "-arch=sm_80"))
