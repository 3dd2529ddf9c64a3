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

from index_map cimport CIRCULAR, CONSTANT, REFLECT, REPLICATE, SYMMETRIC, Mode
from index_map cimport source_index as _source_index
from kernels cimport *
from panel cimport *

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


cdef struct Call:
    const char *x               # input, byte strides of N, C, D, H, W
    Py_ssize_t x_stride[5]
    char *y                     # output, the same
    Py_ssize_t y_stride[5]
    const char *weights
    const char *bias
    const char *fill
    Py_ssize_t fill_stride      # bytes from one channel's fill to the next, or 0


cdef struct Plan:
    const element_kernels *kernels
    load_row_function *load_row
    store_row_function *store_row
    int itemsize                # of an element
    int batch, groups
    int channels, filters       # of one group
    int taps
    int32_t *tap_offset
    PanelAxis axis[3]
    Py_ssize_t plane            # slots of a panel in axes 1 and 2
    Py_ssize_t channel_stride   # slots from one channel of a panel to the next
    bint channel_lanes          # which register tile
    int n_blocks                # blocks of output channels in a group
    int32_t *first              # first channel of each block
    int32_t *width              # its channels: the packed width
    Py_ssize_t group_weights    # elements
    int group_bias
    int shares                  # tasks that divide the output channels of one panel
    int threads
    bint direct                 # results can be stored as they leave the registers
    Py_ssize_t scratch_at, source_at, runs_at, workspace   # byte offsets in a thread's workspace


