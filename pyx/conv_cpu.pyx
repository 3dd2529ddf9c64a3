# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Convolution on the CPU: the framework around the micro-kernels.

    y[n, k, q] = b[k] + sum_c sum_t w[k, c, t] x[n, c, e(q s + t d - p)]        e: the index map

A ConvPlan resolves one geometry for one instruction set: index tables, block sizes, tap offsets. A run
is one loop over independent tasks (image, group, block, share of the output channels), divided among
threads; each gathers its panel, then calls the register tiles on it. Workspace is a panel and a row
of indices for each thread, bounded by PANEL_BYTES however wide the padding is.

The caller (implicitpad._numpy) has checked everything: dtypes, shapes, that the output overlaps nothing.
"""

import os

from cpython.buffer cimport PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.pycapsule cimport PyCapsule_New
from cython.parallel cimport parallel, prange, threadid
from libc.stdint cimport int32_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from index_map cimport CIRCULAR, CONSTANT, REFLECT, REPLICATE, SYMMETRIC, Mode
from index_map cimport source_index as _source_index
from gather cimport interleave_weights
from kernels cimport *
from panel cimport *
from plan cimport Call, Plan
from planning cimport *
from tasks cimport MOST_TAPS, run_task

cdef extern from *:
    """
    #ifdef _OPENMP
    #include <omp.h>
    #else
    #define omp_get_max_threads() 0
    #endif
    """
    int omp_get_max_threads() noexcept nogil

has_openmp = omp_get_max_threads() > 0


def openmp_threads():
    """How many threads OpenMP would use now; 1 without it."""
    return max(omp_get_max_threads(), 1)


MODES = {"constant": CONSTANT, "replicate": REPLICATE, "reflect": REFLECT, "symmetric": SYMMETRIC,
         "circular": CIRCULAR}
# storage name -> (code, code of the element type it is computed in); the order is that of kernels.h
STORAGE = {
    "float32": (0, F32), "float64": (1, F64), "float16": (2, F32), "bfloat16": (3, F32),
    "int8": (4, I32), "uint8": (5, I32), "int16": (6, I64), "uint16": (7, I64),
    "int32": (8, I64), "uint32": (9, I64), "int64": (10, I64), "uint64": (11, I64),
}
OUTPUT = {"float32": 0, "float64": 1, "int32": 2, "int64": 3, "uint64": 3, "float16": 4, "bfloat16": 5}

cdef enum:
    ALIGNMENT = 64

cdef const kernel_set *_chosen = NULL


cdef list _usable():
    cdef const kernel_set *candidates[3]
    candidates[0] = implicitpad_avx512
    candidates[1] = implicitpad_avx2
    candidates[2] = implicitpad_baseline
    return [<uintptr_t>candidates[i] for i in range(3) if candidates[i] != NULL and candidates[i].usable()]


def instruction_sets():
    """Names of the instruction sets that this processor and this build have, best first."""
    return tuple((<const kernel_set *><uintptr_t>address).name.decode() for address in _usable())


def get_instruction_set():
    return _chosen.name.decode()


def set_instruction_set(name):
    """Use the kernels built for `name` from the next plan on."""
    global _chosen
    names = instruction_sets()
    if name not in names:
        raise ValueError(f"set_instruction_set: name must be one of {names}, got {name!r}.")
    _chosen = <const kernel_set *><uintptr_t>_usable()[names.index(name)]


def kernels():
    """A capsule with the chosen kernels, for the other compiled modules."""
    return PyCapsule_New(<void *>_chosen, "implicitpad.kernel_set", NULL)


def codes(storage, out_storage):
    """(storage, element, output) of two dtype names, in the order of kernels.h."""
    return *STORAGE[storage], OUTPUT[out_storage]


set_instruction_set(os.environ.get("IMPLICITPAD_ISA") or instruction_sets()[0])


def source_index(Py_ssize_t i, Py_ssize_t n, mode):
    """The input position that virtual position `i` of an axis of `n` reads; -1 for the fill value."""
    return _source_index(i, n, MODES[mode])


def index_table(Py_ssize_t size, Py_ssize_t before, Py_ssize_t length, mode):
    """int32 table: entry v is ``source_index(v - before, size, mode)``."""
    cdef Mode rule = MODES[mode]
    cdef Py_ssize_t v
    table = bytearray(4 * length)
    cdef int32_t[::1] entry = memoryview(table).cast("i") if length else None
    for v in range(length):
        entry[v] = <int32_t>_source_index(v - before, size, rule)
    return memoryview(table).cast("i")


cdef class Buffer:
    """Aligned memory, freed with its owner."""
    cdef void *memory
    cdef char *data

    def __cinit__(self, size_t size):
        self.memory = malloc(size + ALIGNMENT)
        if self.memory == NULL:
            raise MemoryError(f"implicitpad: {size} bytes of workspace")
        self.data = <char *>((<uintptr_t>self.memory + ALIGNMENT) & ~<uintptr_t>(ALIGNMENT - 1))

    def __dealloc__(self):
        free(self.memory)


cdef class ConvPlan:
    """One convolution geometry, resolved for the chosen instruction set.

    `axes`: three objects with size, kernel, stride, dilation, before, mode, out (implicitpad._geometry.Axis).
    `storage`, `weight_storage`, `out_storage`: dtype names of input, weights and output. `direct`: the output's
    last axis is contiguous. `fast`: F(4x4, 3x3) may be used; the fill is finite. `zeros`: the fill is 0 and the
    weights are finite. `corrected`: `run` wants fill_sums. `interleaved`: `pack` and `run` take weights and fill
    as they are stored, not in the element type. `offset`: added to every input value; the bias must take it back.
    """
    cdef Plan plan
    cdef Buffer memory
    cdef readonly str instruction_set
    cdef Buffer outside
    cdef readonly str layout            # of the packed weights: "[dot ]channel", "[dot ]pixel", "winograd[4]"
    cdef readonly bint corrected
    cdef readonly int interleaved       # input channels in an element: 0 for plain elements, else 4
    cdef readonly int offset
    cdef readonly Py_ssize_t workspace  # bytes for each thread
    cdef readonly int threads
    cdef readonly tuple blocks

    def __init__(self, axes, int batch, int in_channels, int out_channels, int groups, storage, weight_storage,
                 out_storage, bint direct, bint fast, bint zeros, int threads):
        cdef Plan *plan = &self.plan
        code, element = STORAGE[storage]
        self.instruction_set = get_instruction_set()
        plan.kernels = _chosen.element[<int>element]
        plan.load_row = _chosen.load_row[<int>code]
        plan.store_row = _chosen.store_row[<int>OUTPUT[out_storage]]
        plan.itemsize = 8 if element in (F64, I64) else 4
        plan.batch, plan.groups = batch, groups
        plan.channels, plan.filters = in_channels // groups, out_channels // groups
        self.offset = choose_dot(plan, _chosen.dot, storage, weight_storage)
        self.interleaved = plan.interleaved
        plan.direct = direct
        plan.taps = 1
        for a, axis in enumerate(axes):
            plan.axis[a].out = axis.out
            plan.axis[a].kernel, plan.axis[a].stride, plan.axis[a].dilation = axis.kernel, axis.stride, axis.dilation
            plan.axis[a].virtual = (axis.out - 1) * axis.stride + axis.extent
            if axis.out * axis.kernel < plan.axis[a].virtual:
                # taps far apart: a table of the positions that are read, window by window, is shorter
                plan.axis[a].stride, plan.axis[a].dilation = axis.kernel, 1
                plan.axis[a].virtual = axis.out * axis.kernel
            plan.taps *= axis.kernel
        cost, widths = choose_tile(plan, True)
        self.layout = ("dot " if plan.interleaved else "") + ("channel" if plan.channel_lanes else "pixel")
        winograd = choose_winograd(plan, cost, fast)
        if winograd is not None:
            widths = winograd
            self.layout = "winograd" if plan.tile == 2 else "winograd4"
        else:
            plan.direct = plan.direct and not plan.flat
            choose_blocks(plan)
        self.blocks = tuple(widths)
        plan.n_blocks = len(widths)
        plan.group_bias = sum(widths)
        plan.group_weights = plan.group_bias * <Py_ssize_t>plan.channels * plan.taps
        if winograd is not None:
            # a vector more than needed: positions a power of two apart would share few cache sets
            plan.weight_stride = plan.channels * plan.axis[0].kernel * <Py_ssize_t>widths[0] + plan.kernels.lanes
            plan.group_weights = (plan.tile + 2) ** 2 * plan.weight_stride * plan.n_blocks
        divide(plan, threads)
        self.threads = plan.threads
        self._allocate(axes, zeros and not self.offset)

    cdef _allocate(self, axes, bint zeros):
        cdef Plan *plan = &self.plan
        cdef int a, v, b, t0, t1, t2, first = 0
        cdef int32_t *memory
        cdef Mode mode
        cdef bint by_window
        cdef Py_ssize_t before, size, kernel, stride, dilation, limit, position
        scratch = transformed = products = 0
        if plan.tile > 1:
            lanes, positions = plan.kernels.lanes, (plan.tile + 2) ** 2
            tiles = plan.images * ceil_div(plan.axis[1].block, plan.tile) * ceil_div(plan.axis[2].block, plan.tile)
            plan.lane_group = tiles * lanes
            plan.transformed_stride = ceil_div(plan.channels, lanes) * plan.axis[0].kernel * plan.lane_group + lanes
            plan.product_stride = tiles * self.blocks[0] + lanes
            transformed = positions * plan.transformed_stride * plan.itemsize
            products = positions * plan.product_stride * plan.itemsize
            scratch = max(ceil_div(plan.plane, lanes) * lanes * lanes,
                          0 if plan.direct else self.blocks[0] * plan.tile * plan.axis[2].block) * plan.itemsize
        elif not plan.direct:
            scratch = max(self.blocks) * plan.itemsize * plan.axis[0].block * plan.axis[1].block
            scratch *= plan.axis[2].slots if plan.flat else plan.axis[2].block
        slots = sum(plan.axis[a].slots for a in range(3))
        plan.scratch_at = ceil_div((plan.channel_stride * plan.channels + PANEL_SLACK) * plan.itemsize, 64) * 64
        plan.source_at = ceil_div(plan.scratch_at + scratch, 64) * 64
        plan.runs_at = ceil_div(plan.source_at + slots * sizeof(int32_t), 64) * 64
        plan.transformed_at = ceil_div(plan.runs_at + plan.axis[2].slots * sizeof(panel_run), 64) * 64
        plan.products_at = ceil_div(plan.transformed_at + transformed, 64) * 64
        # a line more than whole pages: threads' workspaces must not share cache sets
        plan.workspace = ceil_div(plan.products_at + products, 4096) * 4096 + 64
        self.workspace = plan.workspace
        taps = plan.axis[0].kernel * plan.axis[1].kernel * plan.axis[2].kernel
        entries = 2 * taps + 2 * plan.n_blocks + sum(plan.axis[a].virtual for a in range(3))
        self.memory = Buffer(entries * sizeof(int32_t))
        memory = <int32_t *>self.memory.data
        plan.tap, memory = <tap *>memory, memory + 2 * <int>taps
        plan.first, memory = memory, memory + plan.n_blocks
        plan.width, memory = memory, memory + plan.n_blocks
        for b in range(plan.n_blocks):
            plan.first[b], plan.width[b] = first, self.blocks[b]
            first += plan.width[b]
        for a in range(3):
            plan.axis[a].source, memory = memory, memory + plan.axis[a].virtual
            mode, before, size = MODES[axes[a].mode], axes[a].before, axes[a].size
            kernel, stride, dilation, limit = axes[a].kernel, axes[a].stride, axes[a].dilation, axes[a].virtual
            by_window = plan.axis[a].kernel == plan.axis[a].stride == kernel and plan.axis[a].dilation == 1
            for v in range(plan.axis[a].virtual):
                position = v // kernel * stride + v % kernel * dilation if by_window else v
                # whole tiles may look one position too far; only outputs that are not stored depend on it
                plan.axis[a].source[v] = -1
                if position < limit:
                    plan.axis[a].source[v] = <int32_t>_source_index(position - before, size, mode)
        outside = 0.0
        if plan.tile > 2 or zeros and plan.tile == 1 and plan.channel_lanes and max(
                axis.kernel for axis in axes) <= MOST_TAPS:
            outside = self._note_outside(axes)
        plan.corrected = plan.tile > 2 and outside > 0
        plan.skips = plan.tile == 1 and 100 * outside > WORTH_SKIPPING
        self.corrected = plan.corrected
        b = 0
        for t0 in range(plan.axis[0].kernel):
            for t1 in range(plan.axis[1].kernel):
                for t2 in range(plan.axis[2].kernel):
                    plan.tap[b].index = b
                    plan.tap[b].slot = <int32_t>(tap_slot(&plan.axis[0], t0) * plan.plane
                                                 + tap_slot(&plan.axis[1], t1) * plan.axis[2].slots
                                                 + tap_slot(&plan.axis[2], t2))
                    b += 1

    cdef double _note_outside(self, axes):
        """For each output along each axis, which taps read the fill; their share of all terms."""
        cdef Plan *plan = &self.plan
        cdef int a, i, t, found
        cdef double inside = 1
        cdef unsigned char *outside
        cdef Mode mode
        cdef Py_ssize_t before, size, stride, dilation
        self.outside = Buffer(plan.axis[0].out + plan.axis[1].out + plan.axis[2].out)
        outside = <unsigned char *>self.outside.data
        for a in range(3):
            plan.outside[a] = outside
            mode, before, size = MODES[axes[a].mode], axes[a].before, axes[a].size
            stride, dilation = axes[a].stride, axes[a].dilation
            found = 0
            for i in range(plan.axis[a].out):
                outside[i] = 0
                for t in range(axes[a].kernel):
                    if _source_index(i * stride + t * dilation - before, size, mode) < 0:
                        outside[i] |= 1 << t
                        found += 1
            inside *= 1 - <double>found / (<double>plan.axis[a].out * <int>axes[a].kernel)
            outside += plan.axis[a].out
        plan.inside[0] = 0
        while plan.inside[0] < plan.axis[2].out and plan.outside[2][plan.inside[0]]:
            plan.inside[0] += 1
        plan.inside[1] = plan.inside[0]
        while plan.inside[1] < plan.axis[2].out and not plan.outside[2][plan.inside[1]]:
            plan.inside[1] += 1
        return 1 - inside

    def pack(self, weights):
        """Weights in this plan's layout. `weights`: contiguous (out_channels, ...), element type or int8."""
        cdef Plan *plan = &self.plan
        cdef Py_ssize_t terms = <Py_ssize_t>plan.channels * plan.taps
        cdef Buffer packed = Buffer(plan.groups * plan.group_weights * plan.itemsize)
        cdef Buffer block = Buffer(terms * max(self.blocks) * plan.itemsize if plan.tile > 1 else 0)
        cdef Buffer elements = Buffer(
            <Py_ssize_t>plan.groups * plan.filters * terms * plan.itemsize if plan.interleaved else 0)
        cdef Py_buffer view
        cdef const char *source
        cdef const char *start
        cdef char *target = packed.data
        cdef int group, b, rows
        PyObject_GetBuffer(weights, &view, PyBUF_STRIDES)
        start = <const char *>view.buf
        with nogil:
            if plan.interleaved:
                interleave_weights(plan, start, elements.data)
                start = elements.data
            for group in range(plan.groups):
                for b in range(plan.n_blocks):
                    source = start + (group * plan.filters + plan.first[b]) * terms * plan.itemsize
                    rows = plan.filters - plan.first[b]
                    if rows > plan.width[b]:
                        rows = plan.width[b]
                    plan.kernels.pack_weights(block.data if plan.tile > 1 else target, source, terms, rows, terms,
                                              plan.width[b])
                    if plan.tile > 1:
                        plan.winograd.weights(block.data, target, plan.weight_stride, terms // 9, plan.width[b])
                        target += (plan.tile + 2) ** 2 * plan.weight_stride * plan.itemsize
                    else:
                        target += terms * plan.width[b] * plan.itemsize
        PyBuffer_Release(&view)
        return packed

    def pack_bias(self, bias):
        """Bias (out_channels,) of the element type, each group padded to its packed width; then zeros."""
        cdef Plan *plan = &self.plan
        cdef size_t size = plan.group_bias * plan.itemsize, filters = plan.filters * plan.itemsize
        cdef size_t zeros = max(self.blocks) * plan.itemsize
        cdef Buffer packed = Buffer(plan.groups * size + zeros)
        cdef Py_buffer view
        cdef int group
        memset(packed.data, 0, plan.groups * size + zeros)
        PyObject_GetBuffer(bias, &view, PyBUF_STRIDES)
        for group in range(plan.groups):
            memcpy(packed.data + group * size, <const char *>view.buf + group * filters, filters)
        PyBuffer_Release(&view)
        return packed

    def run(self, x, terms, Buffer weights, Buffer bias, fill, fill_sums, y):
        """Convolve x (N, C, D, H, W) into y (N, K, D', H', W').

        `terms`: the weights that `weights` was packed from; `fill`: element type, or as stored
        if interleaved, () or (C,).
        `fill_sums`: None, or, for a corrected plan whose fill is not 0, float64 (K, taps): the fill times
        the weights, summed over channels.
        """
        cdef Plan *plan = &self.plan
        cdef Call call
        cdef Py_buffer x_view, y_view, fill_view, terms_view, sums_view
        cdef Py_ssize_t tasks = ceil_div(plan.batch, plan.images) * plan.group_tasks * plan.shares, task
        cdef int a
        for a in range(3):
            tasks *= plan.axis[a].blocks
        cdef Buffer workspace = Buffer(plan.threads * plan.workspace)
        PyObject_GetBuffer(x, &x_view, PyBUF_STRIDES)
        PyObject_GetBuffer(y, &y_view, PyBUF_STRIDES | PyBUF_WRITABLE)
        PyObject_GetBuffer(fill, &fill_view, PyBUF_STRIDES)
        call.x, call.y, call.fill = <const char *>x_view.buf, <char *>y_view.buf, <const char *>fill_view.buf
        call.fill_stride = fill_view.itemsize if fill_view.ndim else 0
        call.fill_sums = NULL
        PyObject_GetBuffer(terms, &terms_view, PyBUF_STRIDES)
        call.weights, call.bias, call.terms = weights.data, bias.data, <const char *>terms_view.buf
        call.no_bias = bias.data + plan.groups * plan.group_bias * plan.itemsize
        if plan.corrected:
            call.fill, call.fill_stride = call.no_bias, 0
            if fill_sums is not None:
                PyObject_GetBuffer(fill_sums, &sums_view, PyBUF_STRIDES)
                call.fill_sums = <const double *>sums_view.buf
        for a in range(5):
            call.x_stride[a], call.y_stride[a] = x_view.strides[a], y_view.strides[a]
        with nogil:
            if plan.threads == 1:
                for task in range(tasks):
                    run_task(plan, &call, task, workspace.data)
            else:
                with parallel(num_threads=plan.threads):
                    for task in prange(tasks, schedule="dynamic"):
                        run_task(plan, &call, task, workspace.data + threadid() * plan.workspace)
        PyBuffer_Release(&x_view)
        PyBuffer_Release(&y_view)
        PyBuffer_Release(&fill_view)
        PyBuffer_Release(&terms_view)
        if call.fill_sums != NULL:
            PyBuffer_Release(&sums_view)
