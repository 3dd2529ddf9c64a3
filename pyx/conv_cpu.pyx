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
from cython.parallel cimport parallel, prange, threadid
from libc.stdint cimport int32_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from index_map cimport CIRCULAR, CONSTANT, REFLECT, REPLICATE, SYMMETRIC, Mode
from index_map cimport source_index as _source_index
from kernels cimport *
from panel cimport *
from tasks cimport *

cdef extern from *:
    """
    #ifdef _OPENMP
    enum { IMPLICITPAD_OPENMP = 1 };
    #else
    enum { IMPLICITPAD_OPENMP = 0 };
    #endif
    """
    enum:
        IMPLICITPAD_OPENMP

has_openmp = bool(IMPLICITPAD_OPENMP)

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
    PANEL_BYTES = 320 * 1024    # a panel and a block of weights share a 1 MB second-level cache
    MACS_PER_THREAD = 250000    # below this a second thread costs more than it brings
    MACS_PER_TASK = 100000      # groups with less work are done several to a task
    ALIGNMENT = 64
    TRANSFORMED_BYTES = 400 * 1024  # of a block's transformed inputs
    TRANSFORM = 48              # cycles to transform a vector of tiles, in or out
    MIN_TILES = 12

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
    `storage`, `out_storage`: dtype names of input and output. `direct`: the output's last axis is contiguous.
    """
    cdef Plan plan
    cdef const kernel_set *kernel_set
    cdef Buffer memory
    cdef readonly str instruction_set
    cdef readonly str layout            # of the packed weights: "channel" or "pixel" tile, or "winograd"
    cdef readonly Py_ssize_t workspace  # bytes for each thread
    cdef readonly int threads
    cdef readonly tuple blocks

    def __init__(self, axes, int batch, int in_channels, int out_channels, int groups, storage, out_storage,
                 bint direct, int threads):
        cdef Plan *plan = &self.plan
        code, element = STORAGE[storage]
        self.kernel_set = _chosen
        self.instruction_set = get_instruction_set()
        plan.kernels = _chosen.element[<int>element]
        plan.load_row = _chosen.load_row[<int>code]
        plan.store_row = _chosen.store_row[<int>OUTPUT[out_storage]]
        plan.itemsize = 8 if element in (F64, I64) else 4
        plan.batch, plan.groups = batch, groups
        plan.channels, plan.filters = in_channels // groups, out_channels // groups
        plan.direct = direct
        plan.taps = 1
        for a, axis in enumerate(axes):
            plan.axis[a].out = axis.out
            plan.axis[a].kernel, plan.axis[a].stride, plan.axis[a].dilation = axis.kernel, axis.stride, axis.dilation
            plan.axis[a].virtual = (axis.out - 1) * axis.stride + axis.extent
            plan.out[a] = axis.out
            plan.taps *= axis.kernel
        plan.tile = 1
        cost = self._choose_tile()
        if self._winograd_wins(cost):
            self._choose_winograd()
        else:
            self._choose_blocks()
        self._divide(threads)
        self._allocate(axes)

    cdef _choose_tile(self):
        """Estimate both tiles' cycles for a row of outputs and one term; the lower wins.

        A step of either tile costs the largest of its multiply-adds (2 a cycle), its loads (2 a cycle) and
        the latency of a chain of multiply-adds (4 cycles); then the tile is stored, which is dear for the
        channel tile: it must be transposed. At equal counts the channel tile is faster, because broadcasts
        never cross cache lines.
        """
        cdef Plan *plan = &self.plan
        lanes, filters = plan.kernels.lanes, plan.filters
        out = plan.axis[2].out
        # Narrow planes: rows as one, if the slots between two rows are few.
        between = (plan.axis[2].kernel - 1) * plan.axis[2].dilation
        plan.flat = (plan.axis[2].stride == 1 and out <= 3 * lanes and plan.axis[1].out > 1 and 2 * between <= out)
        rows = 2 if out <= plan.kernels.tile_pixels // 2 and plan.axis[1].out > 1 else 1
        tiles = ceil_div(out * rows, plan.kernels.tile_pixels)
        pixels = out * rows / tiles
        width = CHANNEL_VECTORS * lanes
        terms = plan.channels * plan.taps
        step = max(pixels, (pixels + 2) / 2, 4) + 180 / terms
        channel_cost = ceil_div(filters, width) * tiles * step / rows
        self.layout = "channel"
        widths = []
        widest = 3 if plan.kernels.pixel_vectors[3] else 2
        left, pixel_cost = filters, 0.0
        while left:
            log2 = min(left.bit_length() - 1, widest)
            vectors = max((out + between) // lanes, 1) if plan.flat else ceil_div(out, lanes)
            tiles = ceil_div(vectors, plan.kernels.pixel_vectors[log2])
            size = (1 << log2) * vectors / tiles
            step = max(size / 2, ((1 << log2) + vectors / tiles) / 2, 4) + 1.5 * size / terms
            pixel_cost += 1.03 * tiles * step
            widths.append(1 << log2)
            left -= 1 << log2
        if pixel_cost < channel_cost:
            self.layout = "pixel"
        else:
            widths = [width] * ceil_div(filters, width)
        plan.channel_lanes = self.layout == "channel"
        plan.flat = plan.flat and not plan.channel_lanes
        plan.direct = plan.direct and not plan.flat
        self._set_widths(widths, plan.channels * plan.taps)
        return min(pixel_cost, channel_cost)

    cdef _set_widths(self, widths, Py_ssize_t terms):
        self.plan.n_blocks = len(widths)
        self.plan.group_bias = sum(widths)
        self.plan.group_weights = self.plan.group_bias * terms
        self.blocks = tuple(widths)

    cdef bint _winograd_wins(self, double direct):
        """Compare cycles for two rows of outputs of one channel, by the same model as above.

        The transforms take about TRANSFORM cycles for a vector of tiles. With few tiles the transformed
        weights, 16/9 of the weights, are read too often for what is computed with them.
        """
        cdef Plan *plan = &self.plan
        if plan.kernels.winograd == NULL:
            return False
        for a in range(1, 3):
            if plan.axis[a].kernel != 3 or plan.axis[a].stride != 1 or plan.axis[a].dilation != 1:
                return False
        rows, tiles = ceil_div(plan.out[1], 2), ceil_div(plan.out[2], 2)
        if rows * tiles < MIN_TILES:
            return False
        width = CHANNEL_VECTORS * plan.kernels.lanes
        products = 16 * ceil_div(plan.filters, width) * tiles
        vectors = ceil_div(tiles, plan.kernels.lanes)
        transforms = TRANSFORM * vectors * (1 + plan.filters / plan.channels)
        return 2 * rows * (products + transforms) < 0.9 * plan.out[1] * 9 * 2 * direct

    cdef _choose_winograd(self):
        """Blocks of whole tiles: enough for the register tile, few enough for the second-level cache."""
        cdef Plan *plan = &self.plan
        width = CHANNEL_VECTORS * plan.kernels.lanes
        terms = plan.channels * plan.axis[0].kernel
        self.layout = "winograd"
        self._set_widths([width] * ceil_div(plan.filters, width), 16 * terms)
        plan.tile = 2
        for a in range(1, 3):
            plan.axis[a].out = ceil_div(plan.out[a], 2)
            plan.axis[a].kernel, plan.axis[a].stride = 4, 2
            plan.axis[a].virtual = 2 * plan.axis[a].out + 2
        tiles = TRANSFORMED_BYTES // (16 * terms * plan.itemsize)
        tiles = min(max(tiles, plan.kernels.tile_pixels), 4 * plan.kernels.tile_pixels)
        columns = ceil_div(plan.axis[2].out, ceil_div(plan.axis[2].out, min(tiles, 28)))
        rows = max(1, min(plan.axis[1].out, tiles // columns))
        self._panel_bytes((1, rows, columns))

    cdef Py_ssize_t _panel_bytes(self, tuple block):
        cdef Plan *plan = &self.plan
        for a in range(3):
            lay_out(&plan.axis[a], block[a])
        plan.plane = <Py_ssize_t>plan.axis[1].slots * plan.axis[2].slots
        # An odd number of vectors from channel to channel: powers of two would share few cache sets.
        vectors = ceil_div(plan.axis[0].slots * plan.plane, plan.kernels.lanes) | 1
        plan.channel_stride = vectors * plan.kernels.lanes
        return (plan.channel_stride * plan.channels + PANEL_SLACK) * plan.itemsize

    cdef _choose_blocks(self):
        """Cut the axis that loses least by it, rows last, until the panel fits."""
        cdef Plan *plan = &self.plan
        cdef int tile = plan.kernels.tile_pixels if plan.channel_lanes else 3 * plan.kernels.lanes
        block = [plan.axis[a].out for a in range(3)]
        while self._panel_bytes(tuple(block)) > PANEL_BYTES:
            # how often a gathered slot is used by a block, relative to the slots its neighbour gathers again
            reuse = [block[a] * plan.axis[a].stride / ((plan.axis[a].kernel - 1) * plan.axis[a].dilation + 1)
                     if block[a] > 1 else 0 for a in range(2)]
            a = 0 if reuse[0] >= reuse[1] else 1
            if reuse[a] <= 3 and block[2] > 4 * tile or block[a] == 1:
                a = 2
                if block[2] <= tile:
                    break
            parts = ceil_div(plan.axis[a].out, block[a]) + 1
            size = ceil_div(plan.axis[a].out, parts)
            block[a] = min(block[a] - 1, ceil_div(size, tile) * tile if a == 2 else size)
        self._panel_bytes(tuple(block))

    cdef _divide(self, int threads):
        """Threads, and how many tasks share a panel's output channels so that all threads have work."""
        cdef Plan *plan = &self.plan
        cdef double macs = <double>plan.batch * plan.groups * plan.filters * plan.channels * plan.taps
        cdef Py_ssize_t tasks
        for a in range(3):
            macs *= plan.out[a]
        plan.threads = <int>max(1, min(threads, macs / MACS_PER_THREAD))
        blocks = plan.axis[0].blocks * plan.axis[1].blocks * plan.axis[2].blocks
        plan.group_tasks = <int>max(1, min(plan.groups, macs / (<double>plan.batch * blocks * MACS_PER_TASK)))
        tasks = <Py_ssize_t>plan.batch * plan.group_tasks * blocks
        while plan.threads > 1 and tasks < 4 * plan.threads:
            # smaller blocks along the longest of the outer axes; the bits of the result do not depend on it
            block = [plan.axis[a].block for a in range(3)]
            a = 0 if block[0] >= block[1] else 1
            if block[a] < 8:
                break
            block[a] = ceil_div(plan.axis[a].out, (plan.axis[a].blocks + 1))
            tasks = tasks // plan.axis[a].blocks
            self._panel_bytes(tuple(block))
            tasks *= plan.axis[a].blocks
        plan.shares = 1
        if plan.threads > 1 and tasks < 2 * plan.threads:
            plan.shares = min(plan.n_blocks, ceil_div(2 * plan.threads, tasks))
        plan.threads = min(plan.threads, tasks * plan.shares)
        self.threads = plan.threads

    cdef _allocate(self, axes):
        cdef Plan *plan = &self.plan
        cdef int a, v, b, t0, t1, t2, first = 0
        cdef int32_t *memory
        cdef Mode mode
        cdef Py_ssize_t before, size
        scratch = transformed = products = 0
        if plan.tile > 1:
            tiles = plan.axis[1].block * plan.axis[2].block
            plan.lane_slots = <int>ceil_div(tiles + plan.kernels.lanes, plan.kernels.lanes) * plan.kernels.lanes
            transformed = 16 * plan.channels * plan.axis[0].kernel * plan.lane_slots * plan.itemsize
            products = 16 * self.blocks[0] * plan.lane_slots * plan.itemsize
            scratch = 4 * plan.axis[2].block * plan.itemsize
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
        entries = taps + 2 * plan.n_blocks + sum(plan.axis[a].virtual for a in range(3))
        self.memory = Buffer(entries * sizeof(int32_t))
        memory = <int32_t *>self.memory.data
        plan.tap_offset, memory = memory, memory + <int>taps
        plan.first, memory = memory, memory + plan.n_blocks
        plan.width, memory = memory, memory + plan.n_blocks
        for b in range(plan.n_blocks):
            plan.first[b], plan.width[b] = first, self.blocks[b]
            first += plan.width[b]
        for a in range(3):
            plan.axis[a].source, memory = memory, memory + plan.axis[a].virtual
            mode, before, size = MODES[axes[a].mode], axes[a].before, axes[a].size
            for v in range(plan.axis[a].virtual):
                # whole tiles may look one position too far; only outputs that are not stored depend on it
                plan.axis[a].source[v] = <int32_t>_source_index(v - before, size, mode) if v < axes[a].virtual else -1
        b = 0
        for t0 in range(plan.axis[0].kernel):
            for t1 in range(plan.axis[1].kernel):
                for t2 in range(plan.axis[2].kernel):
                    plan.tap_offset[b] = <int32_t>(tap_slot(&plan.axis[0], t0) * plan.plane
                                                   + tap_slot(&plan.axis[1], t1) * plan.axis[2].slots
                                                   + tap_slot(&plan.axis[2], t2))
                    b += 1

    def pack(self, weights):
        """Weights in this plan's layout. `weights`: contiguous, element type, (out_channels, ...)."""
        cdef Plan *plan = &self.plan
        cdef Py_ssize_t terms = <Py_ssize_t>plan.channels * plan.taps
        cdef Buffer packed = Buffer(plan.groups * plan.group_weights * plan.itemsize)
        cdef Buffer block = Buffer(terms * max(self.blocks) * plan.itemsize if plan.tile > 1 else 0)
        cdef Py_buffer view
        cdef const char *source
        cdef char *target = packed.data
        cdef int group, b, rows
        PyObject_GetBuffer(weights, &view, PyBUF_STRIDES)
        with nogil:
            for group in range(plan.groups):
                for b in range(plan.n_blocks):
                    source = <const char *>view.buf + (group * plan.filters + plan.first[b]) * terms * plan.itemsize
                    rows = plan.filters - plan.first[b]
                    if rows > plan.width[b]:
                        rows = plan.width[b]
                    plan.kernels.pack_weights(block.data if plan.tile > 1 else target, source, terms, rows, terms,
                                              plan.width[b])
                    if plan.tile > 1:
                        plan.kernels.winograd.weights(block.data, target, terms // 9, plan.width[b])
                        target += 16 * (terms // 9) * plan.width[b] * plan.itemsize
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

    def run(self, x, terms, Buffer weights, Buffer bias, fill, y):
        """Convolve x (N, C, D, H, W) into y (N, K, D', H', W').

        `terms`: the weights that `weights` was packed from; `fill`: element type, () or (C,).
        """
        cdef Plan *plan = &self.plan
        cdef Call call
        cdef Py_buffer x_view, y_view, fill_view, terms_view
        cdef Py_ssize_t tasks = <Py_ssize_t>plan.batch * plan.group_tasks * plan.shares, task
        cdef int a
        for a in range(3):
            tasks *= plan.axis[a].blocks
        cdef Buffer workspace = Buffer(plan.threads * plan.workspace)
        PyObject_GetBuffer(x, &x_view, PyBUF_STRIDES)
        PyObject_GetBuffer(y, &y_view, PyBUF_STRIDES | PyBUF_WRITABLE)
        PyObject_GetBuffer(fill, &fill_view, PyBUF_STRIDES)
        call.x, call.y, call.fill = <const char *>x_view.buf, <char *>y_view.buf, <const char *>fill_view.buf
        call.fill_stride = plan.itemsize if fill_view.ndim else 0
        PyObject_GetBuffer(terms, &terms_view, PyBUF_STRIDES)
        call.weights, call.bias, call.terms = weights.data, bias.data, <const char *>terms_view.buf
        call.no_bias = bias.data + plan.groups * plan.group_bias * plan.itemsize
        if plan.tile > 1:  # lanes past the last tile are read before they are written: make them finite
            for a in range(plan.threads):
                memset(workspace.data + a * plan.workspace + plan.products_at, 0,
                       plan.workspace - plan.products_at)
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
