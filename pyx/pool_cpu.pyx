# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Pooling on the CPU: the framework around the kernels of pool.h.

    y[n, c, o] = op over t of x[n, c, e(o s + t d - p)]        e: the index map

A PoolPlan resolves one geometry: index tables, line layout, divisors. A run is one loop over independent
tasks (image, channel, depth, band of rows, block of columns), divided among threads. A task makes one line
for each row of outputs. Workspace is a few lines for each thread, and as many as a window has rows where
the input has to be converted or indices are wanted; none of it depends on the padding.

The caller (implicitpad._numpy_pool) has checked everything: dtypes, shapes, that there is an output.
"""

from cpython.buffer cimport PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cython.parallel cimport parallel, prange, threadid
from libc.stdint cimport int32_t, int64_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from index_map cimport CIRCULAR, CONSTANT, REFLECT, REPLICATE, SYMMETRIC, Mode, source_index
from kernels cimport load_row_function, panel_run, store_row_function
from panel cimport *
from pool cimport *

MODES = {"constant": CONSTANT, "replicate": REPLICATE, "reflect": REFLECT, "symmetric": SYMMETRIC,
         "circular": CIRCULAR}
# storage name -> (code, element, wide element); the order is that of kernels.h
STORAGE = {
    "float32": (0, POOL_F32, POOL_F64), "float64": (1, POOL_F64, POOL_F64),
    "float16": (2, POOL_F32, POOL_F64), "bfloat16": (3, POOL_F32, POOL_F64),
    "int8": (4, POOL_I32, POOL_I64), "uint8": (5, POOL_I32, POOL_I64),
    "int16": (6, POOL_I32, POOL_I64), "uint16": (7, POOL_I32, POOL_I64),
    "int32": (8, POOL_I32, POOL_I64), "uint32": (9, POOL_I64, POOL_I64),
    "int64": (10, POOL_I64, POOL_I64), "uint64": (11, POOL_U64, POOL_U64),
}
ELEMENTS = {POOL_F32: "float32", POOL_F64: "float64", POOL_I32: "int32", POOL_I64: "int64",
            POOL_U64: "uint64"}

cdef enum:
    LINE_BYTES = 16 * 1024       # a line, a row of outputs and the rows they come from share the first level
    ROWS_BYTES = 256 * 1024      # gathered rows share the second
    TAPS_PER_THREAD = 500000     # below this a second thread costs more than it brings
    ABSENT = -2                  # a virtual position past the padding, where ceil_mode lets a window hang out


cdef const pool_set *set_of(name) except NULL:
    cdef const pool_set *candidates[3]
    candidates[0] = implicitpad_pool_avx512
    candidates[1] = implicitpad_pool_avx2
    candidates[2] = implicitpad_pool_baseline
    for i in range(3):
        if candidates[i] != NULL and candidates[i].name.decode() == name:
            return candidates[i]
    raise ValueError(f"implicitpad._pool_cpu: no kernels for instruction set {name!r}")


cdef struct Call:
    const char *x               # input, byte strides of N, C, D, H, W
    Py_ssize_t x_stride[5]
    char *y                     # output, the same
    Py_ssize_t y_stride[5]
    char *index                 # indices of the maxima, the same; or NULL
    Py_ssize_t index_stride[5]
    const char *fill
    Py_ssize_t fill_stride      # bytes from one channel's fill to the next, or 0
    Py_ssize_t x_plane, x_row   # elements of a slice along D, of a row
    bint in_place               # rows are reduced where they lie
    bint out_place              # outputs are stored as they are computed


cdef struct Plan:
    const pool_kernels *kernels
    load_row_function *load_row
    store_row_function *store_row
    store_row_function *store_index
    int operation, item         # item: bytes of an element
    int batch, channels
    PanelAxis axis[3]
    int before                  # padding before a row
    int limit[3]                # virtual positions that exist; the taps beyond are left out
    int bands, band             # of rows of outputs
    bint dense                  # the line holds all columns; otherwise one stretch of them for each tap
    int line_stride             # from one output's columns to the next one's
    int32_t *tap_offset
    double divisor              # of all windows, or 0: their counts
    double *count[2]            # taps that count, per output, along D and H
    char *count_w               # the same along W, as elements
    char *first_w               # first element of the input in each output's window along W, as indices
    char *padded_w              # whether the window has padding
    char *neutral               # one element that changes no result
    int ring                    # gathered rows of one depth tap; row v is kept at v mod ring, or at its tap
    bint by_tap
    bint fill_given
    int threads
    Py_ssize_t line_at, fill_at, out_at, index_at, columns_at, source_at, runs_at, absent_at, rows_at
    Py_ssize_t steps_at, numbers_at, ring_at, row_bytes, workspace


# What a thread's workspace holds now; it starts with this.
cdef struct Work:
    int block                   # of columns
    int n_runs, n_absent
    int filled                  # channel whose fill the fill row holds


cdef inline void line_sources(const Plan *plan, int first, int32_t *source) noexcept nogil:
    cdef const PanelAxis *axis = &plan.axis[2]
    cdef int slot, start = first * axis.stride
    if not plan.dense:
        slot_sources(axis, first, source)
        return
    for slot in range(axis.slots):
        source[slot] = axis.source[start + slot] if start + slot < axis.virtual else ABSENT


cdef void prepare(const Plan *plan, int block, char *workspace) noexcept nogil:
    """Where the slots of a block's line come from."""
    cdef Work *work = <Work *>workspace
    cdef int32_t *source = <int32_t *>(workspace + plan.source_at)
    cdef int32_t *absent = <int32_t *>(workspace + plan.absent_at)
    cdef int64_t *columns = <int64_t *>(workspace + plan.columns_at)
    cdef int slot
    line_sources(plan, block * plan.axis[2].block, source)
    work.block = block
    work.n_runs = runs_of(source, plan.axis[2].slots, <panel_run *>(workspace + plan.runs_at))
    work.n_absent = 0
    for slot in range(plan.axis[2].slots):
        if source[slot] == ABSENT:
            absent[work.n_absent] = slot
            work.n_absent += 1
        # next to the input, padding continues its columns; it is never chosen
        if source[slot] < 0:
            source[slot] = block * plan.axis[2].block * plan.axis[2].stride + slot - plan.before
        if plan.item == 8:
            columns[slot] = source[slot]
    if plan.item == 4:
        memcpy(columns, source, plan.axis[2].slots * sizeof(int32_t))


