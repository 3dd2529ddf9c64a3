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

from fourier cimport transform_filters
from gather cimport interleave_taps, interleave_weights
from index_map cimport Mode, mode_of
from index_map cimport source_index as _source_index
from kernels cimport *
from panel cimport *
from plan cimport MOST_TAPS, Call, Plan
from plane_planning cimport SPECTRUM, choose_planes, find_run, lay_out_workspace, resolve_planes
from planning cimport *
from separable cimport add_band, split_filters
from tables cimport fill_table, note_outside, seen_share
from tasks cimport run_task
from workspace cimport give_workspace, workspace_for

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


# storage name -> (code, code of the element type it is computed in); the order is that of kernels.h
STORAGE = {
    "float32": (0, F32), "float64": (1, F64), "float16": (2, F32), "bfloat16": (3, F32),
    "int8": (4, I32), "uint8": (5, I32), "int16": (6, I64), "uint16": (7, I64),
    "int32": (8, I64), "uint32": (9, I64), "int64": (10, I64), "uint64": (11, I64),
}
OUTPUT = {"float32": 0, "float64": 1, "int32": 2, "int64": 3, "float16": 4, "bfloat16": 5, "uint64": 6}

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
    return _source_index(i, n, <Mode>mode_of(mode))


def index_table(Py_ssize_t size, Py_ssize_t before, Py_ssize_t length, mode):
    """int32 table: entry v is ``source_index(v - before, size, mode)``."""
    cdef Mode rule = <Mode>mode_of(mode)
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


cdef void *memory_of(array, int flags=PyBUF_STRIDES, Py_ssize_t *stride=NULL) except NULL:
    """Of an array that the caller keeps. `stride`: receives the bytes between elements of its first axis, or 0."""
    cdef Py_buffer view
    PyObject_GetBuffer(array, &view, flags)
    if stride != NULL:
        stride[0] = view.strides[0] if view.ndim else 0
    PyBuffer_Release(&view)
    return view.buf


