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
from libc.stdint cimport int32_t, int64_t

from index_map cimport Mode, mode_of, source_index
from kernels cimport panel_run
from panel cimport *
from pool cimport *
from pool_planes cimport *
from pool_tasks cimport *
from workspace cimport give_workspace, workspace_for

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
    FAR_BYTES = 16 * 1024 * 1024  # a larger input comes from memory
    ROWS_BYTES = 256 * 1024      # gathered rows share the second
    TAPS_PER_THREAD = 500000     # below this a second thread costs more than it brings


cdef const pool_set *set_of(name) except NULL:
    cdef const pool_set *candidates[3]
    candidates[0] = implicitpad_pool_avx512
    candidates[1] = implicitpad_pool_avx2
    candidates[2] = implicitpad_pool_baseline
    for i in range(3):
        if candidates[i] != NULL and candidates[i].name.decode() == name:
            return candidates[i]
    raise ValueError(f"implicitpad._pool_cpu: no kernels for instruction set {name!r}")


cdef class PoolPlan:
    """One pooling geometry, resolved for an instruction set.

    `axes`: three objects with size, kernel, stride, dilation, before, after, mode, out.
    `operation`: "max" or "mean". `divisor`: of all windows, or 0 to count taps; `count_pad`: also the
    padding's. `fill_given`: whether the padding can be the maximum. `in_place`: inputs hold elements, aligned,
    side by side along W; `out_place`: so do outputs. Plans are immutable.
    """
    cdef Plan plan
    cdef object tables
    cdef readonly str element           # dtype name of what is computed with: the fill has it
    cdef readonly Py_ssize_t workspace  # bytes for each thread
    cdef readonly int threads
    cdef readonly bint indices

    def __init__(self, axes, int batch, int channels, storage, operation, bint indices, double divisor,
                 bint count_pad, bint fill_given, bint in_place, bint out_place, instruction_set, int threads):
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
        rows = axes[1].stride + (axes[1].kernel - 1) * axes[1].dilation + 1
        plan.far = (elements * batch * channels * plan.item > FAR_BYTES
                    and rows * axes[2].size * plan.item <= LINE_BYTES)
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
        in_place, out_place = in_place and not wide, out_place and not wide
        plan.strips = in_place and out_place and self._in_strips(axes[2], indices)
        plan.in_place, plan.out_place = in_place and (plan.strips or not indices), out_place
        self._choose_blocks(threads)
        self._lay_out_workspace()
        self._make_tables(axes, storage, count_pad)

    cdef bint _in_strips(self, axis, bint indices):
        """Whether pool_band takes windows along this axis; it knows one kind of padding, and no fill that wins."""
        cdef Plan *plan = &self.plan
        hangs_out = plan.limit[2] < plan.axis[2].virtual
        padded = axis.before > 0 or min(plan.limit[2], plan.axis[2].virtual) > axis.before + axis.size
        plan.width = axis.size + min(axis.after, 0)
        fills_alike = plan.operation == POOL_MAX and not plan.fill_given
        return (axis.dilation == 1 and axis.stride <= 2 and 2 <= axis.kernel <= 3
                and (axis.mode == "constant" or not padded) and (fills_alike or not (indices or hangs_out)))

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
            if plan.strips:
                plan.axis[2].slots, plan.ring = plan.width, 0
                break
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
        plan.slices_at = place(plan.axis[0].kernel * sizeof(void *))
        plan.slice_index_at = place(plan.axis[0].kernel * sizeof(int64_t))
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
        plan.ring_at = place(0 if plan.in_place else plan.axis[0].kernel * plan.ring * plan.row_bytes)
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
            mode, before, size = <Mode>mode_of(axes[a].mode), axes[a].before, axes[a].size
            for v in range(axis.virtual):
                axis.source[v] = ABSENT if v >= plan.limit[a] else <int32_t>source_index(v - before, size, mode)
            plan.uniform = 0
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
                plan.uniform = counted if o == 0 or plan.uniform == counted else 0
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

    def run(self, x, fill, y, index):
        """Pool x (N, C, D, H, W) into y and index (or None). `fill`: element type, () or (C,)."""
        cdef Plan *plan = &self.plan
        cdef Call call
        cdef Py_buffer x_view, y_view, fill_view, index_view
        cdef Py_ssize_t tasks = (<Py_ssize_t>plan.batch * plan.channels * plan.axis[0].out * plan.bands
                                 * plan.axis[2].blocks), task
        cdef int a, t
        cdef char *workspace = workspace_for(plan.threads * plan.workspace)
        for t in range(plan.threads):
            (<Work *>(workspace + t * plan.workspace)).block = -1
            (<Work *>(workspace + t * plan.workspace)).filled = -1
        PyObject_GetBuffer(x, &x_view, PyBUF_STRIDES)
        PyObject_GetBuffer(y, &y_view, PyBUF_STRIDES | PyBUF_WRITABLE)
        PyObject_GetBuffer(fill, &fill_view, PyBUF_STRIDES)
        call.x, call.y, call.fill = <const char *>x_view.buf, <char *>y_view.buf, <const char *>fill_view.buf
        call.fill_stride = plan.item if fill_view.ndim else 0
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
        give_workspace(workspace)
        PyBuffer_Release(&x_view)
        PyBuffer_Release(&y_view)
        PyBuffer_Release(&fill_view)
        if index is not None:
            PyBuffer_Release(&index_view)


