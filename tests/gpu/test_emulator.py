"""The emulator: instructions against NumPy, and every check on a kernel that needs it."""

from __future__ import annotations

import numpy as np
import pytest
from ptx_emulator import EmulatorError

EDGES = [0, 1, 2, 3, 5, 7, 8, 31, 32, 33, 255, 256, 32767, 65535, 2**31 - 1]


def run(device, code, *arguments, name="k", grid=(1,), block=(64,), shared_mem=0):
    text = f'extern "C" __global__ void {name}{code}'
    kernel = device.module(text, ("--std=c++17",), (name,))[name]
    kernel(grid, block, arguments, shared_mem=shared_mem)


def binary(device, expression, kind, a, b, result=None):
    """``expression`` of ``a`` and ``b``, element by element, in C type ``kind``."""
    a, b = (np.array(values) for values in (a, b))
    y = device.empty(a.shape, result or a.dtype)
    to = "int" if result == np.int32 else kind
    source = f"""extern "C" __global__ void k(const {kind}* a, const {kind}* b, {to}* y) {{
        int i = threadIdx.x; y[i] = {expression}; }}"""
    kernel = device.module(source, ("--std=c++17",), ("k",))["k"]
    kernel((1,), a.shape, (device.asarray(a), device.asarray(b), y))
    return device.asnumpy(y)


def pairs(dtype):
    edges = np.array(EDGES + [-e for e in EDGES], dtype=np.int64)
    a, b = (m.reshape(-1)[:900] for m in np.meshgrid(edges, edges[edges != 0]))
    return a.astype(dtype), b.astype(dtype)