cdef void reduce_rows(const Plan *plan, const Call *call, const void **rows, int n_rows,
                      char *workspace) noexcept nogil:
    """The line of `n_rows` input rows, each at its column 0; NULL: a row of padding."""
    cdef Work *work = <Work *>workspace
    cdef const panel_run *runs = <panel_run *>(workspace + plan.runs_at)
    cdef const void **at = <const void **>(workspace + plan.rows_at) + n_rows
    cdef Py_ssize_t *steps = <Py_ssize_t *>(workspace + plan.steps_at)
    cdef int r, i
    cdef bint inside
    for r in range(work.n_runs):
        for i in range(n_rows):
            inside = runs[r].source >= 0 and rows[i] != NULL
            steps[i] = runs[r].step if inside else runs[r].step == 1
            at[i] = workspace + plan.fill_at
            if inside:
                at[i] = <const char *>rows[i] + <Py_ssize_t>runs[r].source * plan.item
        plan.kernels.columns[plan.operation](workspace + plan.line_at + <Py_ssize_t>runs[r].slot * plan.item,
                                             at, steps, n_rows, runs[r].step == 1, runs[r].length)


cdef inline const char *gathered(const Plan *plan, const Call *call, const char *row, int tap_d, int tap_h,
                                 int virtual, const char *fill, char *workspace) noexcept nogil:
    """A row of the input as a line with padding, gathered unless the last window has left it there."""
    cdef Work *work = <Work *>workspace
    cdef int slot = tap_d * plan.ring + (tap_h if plan.by_tap else virtual % plan.ring)
    cdef int32_t *numbers = <int32_t *>(workspace + plan.numbers_at)
    cdef char *line = workspace + plan.ring_at + slot * plan.row_bytes
    if numbers[slot] != virtual:
        numbers[slot] = virtual
        plan.load_row(line, row, call.x_stride[4], <panel_run *>(workspace + plan.runs_at), work.n_runs, fill)
    return line