cdef Planes planes_of(const Py_buffer *view, storage, operation, bint in_place, instruction_set) except *:
    cdef Planes planes
    cdef const pool_set *kernels = set_of(instruction_set)
    cdef int a
    code, element, _ = STORAGE[storage]
    planes.kernels = kernels.element[<int>element]
    planes.load_row = NULL if in_place else kernels.load_row[0][<int>code]
    planes.operation = POOL_SUM if operation == "mean" else POOL_MAX
    planes.item = 4 if element in (POOL_F32, POOL_I32) else 8
    planes.x = <const char *>view.buf
    for a in range(5):
        planes.stride[a] = view.strides[a]
    planes.channels, planes.depth, planes.height = view.shape[1], view.shape[2], view.shape[3]
    planes.length = view.shape[4]
    return planes


def reduce_planes(x, out, storage, operation, bint in_place, instruction_set, int threads):
    """Planes of x (N, C, D, H, W), as bytes, to out: doubles, their means; or elements, their maxima.

    in_place: rows of x hold elements, aligned, side by side.
    """
    cdef Py_buffer view
    cdef Planes planes
    cdef char[::1] found = out
    cdef Py_ssize_t plane, n = x.shape[0] * x.shape[1], item
    PyObject_GetBuffer(x, &view, PyBUF_STRIDES)
    try:
        planes = planes_of(&view, storage, operation, in_place, instruction_set)
        item = found.shape[0] // n
        for plane in prange(n, nogil=True, num_threads=threads, schedule="static"):
            reduce_plane(&planes, plane, &found[0] + plane * item)
    finally:
        PyBuffer_Release(&view)


def average_parts(x, real[:, ::1] out, sizes, storage, bint in_place, instruction_set, int threads):
    """Means of sizes[0] x sizes[1] x sizes[2] parts of each plane of x: a row of out."""
    cdef Py_buffer view
    cdef Planes planes
    cdef char[::1] lines
    cdef Py_ssize_t parts[3]
    cdef Py_ssize_t plane, bytes_
    parts[0], parts[1], parts[2] = sizes
    PyObject_GetBuffer(x, &view, PyBUF_STRIDES)
    try:
        planes = planes_of(&view, storage, "mean", in_place, instruction_set)
        bytes_ = (planes.length * planes.item + 8 * POOL_SLACK + 63) // 64 * 64
        memory = bytearray(3 * bytes_ * threads)
        lines = memory
        for plane in prange(out.shape[0], nogil=True, num_threads=threads, schedule="static"):
            part_means(&planes, plane, parts, &out[plane, 0], &lines[0] + 3 * bytes_ * threadid(), bytes_)
    finally:
        PyBuffer_Release(&view)