cdef class ConvPlan:
    """One convolution geometry, resolved for the chosen instruction set.

    `axes`: three objects with size, kernel, stride, dilation, before, mode, out (implicitpad._geometry.Axis).
    `storage`, `weight_storage`, `out_storage`: dtype names of input, weights and output. `direct`: the output's
    last axis is contiguous. `fast`: F(4x4, 3x3) may be used; the fill is finite. `skips`: taps in the padding may
    be left out: weights are finite, and the fill is 0 or `fast` adds its part. `corrected`: calls want fill_sums.
    `interleaved`: `pack` and calls take weights and fill as they are stored, not in the element type. `offset`:
    added to every input value; the bias must take it back.
    `tables`: three int32 arrays, the element that each virtual position reads or -1, instead of the index map of
    the axes: kernels follow any table, of elements in any order.
    """
    cdef Plan plan
    cdef Buffer memory
    cdef readonly str instruction_set
    cdef Buffer outside
    cdef ConvPlan second
    cdef int32_t[::1] columns
    cdef readonly str layout            # of the packed weights: "channel", "dot channel", "winograd", "plane" ...
    cdef readonly bint corrected
    cdef readonly int interleaved       # input channels in an element: 0 for plain elements
    cdef readonly int offset
    cdef readonly Py_ssize_t workspace  # bytes for each thread
    cdef readonly int threads
    cdef readonly tuple blocks

    def __init__(self, axes, int batch, int in_channels, int out_channels, int groups, storage, weight_storage,
                 out_storage, bint direct, bint fast, bint skips, int threads, tables=None):
        cdef Plan *plan = &self.plan
        code, element = STORAGE[storage]
        self.instruction_set = get_instruction_set()
        plan.kernels = _chosen.element[<int>element]
        plan.load_row = _chosen.load_row[<int>code]
        plan.store_row = _chosen.store_row[<int>OUTPUT[out_storage]]
        plan.finish = _chosen.finish[<int>OUTPUT[out_storage]]
        plan.itemsize = 8 if element in (F64, I64) else 4
        plan.batch, plan.groups = batch, groups
        plan.channels, plan.filters = in_channels // groups, out_channels // groups
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
        dot = find_dot(_chosen, code, STORAGE[weight_storage][0])
        if (dot != NULL or storage in ("float32", "float64")) and choose_planes(plan, dot):
            if dot != NULL:
                self.offset, self.interleaved = dot.offset, dot.channels
            self.layout, self.blocks = resolve_planes(plan, fast, threads), (1,)
            self.threads, self.workspace = plan.threads, plan.workspace
            self.memory = Buffer(sum(plan.axis[a].virtual for a in range(3)) * sizeof(int32_t))
            self._fill_tables(axes, tables, <int32_t *>self.memory.data)
            find_run(plan)
            return
        cost, widths = choose_tile(plan, True)
        skips = skips and max(axis.kernel for axis in axes) <= MOST_TAPS
        if fast and skips and tables is None and plan.channel_lanes:
            cost *= seen_share(plan, axes)
        winograd = choose_winograd(plan, cost if dot == NULL else cost / dot.channels, fast)
        if winograd is None and dot != NULL:
            use_dot(plan, dot)
            cost, widths = choose_tile(plan, True)
            self.offset, self.interleaved = dot.offset, dot.channels
        self.layout = ("dot " if plan.interleaved else "") + ("channel" if plan.channel_lanes else "pixel")
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
            plan.group_weights = plan.positions * plan.weight_stride * plan.n_blocks
        divide(plan, threads)
        self.threads = plan.threads
        self._allocate(axes, skips and not self.offset, fast, tables)

    cdef _fill_tables(self, axes, tables, int32_t *memory):
        cdef Plan *plan = &self.plan
        for a in range(3):
            plan.axis[a].source, memory = memory, memory + plan.axis[a].virtual
            fill_table(&plan.axis[a], axes[a], None if tables is None else tables[a])

    cdef _allocate(self, axes, bint skips, bint fast, tables):
        cdef Plan *plan = &self.plan
        cdef int a, b, t0, t1, t2, first = 0
        cdef int32_t *memory
        reserve(plan, max(self.blocks))
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
        self._fill_tables(axes, tables, memory)
        outside = 0.0
        if plan.tile > 2 or skips and plan.tile == 1 and plan.channel_lanes:
            self.outside = Buffer(plan.axis[0].out + plan.axis[1].out + plan.axis[2].out)
            outside = note_outside(plan, <unsigned char *>self.outside.data)
        plan.skips = plan.tile == 1 and 100 * outside > WORTH_SKIPPING
        plan.corrected = plan.skips and fast if plan.tile == 1 else outside > 0
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

    def then(self, ConvPlan second, int32_t[::1] columns, int before):
        """Make this plan, of filters one column wide, the first of two passes; `second`: one row high.

        `columns`: the column of the input that stands in each column of `second`, or -1 for the fill; all of
        them stand in order from `before` on. `pack` then takes filters that are a column times a row.
        """
        self.second, self.columns = second, columns
        self.plan.second, self.plan.stream = &second.plan, False
        self.plan.band_source, self.plan.band_before = &columns[0], before
        self.layout, self.blocks = "separable", (1, second.plan.taps)
        lay_out_workspace(&second.plan, self.plan.axis[1].block)    # whatever bands it would cut by itself
        add_band(&self.plan, second.plan.workspace)
        second.plan.run_to = self.plan.band_pitch
        self.workspace = self.plan.workspace

    def pack(self, weights):
        """Weights in this plan's layout. `weights`: contiguous (out_channels, ...), element type or as stored."""
        cdef Plan *plan = &self.plan
        cdef Py_ssize_t terms = <Py_ssize_t>plan.channels * plan.taps
        cdef Buffer packed = Buffer(plan.groups * plan.group_weights * plan.itemsize)
        cdef Buffer block = Buffer(terms * max(self.blocks) * plan.itemsize if plan.tile > 1 else 0)
        cdef Buffer elements = Buffer(
            <Py_ssize_t>plan.groups * plan.filters * terms * plan.itemsize if plan.interleaved else 0)
        cdef const char *source
        cdef const char *start = <const char *>memory_of(weights)
        cdef char *target = packed.data
        cdef int group, b, rows
        if plan.second != NULL:
            packed = Buffer(plan.groups * plan.filters * plan.itemsize
                            * (plan.axis[1].kernel + plan.second.axis[2].kernel + 1))
            split_filters(plan, start, plan.axis[1].kernel, plan.second.axis[2].kernel, packed.data)
        elif plan.fourier != NULL:
            packed = Buffer((2 * FOURIER_SIZE + plan.groups * plan.filters * <Py_ssize_t>SPECTRUM) * plan.itemsize)
            block = Buffer(plan.workspace)
            with nogil:
                transform_filters(plan, start, packed.data, block.data)
        with nogil:
            if plan.planes != NULL and plan.dot != NULL:
                interleave_taps(plan, start, packed.data)
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
                        plan.winograd.weights(block.data, target, plan.weight_stride,
                                              plan.channels * plan.axis[0].kernel, plan.width[b])
                        target += plan.positions * plan.weight_stride * plan.itemsize
                    else:
                        target += terms * plan.width[b] * plan.itemsize
        return packed

    def pack_bias(self, bias):
        """Bias (out_channels,) of the element type, each group padded to its packed width; then zeros."""
        cdef Plan *plan = &self.plan
        cdef size_t size = plan.group_bias * plan.itemsize, filters = plan.filters * plan.itemsize
        cdef size_t zeros = max(self.blocks) * plan.itemsize
        cdef Buffer packed = Buffer(plan.groups * size + zeros)
        cdef const char *values = <const char *>memory_of(bias)
        cdef int group
        memset(packed.data, 0, plan.groups * size + zeros)
        for group in range(plan.groups):
            memcpy(packed.data + group * size, values + group * filters, filters)
        return packed