cdef void pool_row(const Plan *plan, const Call *call, int image, int channel, int d, int h, int first, int n,
                   char *workspace) noexcept nogil:
    """One row of at most a block of outputs."""
    cdef Work *work = <Work *>workspace
    cdef const void **rows = <const void **>(workspace + plan.rows_at)
    cdef int64_t *row_index = <int64_t *>(workspace + plan.steps_at)
    cdef const PanelAxis *axis = plan.axis
    cdef const char *fill = call.fill + channel * call.fill_stride
    cdef const char *x = call.x + image * call.x_stride[0] + channel * call.x_stride[1]
    cdef const char *row
    cdef char *y = (call.y + image * call.y_stride[0] + channel * call.y_stride[1] + d * call.y_stride[2]
                    + h * call.y_stride[3] + first * call.y_stride[4])
    cdef char *out = y if call.out_place else workspace + plan.out_at
    cdef char *line = workspace + plan.line_at
    cdef int kd, kh, vd, vh, sd, sh, i, n_rows = 0
    cdef int64_t first_row = -1
    cdef bint padded = False
    cdef double scale
    for kd in range(axis[0].kernel):
        vd = d * axis[0].stride + kd * axis[0].dilation
        if vd >= plan.limit[0]:
            break
        sd = axis[0].source[vd]
        for kh in range(axis[1].kernel):
            vh = h * axis[1].stride + kh * axis[1].dilation
            if vh >= plan.limit[1]:
                break
            sh = axis[1].source[vh]
            row = NULL
            if sd >= 0 and sh >= 0:
                row = x + sd * call.x_stride[2] + sh * call.x_stride[3]
            if call.index != NULL:
                if row == NULL:
                    padded = True
                    continue
                row_index[n_rows] = sd * call.x_plane + sh * call.x_row
                if first_row < 0:
                    first_row = row_index[n_rows]
                row = gathered(plan, call, row, kd, kh, vh, plan.neutral, workspace)
            elif not call.in_place:
                row = gathered(plan, call, row, kd, kh, vh, fill, workspace)
            rows[n_rows] = row
            n_rows += 1
    if call.index != NULL:
        plan.kernels.arg(out, workspace + plan.index_at, rows, row_index, n_rows, workspace + plan.columns_at, n,
                         plan.line_stride, plan.dense, plan.tap_offset, axis[2].kernel,
                         plan.first_w + <Py_ssize_t>first * plan.item, first_row, plan.neutral)
        if plan.fill_given:
            plan.kernels.fill(out, workspace + plan.index_at, NULL if padded else plan.padded_w + first, n, fill)
        plan.store_index(call.index + image * call.index_stride[0] + channel * call.index_stride[1]
                         + d * call.index_stride[2] + h * call.index_stride[3] + first * call.index_stride[4],
                         call.index_stride[4], workspace + plan.index_at, n)
    else:
        if call.in_place:
            reduce_rows(plan, call, rows, n_rows, workspace)
        else:
            plan.kernels.columns[plan.operation](line, rows, NULL, n_rows, True, axis[2].slots)
        for i in range(work.n_absent):
            memcpy(line + <Py_ssize_t>(<int32_t *>(workspace + plan.absent_at))[i] * plan.item, plan.neutral,
                   plan.item)
        scale = plan.divisor if plan.divisor != 0 else plan.count[0][d] * plan.count[1][h]
        plan.kernels.windows[plan.operation](out, line, n, plan.line_stride, plan.tap_offset, axis[2].kernel,
                                             plan.count_w + <Py_ssize_t>first * plan.item, scale)
    if not call.out_place:
        plan.store_row(y, call.y_stride[4], out, n)