@pytest.mark.parametrize(("kind", "dtype"), [("int", np.int32), ("long long", np.int64)])
@pytest.mark.parametrize("sign", ["/", "%"])
def test_signed_division_rounds_towards_zero(device, kind, dtype, sign):
    a, b = pairs(dtype)
    quotient = np.sign(a) * np.sign(b) * (np.abs(a.astype("i8")) // np.abs(b.astype("i8")))
    want = quotient if sign == "/" else a - quotient * b
    got = binary(device, f"a[i] {sign} b[i]", kind, a, b)
    np.testing.assert_array_equal(got, want.astype(dtype))


@pytest.mark.parametrize(
    ("kind", "dtype"), [("unsigned", np.uint32), ("unsigned long long", np.uint64)]
)
@pytest.mark.parametrize("sign", ["+", "-", "*", "/", "%", "&", "|", "^"])
def test_unsigned_arithmetic_wraps(device, kind, dtype, sign):
    a, b = pairs(dtype)
    with np.errstate(all="ignore"):
        want = {"+": a + b, "-": a - b, "*": a * b, "/": a // b, "%": a % b, "&": a & b,
                "|": a | b, "^": a ^ b}[sign]  # fmt: skip
    np.testing.assert_array_equal(binary(device, f"a[i] {sign} b[i]", kind, a, b), want)


@pytest.mark.parametrize(("kind", "dtype"), [("float", np.float32), ("double", np.float64)])
@pytest.mark.parametrize("relation", ["<", "<=", ">", ">=", "==", "!="])
def test_comparisons_with_nan(device, kind, dtype, relation):
    special = np.array([0.0, -0.0, 1.5, -2.0, np.inf, -np.inf, np.nan], dtype)
    a, b = (m.reshape(-1) for m in np.meshgrid(special, special))
    want = {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "==": a == b, "!=": a != b}
    got = binary(device, f"a[i] {relation} b[i]", kind, a, b, np.int32)
    np.testing.assert_array_equal(got, want[relation])


def test_half_conversions_round_to_nearest_even(device):
    from implicitpad._cuda_source import source

    exact = np.arange(1 << 16, dtype=np.uint16)[:4096] * 16
    halves = exact.view(np.float16)[np.isfinite(exact.view(np.float16))][:1024]
    between = halves.astype(np.float32) * np.float32(1 + 2.0**-11)
    x, y = device.asarray(between), device.empty(between.shape, np.float16)
    z = device.empty(between.shape, np.float32)
    text = (
        source("index_table")
        + """extern "C" __global__ void k(const float* x, float16* y, float* z) {
        int i = threadIdx.x; y[i] = Narrow<float16>::from(x[i]); z[i] = widen<float>(y[i]); }"""
    )
    device.module(text, ("--std=c++17",), ("k",))["k"]((1,), between.shape, (x, y, z))
    with np.errstate(over="ignore"):
        want = between.astype(np.float16)
    np.testing.assert_array_equal(device.asnumpy(y), want)
    np.testing.assert_array_equal(device.asnumpy(z), want.astype(np.float32))


def test_bfloat16_conversions_round_to_nearest_even(device):
    import ml_dtypes

    from implicitpad._cuda_source import source

    words = np.arange(0, 1 << 32, 4194304 + 8191, dtype=np.uint64).astype(np.uint32)[:1000]
    ties = words & 0xFFFF0000 | 0x8000
    x = np.concatenate(
        [ties, [0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001, 0xFFFFFFFF, 0x7F7FFFFF]]
    )
    x = x.astype(np.uint32).view(np.float32)
    y = device.empty(x.shape, ml_dtypes.bfloat16)
    text = (
        source("index_table")
        + """extern "C" __global__ void k(const float* x, bfloat16* y) {
        int i = threadIdx.x; y[i] = Narrow<bfloat16>::from(x[i]); }"""
    )
    device.module(text, ("--std=c++17",), ("k",))["k"]((1,), x.shape, (device.asarray(x), y))
    with np.errstate(all="ignore"):
        want = x.astype(ml_dtypes.bfloat16)
    got = device.asnumpy(y)
    np.testing.assert_array_equal(got.astype(np.float32), want.astype(np.float32))


def test_branches_that_part_and_join(device):
    """Steps of the Collatz iteration: every thread leaves the loop at its own time."""
    y = device.empty((64,), np.int32)
    code = """extern "C" __global__ void k(int* y) { unsigned v = threadIdx.x + 1; int n = 0;
        while (v != 1) { if (v & 1) v = 3 * v + 1; else v /= 2; ++n; } y[threadIdx.x] = n; }"""
    device.module(code, ("--std=c++17",), ("k",))["k"]((1,), (64,), (y,))

    def steps(v):
        return 0 if v == 1 else 1 + steps(3 * v + 1 if v % 2 else v // 2)

    np.testing.assert_array_equal(device.asnumpy(y), [steps(v) for v in range(1, 65)])


def test_shared_memory_and_barriers(device):
    """A prefix sum over 64 threads, with threads that skip work around uniform barriers."""
    y = device.empty((3, 64), np.int32)
    code = """extern "C" __global__ void k(int* y) { __shared__ int s[64]; int t = threadIdx.x;
        s[t] = t + blockIdx.x; __syncthreads();
        for (int d = 1; d < 64; d *= 2) { int v = 0; if (t >= d) v = s[t - d]; __syncthreads();
            if (t >= d) s[t] += v; __syncthreads(); }
        y[blockIdx.x * 64 + t] = s[t]; }"""
    device.module(code, ("--std=c++17",), ("k",))["k"]((3,), (64,), (y,))
    want = np.cumsum(np.arange(64) + np.arange(3)[:, None], axis=1)
    np.testing.assert_array_equal(device.asnumpy(y), want)


FAULTS = {
    "a race between threads": (
        "(int* y) { __shared__ int s[64]; int t = threadIdx.x; s[t] = 1; y[t] = s[63 - t]; }",
        "shared memory race: read after write"),
    "a write over what others still read": (
        "(int* y) { __shared__ int s[64]; int t = threadIdx.x; s[t] = t; __syncthreads();"
        " int v = s[63 - t]; s[t] = v; y[t] = v; }",
        "shared memory race: write after read"),
    "two writers of one shared element": (
        "(int* y) { __shared__ int s[2]; s[threadIdx.x & 1] = threadIdx.x; __syncthreads();"
        " y[threadIdx.x] = s[0]; }",
        "shared memory race"),
    "shared memory nobody wrote": (
        "(int* y) { __shared__ int s[65]; s[threadIdx.x] = 1; __syncthreads();"
        " y[threadIdx.x] = s[threadIdx.x + 1]; }",
        "read of uninitialised shared memory"),
    "shared memory out of bounds": (
        "(int* y) { __shared__ int s[64]; s[threadIdx.x * 2] = 1; __syncthreads();"
        " y[threadIdx.x] = s[threadIdx.x]; }",
        "shared access of 4 bytes outside"),
    "a store behind the array": ("(int* y) { y[threadIdx.x + 1] = 0; }", "outside every array"),
    "a load before the array": ("(int* y) { y[threadIdx.x] = y[-1]; }", "outside every array"),
    "an array nobody wrote": ("(int* y) { y[threadIdx.x] = y[63 - threadIdx.x] + 1; }",
                              "read of uninitialised global memory"),
    "two writers of one element": ("(int* y) { y[threadIdx.x / 2] = 0; }",
                                   "global memory race: two threads write one element"),
    "a misaligned vector": (
        "(int* y) { int4 v = {0, 0, 0, 0}; if (threadIdx.x == 0) *(int4*)(y + 1) = v; }",
        "misaligned access of 16 bytes"),
    "a barrier some threads miss": (
        "(int* y) { if (threadIdx.x < 40) { __syncthreads(); y[threadIdx.x] = 0; } }",
        "barrier not reached by every thread"),
    "a division by zero": ("(int* y) { y[threadIdx.x] = 7 / (int)(threadIdx.x & 1); }",
                           "integer division by zero"),
    "a warp collective": ("(int* y) { y[threadIdx.x] = __shfl_down_sync(~0u, threadIdx.x, 1); }",
                          "instruction not modelled"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_reported_with_their_line(emulator, fault):
    code, message = FAULTS[fault]
    with pytest.raises(EmulatorError, match=message):
        run(emulator, code, emulator.empty((64,), np.int32))


def test_elements_left_unwritten_are_reported(emulator):
    y = emulator.empty((64,), np.int32)
    run(emulator, "(int* y) { if (threadIdx.x) y[threadIdx.x] = 0; }", y)
    with pytest.raises(EmulatorError, match="never written"):
        emulator.asnumpy(y)


WRONG = {
    "one too few": ((), "takes 1 arguments, got 0"),
    "a Python integer for an int": ((7,), "is .u32 of 4 bytes, got int64 of 8 bytes"),
    "a float for an int": ((np.float32(7),), "got float32"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_arguments_are_reported(emulator, wrong):
    arguments, message = WRONG[wrong]
    with pytest.raises(EmulatorError, match=message):
        run(emulator, "(int n) { }", *arguments)


@pytest.mark.parametrize(
    ("launch", "message"),
    [
        ({"grid": (1, 65536)}, "invalid grid"),
        ({"grid": (0,)}, "invalid grid"),
        ({"block": (1025,)}, "invalid block"),
        ({"shared_mem": 49153}, "49153 bytes of shared memory"),
    ],
)
def test_launches_beyond_the_limits_are_reported(emulator, launch, message):
    with pytest.raises(EmulatorError, match=message):
        run(emulator, "(int n) { }", np.int32(7), **launch)