cdef class ConvCall:
    """A ConvPlan with its weights, for arrays that lie in memory in one way: all but the arrays themselves.

    `terms`: the weights that `weights` was packed from. `x_strides`, `y_strides`, `residual_strides`: bytes from
    element to element of (N, C, D, H, W). `limits`: None, or slope, low and high of the activation (finish.h), of the
    element type.
    """
    cdef readonly ConvPlan plan
    cdef Call call
    cdef Py_ssize_t tasks
    cdef object terms, weights, bias, limits  # kept alive

    def __init__(self, ConvPlan resolved, terms, Buffer weights, Buffer bias, x_strides, y_strides, limits=None,
                 residual_strides=(0,) * 5):
        cdef Plan *plan = &resolved.plan
        cdef Call *call = &self.call
        self.plan, self.terms, self.weights, self.bias, self.limits = resolved, terms, weights, bias, limits
        call.weights, call.bias, call.terms = weights.data, bias.data, <const char *>memory_of(terms)
        call.no_bias = bias.data + plan.groups * plan.group_bias * plan.itemsize
        self.tasks = ceil_div(plan.batch, plan.images) * plan.group_tasks * plan.shares
        for a in range(3):
            self.tasks *= plan.axis[a].blocks
        for a in range(5):
            call.x_stride[a], call.y_stride[a] = x_strides[a], y_strides[a]
            call.residual_stride[a] = residual_strides[a]
        if limits is not None:
            call.limits = memory_of(limits)

    def __call__(self, x, fill, fill_sums, y, residual=None):
        """Convolve x into y. `residual`: as y; only with limits.

        `fill`: element type, or as stored if interleaved, () or (C,). `fill_sums`: None, or, for a corrected plan
        whose fill is not 0, float64 (K, taps): the fill times the weights, summed over channels.
        """
        cdef Plan *plan = &self.plan.plan
        cdef Call call = self.call
        cdef Py_ssize_t tasks = self.tasks, task
        cdef char *workspace
        call.x, call.y = <const char *>memory_of(x), <char *>memory_of(y, PyBUF_STRIDES | PyBUF_WRITABLE)
        call.residual = NULL if residual is None else <const char *>memory_of(residual)
        call.fill = <const char *>memory_of(fill, PyBUF_STRIDES, &call.fill_stride)
        call.fill_sums = NULL if fill_sums is None else <const double *>memory_of(fill_sums)
        if plan.corrected:
            call.fill, call.fill_stride = call.no_bias, 0
        workspace = workspace_for(plan.threads * plan.workspace)
        with nogil:
            if plan.threads == 1:
                for task in range(tasks):
                    run_task(plan, &call, task, workspace)
            else:
                with parallel(num_threads=plan.threads):
                    for task in prange(tasks, schedule="dynamic"):
                        run_task(plan, &call, task, workspace + threadid() * plan.workspace)
        give_workspace(workspace)