cdef inline int even_start(int index, int parts, int total) noexcept nogil:
    """Where part `index` begins when `total` is cut into `parts` as evenly as possible."""
    return <int>(<long long>index * total // parts)


cdef void fill_panel(const Plan *plan, const Call *call, int image, int group, const int *first,
                     char *workspace) noexcept nogil:
    cdef int32_t *source = <int32_t *>(workspace + plan.source_at)
    cdef int32_t *source_h = source + plan.axis[0].slots
    cdef int32_t *source_w = source_h + plan.axis[1].slots
    cdef panel_run *runs = <panel_run *>(workspace + plan.runs_at)
    cdef int c, d, h, n_runs, channel
    cdef const char *x
    cdef const char *row
    cdef char *target
    slot_sources(&plan.axis[0], first[0], source)
    slot_sources(&plan.axis[1], first[1], source_h)
    slot_sources(&plan.axis[2], first[2], source_w)
    n_runs = runs_of(source_w, plan.axis[2].slots, runs)
    for c in range(plan.channels):
        channel = group * plan.channels + c
        x = call.x + image * call.x_stride[0] + channel * call.x_stride[1]
        target = workspace + c * plan.channel_stride * plan.itemsize
        for d in range(plan.axis[0].slots):
            for h in range(plan.axis[1].slots):
                row = NULL
                if source[d] >= 0 and source_h[h] >= 0:
                    row = x + source[d] * call.x_stride[2] + source_h[h] * call.x_stride[3]
                plan.load_row(target, row, call.x_stride[4], runs, n_runs,
                              call.fill + channel * call.fill_stride)
                target += <Py_ssize_t>plan.axis[2].slots * plan.itemsize


cdef void tile_row(const Plan *plan, const Call *call, int group, int block, const char *panel, int rows,
                   int pixels, char *out, Py_ssize_t out_channel, Py_ssize_t out_row) noexcept nogil:
    """One block of output channels at `rows` rows of `pixels` outputs (rows > 1 only for channel tiles)."""
    cdef int first = plan.first[block], width = plan.width[block]
    cdef int log2 = 0, t, n, at, count, vectors
    cdef int lanes = plan.kernels.lanes
    cdef Py_ssize_t terms = <Py_ssize_t>plan.channels * plan.taps
    cdef const char *weights = call.weights + (group * plan.group_weights + first * terms) * plan.itemsize
    cdef const char *bias = call.bias + (<Py_ssize_t>group * plan.group_bias + first) * plan.itemsize
    if plan.channel_lanes:
        n = (pixels * rows + plan.kernels.tile_pixels - 1) // plan.kernels.tile_pixels
        count = plan.filters - first if plan.filters - first < width else width
        for t in range(n):
            at = even_start(t, n, pixels)
            plan.kernels.channel_tile[rows][even_start(t + 1, n, pixels) - at](
                panel + at * plan.itemsize, plan.channel_stride, plan.axis[2].slots, plan.tap_offset,
                plan.channels, plan.taps, weights, bias, out + at * plan.itemsize, out_channel, out_row, count)
        return
    while 1 << log2 < width:
        log2 += 1
    vectors = (pixels + lanes - 1) // lanes
    n = (vectors + plan.kernels.pixel_vectors[log2] - 1) // plan.kernels.pixel_vectors[log2]
    for t in range(n):
        at = even_start(t, n, vectors)
        count = even_start(t + 1, n, vectors) - at
        plan.kernels.pixel_tile[log2][count](
            panel + at * lanes * plan.itemsize, plan.channel_stride, plan.tap_offset, plan.channels, plan.taps,
            weights, bias, out + at * lanes * plan.itemsize, out_channel,
            count * lanes if at + count < vectors else pixels - at * lanes)


cdef void tile_block(const Plan *plan, const Call *call, int image, int group, const int *first, const int *size,
                     int block_from, int block_to, char *workspace) noexcept nogil:
    """All outputs of one block, for output-channel blocks block_from ... block_to - 1."""
    cdef int item = plan.itemsize
    cdef int row_step = 1, block, d, h, k, row, rows, b, b_step, last
    cdef char *scratch = workspace + plan.scratch_at
    cdef Py_ssize_t area = <Py_ssize_t>size[1] * size[2]
    cdef const char *panel
    cdef char *out
    cdef char *y = (call.y + image * call.y_stride[0] + group * plan.filters * call.y_stride[1]
                    + first[0] * call.y_stride[2] + first[1] * call.y_stride[3] + first[2] * call.y_stride[4])
    if plan.channel_lanes and 1 < size[2] <= plan.kernels.tile_pixels // 2:
        row_step = 2
    # Channel tiles reuse a block of weights over all pixels; pixel tiles reuse a row over all weights.
    # Outputs that need converting pass through a scratch block, one block of channels at a time.
    b_step = 1 if plan.channel_lanes or not plan.direct else block_to - block_from
    block = block_from
    while block < block_to:
        for d in range(size[0]):
            for row in range((size[1] + row_step - 1) // row_step):
                h = row * row_step
                rows = row_step if h + row_step <= size[1] else 1
                panel = workspace + (d * plan.plane + <Py_ssize_t>h * plan.axis[2].slots) * item
                for b in range(block, block + b_step):
                    if plan.direct:
                        out = (y + plan.first[b] * call.y_stride[1] + d * call.y_stride[2]
                               + h * call.y_stride[3])
                        tile_row(plan, call, group, b, panel, rows, size[2], out, call.y_stride[1] // item,
                                 call.y_stride[3] // item)
                    else:
                        tile_row(plan, call, group, b, panel, rows, size[2],
                                 scratch + (d * area + h * size[2]) * item, size[0] * area, size[2])
        last = 0 if plan.direct else plan.filters - plan.first[block]
        for k in range(last if last < plan.width[block] else plan.width[block]):
            for d in range(size[0]):
                for h in range(size[1]):
                    plan.store_row(y + (plan.first[block] + k) * call.y_stride[1] + d * call.y_stride[2]
                                   + h * call.y_stride[3], call.y_stride[4],
                                   scratch + ((k * size[0] + d) * area + h * size[2]) * item, size[2])
        block += b_step


cdef void run_task(const Plan *plan, const Call *call, Py_ssize_t task, char *workspace) noexcept nogil:
    cdef int first[3]
    cdef int size[3]
    cdef int a, index, share
    cdef int group
    share = <int>(task % plan.shares)
    task //= plan.shares
    for a in range(2, -1, -1):
        index = <int>(task % plan.axis[a].blocks)
        task //= plan.axis[a].blocks
        first[a] = index * plan.axis[a].block
        size[a] = plan.axis[a].out - first[a]
        if size[a] > plan.axis[a].block:
            size[a] = plan.axis[a].block
    group = <int>(task % plan.groups)
    fill_panel(plan, call, <int>(task // plan.groups), group, first, workspace)
    tile_block(plan, call, <int>(task // plan.groups), group, first, size,
               even_start(share, plan.shares, plan.n_blocks), even_start(share + 1, plan.shares, plan.n_blocks),
               workspace)


cdef class ConvPlan:
    """One convolution geometry, resolved for the chosen instruction set.

    `axes`: three objects with size, kernel, stride, dilation, before, mode, out (implicitpad._geometry.Axis).
    `storage`, `out_storage`: dtype names of input and output. `direct`: the output's last axis is contiguous.
    """
    cdef Plan plan
    cdef const kernel_set *kernel_set
    cdef Buffer memory
    cdef readonly str instruction_set
    cdef readonly str layout            # of the packed weights: "channel" or "pixel" tile
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
            plan.taps *= axis.kernel
        self._choose_tile()
        self._choose_blocks()
        self._divide(threads)
        self._allocate(axes)

    cdef _choose_tile(self):
        """Estimate both tiles' cycles for a row of outputs and one term; the lower wins.

        A step of either tile costs the largest of its multiply-adds (2 a cycle), its loads (2 a cycle) and
        the latency of a chain of multiply-adds (4 cycles).
        """
        cdef Plan *plan = &self.plan
        lanes, filters = plan.kernels.lanes, plan.filters
        out = plan.axis[2].out
        rows = 2 if out <= plan.kernels.tile_pixels // 2 and plan.axis[1].out > 1 else 1
        tiles = ceil_div(out * rows, plan.kernels.tile_pixels)
        pixels = out * rows / tiles
        width = CHANNEL_VECTORS * lanes
        step = max(pixels, (pixels + 2) / 2, 4)
        channel_cost = ceil_div(filters, width) * tiles * step / rows
        self.layout = "channel"
        widths = []
        widest = 3 if plan.kernels.pixel_vectors[3] else 2
        left, pixel_cost = filters, 0.0
        while left:
            log2 = min(left.bit_length() - 1, widest)
            vectors = ceil_div(out, lanes)
            tiles = ceil_div(vectors, plan.kernels.pixel_vectors[log2])
            pixel_cost += tiles * max((1 << log2) * vectors / tiles / 2, ((1 << log2) + vectors / tiles) / 2, 4)
            widths.append(1 << log2)
            left -= 1 << log2
        if pixel_cost < channel_cost:
            self.layout = "pixel"
        else:
            widths = [width] * ceil_div(filters, width)
        plan.channel_lanes = self.layout == "channel"
        plan.n_blocks = len(widths)
        plan.group_bias = sum(widths)
        plan.group_weights = <Py_ssize_t>plan.group_bias * plan.channels * plan.taps
        self.blocks = tuple(widths)

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
        cdef Py_ssize_t tasks = <Py_ssize_t>plan.batch * plan.groups
        for a in range(3):
            macs *= plan.axis[a].out
            tasks *= plan.axis[a].blocks
        plan.threads = <int>max(1, min(threads, macs / MACS_PER_THREAD))
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
        scratch = 0
        if not plan.direct:
            scratch = max(self.blocks) * plan.itemsize
            for a in range(3):
                scratch *= plan.axis[a].block
        slots = sum(plan.axis[a].slots for a in range(3))
        plan.scratch_at = ceil_div((plan.channel_stride * plan.channels + PANEL_SLACK) * plan.itemsize, 64) * 64
        plan.source_at = ceil_div(plan.scratch_at + scratch, 64) * 64
        plan.runs_at = ceil_div(plan.source_at + slots * sizeof(int32_t), 64) * 64
        plan.workspace = ceil_div(plan.runs_at + plan.axis[2].slots * sizeof(panel_run), 4096) * 4096 + 64
        self.workspace = plan.workspace
        entries = plan.taps + 2 * plan.n_blocks + sum(plan.axis[a].virtual for a in range(3))
        self.memory = Buffer(entries * sizeof(int32_t))
        memory = <int32_t *>self.memory.data
        plan.tap_offset, memory = memory, memory + plan.taps
        plan.first, memory = memory, memory + plan.n_blocks
        plan.width, memory = memory, memory + plan.n_blocks
        for b in range(plan.n_blocks):
            plan.first[b], plan.width[b] = first, self.blocks[b]
            first += plan.width[b]
        for a in range(3):
            plan.axis[a].source, memory = memory, memory + plan.axis[a].virtual
            mode, before, size = MODES[axes[a].mode], axes[a].before, axes[a].size
            for v in range(plan.axis[a].virtual):
                plan.axis[a].source[v] = <int32_t>_source_index(v - before, size, mode)
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
        cdef Py_buffer view
        cdef const char *source
        cdef int group, b, rows
        PyObject_GetBuffer(weights, &view, PyBUF_STRIDES)
        source = <const char *>view.buf
        with nogil:
            for group in range(plan.groups):
                for b in range(plan.n_blocks):
                    rows = plan.filters - plan.first[b]
                    plan.kernels.pack_weights(
                        packed.data + (group * plan.group_weights + plan.first[b] * terms) * plan.itemsize,
                        source + (group * plan.filters + plan.first[b]) * terms * plan.itemsize, terms,
                        rows if rows < plan.width[b] else plan.width[b], terms, plan.width[b])
        PyBuffer_Release(&view)
        return packed

    def pack_bias(self, bias):
        """Bias (out_channels,) of the element type, each group padded to its packed width."""
        cdef Plan *plan = &self.plan
        cdef Buffer packed = Buffer(plan.groups * plan.group_bias * plan.itemsize)
        cdef Py_buffer view
        cdef int group
        PyObject_GetBuffer(bias, &view, PyBUF_STRIDES)
        for group in range(plan.groups):
            target = packed.data + group * plan.group_bias * plan.itemsize
            for b in range(plan.group_bias * plan.itemsize):
                target[b] = 0
            for b in range(plan.filters * plan.itemsize):
                target[b] = (<const char *>view.buf)[group * plan.filters * plan.itemsize + b]
        PyBuffer_Release(&view)
        return packed

    def run(self, x, Buffer weights, Buffer bias, fill, y):
        """Convolve x (N, C, D, H, W) into y (N, K, D', H', W'); `fill`: element type, () or (C,)."""
        cdef Plan *plan = &self.plan
        cdef Call call
        cdef Py_buffer x_view, y_view, fill_view
        cdef Py_ssize_t tasks = <Py_ssize_t>plan.batch * plan.groups * plan.shares, task
        cdef int a
        for a in range(3):
            tasks *= plan.axis[a].blocks
        cdef Buffer workspace = Buffer(plan.threads * plan.workspace)
        PyObject_GetBuffer(x, &x_view, PyBUF_STRIDES)
        PyObject_GetBuffer(y, &y_view, PyBUF_STRIDES | PyBUF_WRITABLE)
        PyObject_GetBuffer(fill, &fill_view, PyBUF_STRIDES)
        call.x, call.y, call.fill = <const char *>x_view.buf, <char *>y_view.buf, <const char *>fill_view.buf
        call.fill_stride = plan.itemsize if fill_view.ndim else 0
        call.weights, call.bias = weights.data, bias.data
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
