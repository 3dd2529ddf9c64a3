# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The weight gradient of convolutions on the CPU: blocks, index tables, threads.

Divided by what it writes: one thread sums an output from first to last, in blocks that depend on the
geometry alone. There are no atomics and no reduction buffers.
"""

from itertools import product

from cpython.buffer cimport PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.pycapsule cimport PyCapsule_GetPointer
from cython.parallel cimport parallel, prange, threadid
from libc.stdint cimport int32_t
from libc.stdlib cimport free, malloc

from gradient_lanes cimport lanes_task
from gradient_plan cimport Operands, WeightPlan
from gradient_planning cimport choose_direct, choose_winograd
from gradient_tasks cimport direct_task
from gradient_winograd cimport winograd_task
from kernels cimport *
from panel cimport *
from planning cimport MACS_PER_THREAD
from tables cimport fill_table
from workspace cimport give_workspace, workspace_for


cdef inline void run_task(const WeightPlan *plan, const Operands *arrays, Py_ssize_t task,
                          char *workspace) noexcept nogil:
    if plan.tile > 1:
        winograd_task(plan, arrays, task, workspace)
    elif plan.pixel_lanes:
        lanes_task(plan, arrays, task, workspace)
    else:
        direct_task(plan, arrays, task, workspace)


cdef class WeightGradient:
    """The weight gradient for one geometry and one set of kernels.

    `axes`: three objects with size, kernel, stride, dilation, extent, before, mode, out. `kernels`, `codes`:
    from _conv_cpu. `exchanged`: x and dy are, nothing being windowed. `finite`: the fill is. `fast`:
    F(4x4, 3x3) may be used.
    """
    cdef WeightPlan plan
    cdef int32_t *memory
    cdef object kernels
    cdef int threads
    cdef readonly str algorithm         # "direct", "winograd", "winograd4"
    cdef readonly Py_ssize_t workspace  # bytes for each thread

    @property
    def corrected(self):
        """Does `run` leave out what the fill adds?"""
        return self.plan.corrected

    def __init__(self, axes, int batch, int in_channels, int out_channels, int groups, kernels, codes,
                 bint exchanged, bint finite, bint fast, int threads):
        cdef WeightPlan *plan = &self.plan
        cdef const kernel_set *chosen = <const kernel_set *>PyCapsule_GetPointer(kernels, "implicitpad.kernel_set")
        cdef double macs = <double>batch * out_channels * (in_channels // groups)
        storage, element, _ = codes
        self.kernels = kernels
        plan.kernels = chosen.element[<int>element]
        plan.load_row = chosen.load_row[<int>storage]
        plan.itemsize = 8 if element == F64 else 4
        plan.plain = storage == element
        plan.batch, plan.groups = batch, groups
        plan.channels, plan.filters = in_channels // groups, out_channels // groups
        plan.taps, plan.untouched = 1, plan.plain
        for a, axis in enumerate(axes):
            if axis.kernel * axis.stride > 1 or axis.before != 0 or axis.out != axis.size:
                plan.untouched = False
            plan.axis[a].out = axis.out
            plan.axis[a].kernel, plan.axis[a].stride, plan.axis[a].dilation = axis.kernel, axis.stride, axis.dilation
            plan.axis[a].virtual = (axis.out - 1) * axis.stride + axis.extent
            plan.taps *= axis.kernel
            macs *= axis.kernel * axis.out
        plan.n_blocks = ceil_div(plan.filters, CHANNEL_VECTORS * plan.kernels.lanes)
        plan.corrected, plan.exchanged = False, exchanged
        plan.pixel_lanes = False
        if finite and choose_winograd(plan, fast):
            plan.untouched, plan.corrected = False, plan.tile > 2
        else:
            choose_direct(plan)
        while plan.shares < plan.n_blocks and threads > 1 and plan.shares * plan.slices * groups < 2 * threads:
            plan.shares += 1
        self.algorithm = {1: "direct", 2: "winograd", 4: "winograd4"}[plan.tile]
        self._allocate(axes)
        self.threads = <int>max(1, min(threads, macs / MACS_PER_THREAD, groups * plan.shares * plan.slices))

    cdef _allocate(self, axes):
        cdef WeightPlan *plan = &self.plan
        cdef int a, c
        cdef int32_t *memory
        channels = ceil_div(plan.channels, plan.slices)
        pixels = plan.images
        for a in range(3):
            pixels *= plan.axis[a].block
        rows = pixels // plan.axis[2].block
        lanes, width = plan.kernels.lanes, CHANNEL_VECTORS * plan.kernels.lanes
        plan.pitch = ceil_div(pixels, lanes) * lanes
        filter_blocks = ceil_div(plan.n_blocks, plan.shares)
        sums = (filter_blocks * channels * plan.taps + lanes) * width * plan.itemsize
        panel_channels, winograd = channels, (0,) * 3
        if plan.pixel_lanes:
            sums = plan.filters * channels * plan.taps * sizeof(double)
        if plan.tile > 1:
            positions, terms = (plan.tile + 2) ** 2, plan.kernels.gradient.terms
            panel_channels = min(channels, lanes)
            sets = filter_blocks * ceil_div(channels, terms) if plan.kept else lanes // terms
            sums = sets * plan.set_sums * plan.itemsize
            winograd = (ceil_div(plan.plane, lanes) * lanes * lanes * plan.itemsize,
                        positions * plan.input_stride * plan.itemsize, positions * plan.dy_stride * plan.itemsize)
        ends = [(plan.channel_stride * panel_channels + PANEL_SLACK) * plan.itemsize]
        for size in (width * plan.pitch * plan.itemsize, width * plan.pitch * plan.itemsize, sums,
                     sum(plan.axis[a].slots for a in range(3)) * sizeof(int32_t),
                     plan.axis[2].slots * sizeof(panel_run), rows * sizeof(int32_t), *winograd):
            ends.append(ceil_div(ends[len(ends) - 1], 64) * 64 + size)
        starts = [ceil_div(end, 64) * 64 for end in ends]
        (plan.dy_at, plan.packed_at, plan.sums_at, plan.source_at, plan.runs_at, plan.rows_at, plan.lines_at,
         plan.inputs_at, plan.gradients_at, end) = starts
        # a line more than whole pages: threads' workspaces must not share cache sets
        plan.workspace = self.workspace = ceil_div(end, 4096) * 4096 + 64
        memory = self.memory = <int32_t *>malloc(
            (2 * channels * plan.taps + sum(plan.axis[a].virtual for a in range(3))) * sizeof(int32_t))
        if memory == NULL:
            raise MemoryError("implicitpad: tables of a weight gradient")
        for a in range(3):
            plan.axis[a].source, memory = memory, memory + plan.axis[a].virtual
            fill_table(&plan.axis[a], axes[a], None)
        plan.offset = memory
        taps = [tap_slot(&plan.axis[0], i) * plan.plane + tap_slot(&plan.axis[1], j) * plan.axis[2].slots
                + tap_slot(&plan.axis[2], k)
                for i, j, k in product(*[range(plan.axis[a].kernel) for a in range(3)])]
        for c in range(channels):
            for tap in taps:
                memory[0], memory = c * plan.channel_stride + <Py_ssize_t>tap, memory + 1

    def __dealloc__(self):
        free(self.memory)

    def run(self, x, dy, fill, dw):
        """From x (N, C, D, H, W) and dy (N, K, D', H', W') of the storage type; any strides.

        `fill`: element type, () or (C,). Into dw, contiguous (K, C / groups, taps), element type. Returns whether
        Winograd's transforms met infinities or NaN: rows of dw that hold such may be wrong.
        """
        cdef WeightPlan *plan = &self.plan
        cdef Operands arrays
        cdef Py_buffer x_view, dy_view, dw_view, fill_view
        cdef Py_ssize_t task, tasks = <Py_ssize_t>plan.groups * plan.shares * plan.slices
        cdef int a, c, threads = self.threads, suspect = 0
        cdef double zero = 0
        cdef Py_ssize_t reach = 0
        cdef int32_t *in_place = plan.offset + plan.taps * ceil_div(plan.channels, plan.slices)
        cdef char *workspace = workspace_for(threads * plan.workspace)
        PyObject_GetBuffer(x, &x_view, PyBUF_STRIDES)
        PyObject_GetBuffer(dy, &dy_view, PyBUF_STRIDES)
        PyObject_GetBuffer(fill, &fill_view, PyBUF_STRIDES)
        PyObject_GetBuffer(dw, &dw_view, PyBUF_STRIDES | PyBUF_WRITABLE)
        arrays.x, arrays.dy, arrays.dw = <const char *>x_view.buf, <const char *>dy_view.buf, <char *>dw_view.buf
        arrays.fill, arrays.fill_stride = <const char *>fill_view.buf, plan.itemsize if fill_view.ndim else 0
        arrays.suspect = &suspect
        if plan.corrected or plan.exchanged:
            arrays.fill, arrays.fill_stride = <const char *>&zero, 0
        for a in range(5):
            arrays.x_stride[a], arrays.dy_stride[a] = x_view.strides[a], dy_view.strides[a]
            reach += x_view.shape[a] * abs(x_view.strides[a])
            arrays.in_place = (plan.untouched if a == 0 else arrays.in_place) and x_view.strides[a] % plan.itemsize == 0
        arrays.in_place = arrays.in_place and x_view.strides[4] == plan.itemsize and reach < <Py_ssize_t>1 << 31
        arrays.offset = in_place if arrays.in_place else plan.offset
        for c in range(ceil_div(plan.channels, plan.slices)):  # one tap: of a slice's channels
            if arrays.in_place:
                in_place[c] = <int32_t>(c * x_view.strides[1] // plan.itemsize)
        with nogil:
            if threads == 1:
                for task in range(tasks):
                    run_task(plan, &arrays, task, workspace)
            else:
                with parallel(num_threads=threads):
                    for task in prange(tasks, schedule="dynamic"):
                        run_task(plan, &arrays, task, workspace + threadid() * plan.workspace)
        PyBuffer_Release(&x_view)
        PyBuffer_Release(&dy_view)
        PyBuffer_Release(&fill_view)
        PyBuffer_Release(&dw_view)
        give_workspace(workspace)
        return suspect != 0