cdef void run_task(const Plan *plan, const Call *call, Py_ssize_t task, char *workspace) noexcept nogil:
    cdef Work *work = <Work *>workspace
    cdef int32_t *numbers = <int32_t *>(workspace + plan.numbers_at)
    cdef panel_run whole
    cdef int block, band, d, h, n, i, channel, image, first, fill
    block = <int>(task % plan.axis[2].blocks)
    task //= plan.axis[2].blocks
    band = <int>(task % plan.bands)
    task //= plan.bands
    d = <int>(task % plan.axis[0].out)
    task //= plan.axis[0].out
    channel = <int>(task % plan.channels)
    image = <int>(task // plan.channels)
    first = block * plan.axis[2].block
    n = plan.axis[2].out - first
    if n > plan.axis[2].block:
        n = plan.axis[2].block
    if work.block != block:
        prepare(plan, block, workspace)
    if call.in_place:
        fill = channel if call.fill_stride else 0
        if work.filled != fill:
            work.filled = fill
            whole.slot, whole.length, whole.source, whole.step = 0, plan.axis[2].slots, -1, 1
            plan.load_row(workspace + plan.fill_at, NULL, 0, &whole, 1, call.fill + channel * call.fill_stride)
    else:
        for i in range(plan.axis[0].kernel * plan.ring):
            numbers[i] = -1
    for h in range(band * plan.band, min((band + 1) * plan.band, plan.axis[1].out)):
        pool_row(plan, call, image, channel, d, h, first, n, workspace)


cdef class PoolPlan:
    """One pooling geometry, resolved for an instruction set.

    `axes`: three objects with size, kernel, stride, dilation, before, after, mode, out.
    `operation`: "max" or "mean". `divisor`: of all windows, or 0 to count taps; `count_pad`: also the
    padding's. `fill_given`: whether the padding can be the maximum. Plans are immutable.
    """
    cdef Plan plan
    cdef object tables
    cdef readonly str element           # dtype name of what is computed with: the fill has it
    cdef readonly Py_ssize_t workspace  # bytes for each thread
    cdef readonly int threads
    cdef readonly bint indices

    def __init__(self, axes, int batch, int channels, storage, operation, bint indices, double divisor,
                 bint count_pad, bint fill_given, instruction_set, int threads):
        cdef Plan *plan = &self.plan
        cdef const pool_set *kernels = set_of(instruction_set)
        elements = 1
        for axis in axes:
            elements *= axis.size
        cdef bint wide = indices and elements > 0x7fffffff
        code, element, wide_element = STORAGE[storage]
        if wide:
            element = wide_element
        self.element, self.indices = ELEMENTS[element], indices
        plan.kernels = kernels.element[<int>element]
        plan.load_row = kernels.load_row[<int>wide][<int>code]
        plan.store_row = kernels.store_row[<int>wide][<int>code]
        plan.item = 4 if element in (POOL_F32, POOL_I32) else 8
        plan.store_index = kernels.store_index[plan.item == 8]
        plan.operation = POOL_SUM if operation == "mean" else POOL_MAX
        plan.batch, plan.channels = batch, channels
        plan.divisor, plan.fill_given = divisor, fill_given
        plan.before = axes[2].before
        for a, axis in enumerate(axes):
            plan.axis[a].out = axis.out
            plan.axis[a].kernel, plan.axis[a].stride, plan.axis[a].dilation = axis.kernel, axis.stride, axis.dilation
            plan.axis[a].virtual = (axis.out - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1
            plan.limit[a] = min(plan.axis[a].virtual, axis.before + axis.size + axis.after)
        self._choose_blocks(threads)
        self._lay_out_workspace()
        self._make_tables(axes, storage, count_pad)

    cdef _lay_out_line(self, int block):
        """Dense, so that rows are read as they lie, unless windows leave out most of what they span."""
        cdef Plan *plan = &self.plan
        cdef PanelAxis *axis = &plan.axis[2]
        cdef double dense = <double>(block - 1) * axis.stride + (axis.kernel - 1) * <double>axis.dilation + 1
        axis.block, axis.blocks = block, <int>ceil_div(axis.out, block)
        axis.phase = 0
        plan.dense = dense <= 4.0 * axis.kernel * block
        plan.line_stride = axis.stride if plan.dense and block > 1 else 1
        axis.slots = <int>dense if plan.dense else axis.kernel * block

    cdef _choose_blocks(self, int threads):
        cdef Plan *plan = &self.plan
        cdef int span = (plan.axis[1].kernel - 1) * plan.axis[1].dilation + 1
        cdef double taps = <double>plan.batch * plan.channels
        plan.by_tap = span > 2 * plan.axis[1].kernel
        plan.ring = plan.axis[1].kernel if plan.by_tap else span
        block = plan.axis[2].out
        while True:
            self._lay_out_line(block)
            rows = plan.axis[0].kernel * plan.ring
            bytes_ = <double>plan.axis[2].slots * plan.item
            if block <= 64 or bytes_ <= LINE_BYTES and rows * bytes_ <= ROWS_BYTES:
                break
            block = max(64, ceil_div(plan.axis[2].out, plan.axis[2].blocks + 1) // 16 * 16)
            if block >= plan.axis[2].block:
                block = max(64, plan.axis[2].block - 16)
        for a in range(3):
            taps *= <double>plan.axis[a].out * (1 if a == 2 else plan.axis[a].kernel)
        plan.threads = <int>max(1, min(threads, taps / TAPS_PER_THREAD))
        tasks = <Py_ssize_t>plan.batch * plan.channels * plan.axis[0].out * plan.axis[2].blocks
        plan.bands = 1
        if plan.threads > 1 and tasks < 4 * plan.threads:
            plan.bands = max(1, min(ceil_div(4 * plan.threads, tasks), plan.axis[1].out // 8))
        plan.band = <int>ceil_div(plan.axis[1].out, plan.bands)
        plan.bands = <int>ceil_div(plan.axis[1].out, plan.band)
        plan.threads = min(plan.threads, tasks * plan.bands)
        self.threads = plan.threads

    cdef _lay_out_workspace(self):
        cdef Plan *plan = &self.plan
        cdef Py_ssize_t end = sizeof(Work)
        slots, taps = plan.axis[2].slots, plan.axis[0].kernel * plan.axis[1].kernel
        slack = 8 * POOL_SLACK * (1 + plan.line_stride)

        def place(size):
            nonlocal end
            start = (end + 63) // 64 * 64
            end = start + size
            return start

        plan.row_bytes = (<Py_ssize_t>slots * plan.item + slack + 63) // 64 * 64 | 64
        plan.line_at = place(plan.row_bytes)
        plan.fill_at = place(plan.row_bytes)
        plan.out_at = place(plan.axis[2].block * plan.item + slack)
        plan.index_at = place(plan.axis[2].block * 8 + slack)
        plan.columns_at = place(slots * 8 + slack)
        plan.source_at = place(slots * 4)
        plan.runs_at = place(slots * sizeof(panel_run))
        plan.absent_at = place(slots * 4)
        plan.rows_at = place(2 * taps * sizeof(void *))
        plan.steps_at = place(taps * 8)
        plan.numbers_at = place(plan.axis[0].kernel * plan.ring * 4)
        plan.ring_at = place(plan.axis[0].kernel * plan.ring * plan.row_bytes)
        plan.workspace = self.workspace = ceil_div(end, 4096) * 4096 + 64

    cdef _make_tables(self, axes, storage, bint count_pad):
        cdef Plan *plan = &self.plan
        cdef PanelAxis *axis
        cdef Mode mode
        cdef Py_ssize_t before, size, out_w = plan.axis[2].out + POOL_SLACK
        cdef int a, o, k, v, counted
        cdef int64_t first
        cdef bint padded
        cdef char *memory
        sizes = [8, 8 * plan.axis[0].out, 8 * plan.axis[1].out, 8 * out_w, 8 * out_w]
        sizes += [4 * plan.axis[0].virtual, 4 * plan.axis[1].virtual, 4 * plan.axis[2].virtual,
                  4 * plan.axis[2].kernel, out_w]
        self.tables = bytearray(sum(sizes))
        cdef char[::1] view = self.tables
        memory = &view[0]
        plan.neutral, memory = memory, memory + 8
        plan.count[0], memory = <double *>memory, memory + 8 * plan.axis[0].out
        plan.count[1], memory = <double *>memory, memory + 8 * plan.axis[1].out
        plan.count_w, memory = memory, memory + 8 * out_w
        plan.first_w, memory = memory, memory + 8 * out_w
        for a in range(3):
            plan.axis[a].source, memory = <int32_t *>memory, memory + 4 * plan.axis[a].virtual
        plan.tap_offset, memory = <int32_t *>memory, memory + 4 * plan.axis[2].kernel
        plan.padded_w = memory
        for k in range(plan.axis[2].kernel):
            plan.tap_offset[k] = (k * plan.axis[2].dilation if plan.dense
                                  else tap_slot(&plan.axis[2], k))
        for a in range(3):
            axis = &plan.axis[a]
            mode, before, size = MODES[axes[a].mode], axes[a].before, axes[a].size
            for v in range(axis.virtual):
                axis.source[v] = ABSENT if v >= plan.limit[a] else <int32_t>source_index(v - before, size, mode)
            for o in range(axis.out):
                counted, first, padded = 0, -1, False
                for k in range(axis.kernel):
                    v = axis.source[o * axis.stride + k * axis.dilation]
                    counted += v != ABSENT and (v >= 0 or count_pad)
                    padded = padded or v == -1
                    if v >= 0 and first < 0:
                        first = v
                if a < 2:
                    plan.count[a][o] = counted
                    continue
                plan.padded_w[o] = padded
                if plan.divisor != 0:
                    counted = 1
                if plan.item == 4:
                    (<float *>plan.count_w)[o] = counted
                    (<int32_t *>plan.first_w)[o] = <int32_t>first
                else:
                    (<double *>plan.count_w)[o] = counted
                    (<int64_t *>plan.first_w)[o] = first
        self._set_neutral(storage)

    cdef _set_neutral(self, storage):
        """0 for sums (the negative one: it keeps the sign of the others), the lowest value for maxima."""
        cdef char *neutral = self.plan.neutral
        if self.element == "float32":
            (<float *>neutral)[0] = -0.0 if self.plan.operation == POOL_SUM else -float("inf")
        elif self.element == "float64":
            (<double *>neutral)[0] = -0.0 if self.plan.operation == POOL_SUM else -float("inf")
        elif storage[0] != "u":
            bits = int(storage[3:])
            if self.plan.item == 4:
                (<int32_t *>neutral)[0] = -(1 << (bits - 1))
            else:
                (<int64_t *>neutral)[0] = -(1 << (bits - 1))

    def run(self, x, fill, y, index, bint in_place, bint out_place):
        """Pool x (N, C, D, H, W) into y and index (or None).

        `fill`: element type, () or (C,). `in_place`: x holds elements, aligned, side by side along W;
        `out_place`: so does y.
        """
        cdef Plan *plan = &self.plan
        cdef Call call
        cdef Py_buffer x_view, y_view, fill_view, index_view
        cdef Py_ssize_t tasks = (<Py_ssize_t>plan.batch * plan.channels * plan.axis[0].out * plan.bands
                                 * plan.axis[2].blocks), task
        cdef int a, t
        cdef char *memory = <char *>malloc(plan.threads * plan.workspace + 64)
        if memory == NULL:
            raise MemoryError(f"implicitpad: {plan.threads * plan.workspace} bytes of workspace")
        cdef char *workspace = <char *>((<uintptr_t>memory + 63) & ~<uintptr_t>63)
        for t in range(plan.threads):
            (<Work *>(workspace + t * plan.workspace)).block = -1
            (<Work *>(workspace + t * plan.workspace)).filled = -1
        PyObject_GetBuffer(x, &x_view, PyBUF_STRIDES)
        PyObject_GetBuffer(y, &y_view, PyBUF_STRIDES | PyBUF_WRITABLE)
        PyObject_GetBuffer(fill, &fill_view, PyBUF_STRIDES)
        call.x, call.y, call.fill = <const char *>x_view.buf, <char *>y_view.buf, <const char *>fill_view.buf
        call.fill_stride = plan.item if fill_view.ndim else 0
        call.in_place = in_place and index is None
        call.out_place = out_place
        call.x_row, call.x_plane = x_view.shape[4], x_view.shape[3] * x_view.shape[4]
        call.index = NULL
        if index is not None:
            PyObject_GetBuffer(index, &index_view, PyBUF_STRIDES | PyBUF_WRITABLE)
            call.index = <char *>index_view.buf
        for a in range(5):
            call.x_stride[a], call.y_stride[a] = x_view.strides[a], y_view.strides[a]
            if index is not None:
                call.index_stride[a] = index_view.strides[a]
        with nogil:
            if plan.threads == 1:
                for task in range(tasks):
                    run_task(plan, &call, task, workspace)
            else:
                with parallel(num_threads=plan.threads):
                    for task in prange(tasks, schedule="dynamic"):
                        run_task(plan, &call, task, workspace + threadid() * plan.workspace)
        free(memory)
        PyBuffer_Release(&x_view)
        PyBuffer_Release(&y_view)
        PyBuffer_Release(&fill_view)
        if index is not None:
            PyBuffer_Release(&index_view)
