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

from gradient_tasks cimport *
from index_map cimport CIRCULAR, CONSTANT, REFLECT, REPLICATE, SYMMETRIC, Mode, source_index
from kernels cimport *
from panel cimport *
from planning cimport MACS_PER_THREAD

cdef enum:
    BLOCK_BYTES = 256 * 1024     # of a panel: with the sums and the output gradients in a second-level cache
    BLOCK_PIXELS = 200           # terms of one partial sum; their output gradients fill the first level
    SUMS_BYTES = 320 * 1024      # of a task
    TASK_BLOCKS = 4              # blocks of filters that share a panel

MODES = {"constant": CONSTANT, "replicate": REPLICATE, "reflect": REFLECT, "symmetric": SYMMETRIC,
         "circular": CIRCULAR}


cdef class WeightGradient:
    """The weight gradient for one geometry and one set of kernels.

    `axes`: three objects with size, kernel, stride, dilation, extent, before, mode, out. `kernels`, `codes`:
    from _conv_cpu.
    """
    cdef WeightPlan plan
    cdef int32_t *memory
    cdef object kernels
    cdef int threads
    cdef readonly Py_ssize_t workspace  # bytes for each thread

    def __init__(self, axes, int batch, int in_channels, int out_channels, int groups, kernels, codes,
                 int threads):
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
        blocks = 1 if plan.untouched else min(TASK_BLOCKS, plan.n_blocks)
        column = plan.taps * CHANNEL_VECTORS * plan.kernels.lanes * sizeof(double)
        plan.slices = ceil_div(plan.channels, max(1, SUMS_BYTES // (blocks * column)))
        self._choose_blocks()
        plan.shares = ceil_div(plan.n_blocks, blocks)
        while plan.shares < plan.n_blocks and threads > 1 and plan.shares * plan.slices * groups < 2 * threads:
            plan.shares += 1
        self._allocate(axes)
        self.threads = <int>max(1, min(threads, macs / MACS_PER_THREAD, groups * plan.shares * plan.slices))

    cdef Py_ssize_t _panel_slots(self, block):
        cdef WeightPlan *plan = &self.plan
        for a in range(3):
            lay_out(&plan.axis[a], block[a])
        plan.plane = <Py_ssize_t>plan.axis[1].slots * plan.axis[2].slots
        plan.image_stride = plan.axis[0].slots * plan.plane
        # An odd number of vectors from channel to channel: powers of two would share few cache sets.
        plan.channel_stride = (ceil_div(plan.images * plan.image_stride, plan.kernels.lanes) | 1) * plan.kernels.lanes
        return plan.channel_stride * ceil_div(plan.channels, plan.slices) + PANEL_SLACK

    cdef _choose_blocks(self):
        """About BLOCK_PIXELS pixels in whole rows, planes, images; the same for any number of threads."""
        cdef WeightPlan *plan = &self.plan
        left, block = BLOCK_PIXELS, [1, 1, 1]
        for a in range(2, -1, -1):
            parts = ceil_div(plan.axis[a].out, max(1, left))
            block[a] = ceil_div(plan.axis[a].out, parts)
            left //= block[a]
        plan.images = max(1, min(plan.batch, left))
        while self._panel_slots(block) * plan.itemsize > BLOCK_BYTES:
            if plan.images > 1:
                plan.images = ceil_div(plan.images, 2)
            elif plan.slices < plan.channels:
                plan.slices = min(plan.channels, 2 * plan.slices)
            elif max(block) > 1:
                a = block.index(max(block))
                block[a] = ceil_div(block[a], 2)
            else:
                break

    cdef _allocate(self, axes):
        cdef WeightPlan *plan = &self.plan
        cdef int a, c, v
        cdef int32_t *memory
        cdef Mode mode
        cdef Py_ssize_t before, input_size
        channels = ceil_div(plan.channels, plan.slices)
        pixels = plan.images
        for a in range(3):
            pixels *= plan.axis[a].block
        rows = pixels // plan.axis[2].block
        width = CHANNEL_VECTORS * plan.kernels.lanes
        plan.pitch = ceil_div(pixels, plan.kernels.lanes) * plan.kernels.lanes
        ends = [(plan.channel_stride * channels + PANEL_SLACK) * plan.itemsize]
        for size in (width * plan.pitch * plan.itemsize, width * plan.pitch * plan.itemsize,
                     ceil_div(plan.n_blocks, plan.shares) * channels * plan.taps * width * sizeof(double),
                     sum(plan.axis[a].slots for a in range(3)) * sizeof(int32_t),
                     plan.axis[2].slots * sizeof(panel_run), rows * sizeof(int32_t)):
            ends.append(ceil_div(ends[len(ends) - 1], 64) * 64 + size)
        starts = [ceil_div(end, 64) * 64 for end in ends]
        plan.dy_at, plan.packed_at, plan.sums_at, plan.source_at, plan.runs_at, plan.rows_at, end = starts
        # a line more than whole pages: threads' workspaces must not share cache sets
        plan.workspace = self.workspace = ceil_div(end, 4096) * 4096 + 64
        memory = self.memory = <int32_t *>malloc(
            (2 * channels * plan.taps + sum(plan.axis[a].virtual for a in range(3))) * sizeof(int32_t))
        if memory == NULL:
            raise MemoryError("implicitpad: tables of a weight gradient")
        for a in range(3):
            plan.axis[a].source, memory = memory, memory + plan.axis[a].virtual
            mode, before, input_size = MODES[axes[a].mode], axes[a].before, axes[a].size
            for v in range(plan.axis[a].virtual):
                plan.axis[a].source[v] = <int32_t>source_index(v - before, input_size, mode)
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

        `fill`: element type, () or (C,). Into dw, contiguous (K, C / groups, taps), element type.
        """
        cdef WeightPlan *plan = &self.plan
        cdef Operands arrays
        cdef Py_buffer x_view, dy_view, dw_view, fill_view
        cdef Py_ssize_t task, tasks = <Py_ssize_t>plan.groups * plan.shares * plan.slices
        cdef int a, c, threads = self.threads
        cdef Py_ssize_t reach = 0
        cdef int32_t *in_place = plan.offset + plan.taps * ceil_div(plan.channels, plan.slices)
        cdef char *memory = <char *>malloc(threads * plan.workspace + 64)
        cdef char *workspace = memory + (64 - <Py_ssize_t>memory % 64)
        if memory == NULL:
            raise MemoryError("implicitpad: workspace of a weight gradient")
        PyObject_GetBuffer(x, &x_view, PyBUF_STRIDES)
        PyObject_GetBuffer(dy, &dy_view, PyBUF_STRIDES)
        PyObject_GetBuffer(fill, &fill_view, PyBUF_STRIDES)
        PyObject_GetBuffer(dw, &dw_view, PyBUF_STRIDES | PyBUF_WRITABLE)
        arrays.x, arrays.dy, arrays.dw = <const char *>x_view.buf, <const char *>dy_view.buf, <char *>dw_view.buf
        arrays.fill, arrays.fill_stride = <const char *>fill_view.buf, plan.itemsize if fill_view.ndim else 0
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
                    weight_task(plan, &arrays, task, workspace)
            else:
                with parallel(num_threads=threads):
                    for task in prange(tasks, schedule="dynamic"):
                        weight_task(plan, &arrays, task, workspace + threadid() * plan.workspace)
        PyBuffer_Release(&x_view)
        PyBuffer_Release(&dy_view)
        PyBuffer_Release(&fill_view)
        PyBuffer_Release(&dw_view)
        free(memory)
