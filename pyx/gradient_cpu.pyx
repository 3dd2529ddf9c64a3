# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Gradients of convolutions on the CPU, beside the transposed convolution:

    weight   dw[k, c, t] = sum_n sum_i dy[n, k, i] x[n, c, e(i s + t d - p)]
    fold     dx[c, j] = sum of g[c, v] over the positions v that read j: the adjoint of the index map
    sums     of dy over boxes, for the bias, the fill and windows wholly in the padding

Each is divided by what it writes: one thread sums an output from first to last, in blocks that depend on
the geometry alone. There are no atomics and no reduction buffers.
"""

from itertools import product

from cpython.buffer cimport PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.pycapsule cimport PyCapsule_GetPointer
from cython.parallel cimport parallel, prange, threadid
from libc.stdint cimport int32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from index_map cimport CIRCULAR, CONSTANT, REFLECT, REPLICATE, SYMMETRIC, Mode, source_index
from kernels cimport *
from panel cimport *
from planning cimport MACS_PER_THREAD
from plan cimport even_start

cdef enum:
    BLOCK_BYTES = 256 * 1024     # of a panel: with the sums and the output gradients in a second-level cache
    BLOCK_PIXELS = 200           # terms of one partial sum; their output gradients fill the first level
    SUMS_BYTES = 320 * 1024      # of a task
    TASK_BLOCKS = 4              # blocks of filters that share a panel

MODES = {"constant": CONSTANT, "replicate": REPLICATE, "reflect": REFLECT, "symmetric": SYMMETRIC,
         "circular": CIRCULAR}


cdef struct WeightPlan:
    const element_kernels *kernels
    load_row_function *load_row
    int itemsize
    int batch, groups
    int channels, filters        # of one group
    int taps
    PanelAxis axis[3]
    int images                   # of a block
    int slices, n_blocks         # of a group: slices of channels, blocks of filters
    int shares                   # tasks that divide the blocks of filters of one slice
    Py_ssize_t plane             # slots of a panel in axes 1 and 2
    Py_ssize_t image_stride, channel_stride   # slots
    int32_t *offset              # [channels of a slice][taps]
    bint untouched               # no axis is windowed: a panel would be a copy of the block
    int pitch                    # pixels of a block, in whole vectors
    bint plain                   # storage is the element type
    # byte offsets in a thread's workspace; its size
    Py_ssize_t dy_at, packed_at, sums_at, source_at, runs_at, rows_at, workspace


cdef struct Operands:
    const int32_t *offset        # of terms from a block's first pixel, in the panel or in x itself
    bint in_place                # x needs no panel: nothing windowed, nothing padded
    const char *x                # byte strides of N, C, D, H, W
    Py_ssize_t x_stride[5]
    const char *dy
    Py_ssize_t dy_stride[5]
    const char *fill
    Py_ssize_t fill_stride
    char *dw                     # contiguous (K, C / groups, taps)


cdef void fill_block(const WeightPlan *plan, const Operands *arrays, int image, int images, int channel,
                     int channels, const int *first, char *workspace) noexcept nogil:
    """Gather the panel of a block, padding written in: panel[channel][image][slots]."""
    cdef int32_t *source = <int32_t *>(workspace + plan.source_at)
    cdef int32_t *source_h = source + plan.axis[0].slots
    cdef int32_t *source_w = source_h + plan.axis[1].slots
    cdef panel_run *runs = <panel_run *>(workspace + plan.runs_at)
    cdef int c, n, d, h, n_runs
    cdef const char *x
    cdef const char *row
    cdef char *target
    slot_sources(&plan.axis[0], first[0], source)
    slot_sources(&plan.axis[1], first[1], source_h)
    slot_sources(&plan.axis[2], first[2], source_w)
    n_runs = runs_of(source_w, plan.axis[2].slots, runs)
    for c in range(channels):
        for n in range(images):
            x = arrays.x + (image + n) * arrays.x_stride[0] + (channel + c) * arrays.x_stride[1]
            target = workspace + (c * plan.channel_stride + n * plan.image_stride) * plan.itemsize
            for d in range(plan.axis[0].slots):
                for h in range(plan.axis[1].slots):
                    row = NULL
                    if source[d] >= 0 and source_h[h] >= 0:
                        row = x + source[d] * arrays.x_stride[2] + source_h[h] * arrays.x_stride[3]
                    plan.load_row(target, row, arrays.x_stride[4], runs, n_runs,
                                  arrays.fill + (channel + c) * arrays.fill_stride)
                    target += <Py_ssize_t>plan.axis[2].slots * plan.itemsize


cdef int load_gradients(const WeightPlan *plan, const Operands *arrays, int image, int images, int filter, int filters,
                        const int *first, const int *size, char *workspace) noexcept nogil:
    """Output gradients of a block as [pixel][filter], and the panel slot of each of its rows; returns the rows."""
    cdef int32_t *row_slot = <int32_t *>(workspace + plan.rows_at)
    cdef int k, n, d, h, row = 0, rows = images * size[0] * size[1], width = CHANNEL_VECTORS * plan.kernels.lanes
    cdef int run_pixels = size[1] * size[2]
    cdef panel_run run
    cdef char *target
    cdef const char *dy
    run.slot, run.length, run.source, run.step = 0, size[2], 0, 1
    for n in range(images):
        for d in range(size[0]):
            for h in range(size[1]):
                if arrays.in_place:
                    row_slot[row] = <int32_t>((n * arrays.x_stride[0] + d * arrays.x_stride[2]
                                               + h * arrays.x_stride[3]) // plan.itemsize)
                else:
                    row_slot[row] = <int32_t>(n * plan.image_stride + d * plan.plane
                                              + <Py_ssize_t>h * plan.axis[2].slots)
                row += 1
    if (plan.plain and arrays.dy_stride[4] == plan.itemsize and arrays.dy_stride[1] % plan.itemsize == 0
            and (size[1] == 1 or arrays.dy_stride[3] == size[2] * plan.itemsize)):
        for n in range(images):
            for d in range(size[0]):
                dy = (arrays.dy + (image + n) * arrays.dy_stride[0] + filter * arrays.dy_stride[1]
                      + (first[0] + d) * arrays.dy_stride[2] + first[1] * arrays.dy_stride[3]
                      + first[2] * plan.itemsize)
                plan.kernels.pack_weights(
                    workspace + plan.packed_at + <Py_ssize_t>(n * size[0] + d) * run_pixels * width * plan.itemsize,
                    dy, arrays.dy_stride[1] // plan.itemsize, filters, run_pixels, width)
        return rows
    for k in range(filters):
        target = workspace + plan.dy_at + <Py_ssize_t>k * plan.pitch * plan.itemsize
        for n in range(images):
            for d in range(size[0]):
                dy = (arrays.dy + (image + n) * arrays.dy_stride[0] + (filter + k) * arrays.dy_stride[1]
                      + (first[0] + d) * arrays.dy_stride[2] + first[1] * arrays.dy_stride[3]
                      + first[2] * arrays.dy_stride[4])
                for h in range(size[1]):
                    plan.load_row(target, dy + h * arrays.dy_stride[3], arrays.dy_stride[4], &run, 1, arrays.fill)
                    target += size[2] * plan.itemsize
    plan.kernels.pack_weights(workspace + plan.packed_at, workspace + plan.dy_at, plan.pitch, filters, rows * size[2],
                              width)
    return rows


cdef void weight_task(const WeightPlan *plan, const Operands *arrays, Py_ssize_t task, char *workspace) noexcept nogil:
    """One slice of channels for some blocks of filters: all pixels, in order."""
    cdef int first[3]
    cdef int size[3]
    cdef int a, t, n, at, image, images, rows, block, from_channel, channels, terms, channel, k, filter, filters
    cdef const char *panel
    cdef int width = CHANNEL_VECTORS * plan.kernels.lanes
    cdef int slice = <int>(task % plan.slices), group = <int>(task // plan.slices // plan.shares)
    cdef int share = <int>(task // plan.slices % plan.shares)
    cdef int first_block = even_start(share, plan.shares, plan.n_blocks)
    cdef int n_blocks = even_start(share + 1, plan.shares, plan.n_blocks) - first_block
    cdef double *sums = <double *>(workspace + plan.sums_at)
    from_channel = even_start(slice, plan.slices, plan.channels)
    channels = even_start(slice + 1, plan.slices, plan.channels) - from_channel
    terms = channels * plan.taps
    n = (terms + plan.kernels.tile_pixels - 1) // plan.kernels.tile_pixels
    memset(sums, 0, <size_t>n_blocks * terms * width * sizeof(double))
    image = 0
    while image < plan.batch:
        images = plan.batch - image if plan.batch - image < plan.images else plan.images
        for block in range(plan.axis[0].blocks * plan.axis[1].blocks * plan.axis[2].blocks):
            at = block
            for a in range(2, -1, -1):
                first[a] = at % plan.axis[a].blocks * plan.axis[a].block
                at //= plan.axis[a].blocks
                size[a] = plan.axis[a].out - first[a]
                if size[a] > plan.axis[a].block:
                    size[a] = plan.axis[a].block
            channel = group * plan.channels + from_channel
            panel = workspace
            if arrays.in_place:
                panel = (arrays.x + image * arrays.x_stride[0] + channel * arrays.x_stride[1]
                         + first[0] * arrays.x_stride[2] + first[1] * arrays.x_stride[3]
                         + first[2] * arrays.x_stride[4])
            else:
                fill_block(plan, arrays, image, images, channel, channels, first, workspace)
            for k in range(n_blocks):
                filter = (first_block + k) * width
                filters = plan.filters - filter if plan.filters - filter < width else width
                rows = load_gradients(plan, arrays, image, images, group * plan.filters + filter, filters, first,
                                      size, workspace)
                for t in range(n):
                    at = even_start(t, n, terms)
                    plan.kernels.gradient.weight_tile[even_start(t + 1, n, terms) - at](
                        workspace + plan.packed_at, panel, <const int32_t *>(workspace + plan.rows_at), rows, size[2],
                        arrays.offset + at, sums + (<Py_ssize_t>k * terms + at) * width)
        image += images
    for k in range(n_blocks):
        filter = (first_block + k) * width
        filters = plan.filters - filter if plan.filters - filter < width else width
        plan.kernels.gradient.unpack_sums(
            sums + <Py_ssize_t>k * terms * width, terms, filters,
            arrays.dw + ((<Py_ssize_t>(group * plan.filters + filter) * plan.channels + from_channel) * plan.taps)
            * plan.itemsize, <Py_ssize_t>plan.channels * plan.taps)


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


ctypedef fused real:
    float
    double


cdef void fold_row(const real *g, const panel_run *runs, int n_runs, real *row) noexcept nogil:
    cdef int r, i, length
    cdef real *target
    cdef const real *source
    cdef real total
    for r in range(n_runs):
        source, target, length = g + runs[r].slot, row + runs[r].source, runs[r].length
        if runs[r].step == 1:
            for i in range(length):
                target[i] += source[i]
        elif runs[r].step == 0:
            total = 0
            for i in range(length):
                total += source[i]
            target[0] += total
        else:
            for i in range(length):
                target[i * runs[r].step] += source[i]


def fold(real[:, :, :, ::1] g, const int32_t[::1] depth, const int32_t[::1] height, const int32_t[::1] width,
         real[:, :, :, ::1] dx, int threads):
    """dx[p, depth[d], height[h], width[w]] += g[p, d, h, w]

    A plane p belongs to one thread, which adds rows in order.
    """
    cdef Py_ssize_t p, d, h, planes = g.shape[0]
    cdef int n_runs
    cdef panel_run *runs = <panel_run *>malloc(g.shape[3] * sizeof(panel_run))
    if runs == NULL:
        raise MemoryError("implicitpad: runs of a row")
    with nogil:
        n_runs = runs_of(&width[0], <int>g.shape[3], runs)
        for p in prange(planes, num_threads=threads, schedule="static"):
            for d in range(g.shape[1]):
                for h in range(g.shape[2]):
                    fold_row(&g[p, d, h, 0], runs, n_runs, &dx[p, depth[d], height[h], 0])
    free(runs)


cdef double sum_row(const real *row, Py_ssize_t n) noexcept nogil:
    """In eight interleaved partial sums."""
    cdef double part[8]
    cdef Py_ssize_t i
    cdef int j
    for j in range(8):
        part[j] = 0
    for i in range(n // 8):
        for j in range(8):
            part[j] += row[8 * i + j]
    for i in range(n // 8 * 8, n):
        part[i % 8] += row[i]
    return ((part[0] + part[4]) + (part[2] + part[6])) + ((part[1] + part[5]) + (part[3] + part[7]))


cdef void sum_channel(const Py_buffer *dy, Py_ssize_t k, const Py_ssize_t *starts, const Py_ssize_t *count,
                      load_row_function *load_row, char *row, double *sums, bint wide) noexcept nogil:
    """Sums of channel k over boxes of its segments."""
    cdef Py_ssize_t n, d, h, w, segment_d, segment_h, at
    cdef const Py_ssize_t *starts_h = starts + count[0] + 1
    cdef const Py_ssize_t *starts_w = starts_h + count[1] + 1
    cdef panel_run run
    cdef double zero = 0
    run.slot, run.length, run.source, run.step = 0, <int>dy.shape[4], 0, 1
    for n in range(dy.shape[0]):
        for segment_d in range(count[0]):
            for d in range(starts[segment_d], starts[segment_d + 1]):
                for segment_h in range(count[1]):
                    for h in range(starts_h[segment_h], starts_h[segment_h + 1]):
                        load_row(row, <const char *>dy.buf + n * dy.strides[0] + k * dy.strides[1]
                                 + d * dy.strides[2] + h * dy.strides[3], dy.strides[4], &run, 1, &zero)
                        for w in range(count[2]):
                            at = (segment_d * count[1] + segment_h) * count[2] + w
                            if wide:
                                sums[at] += sum_row(<double *>row + starts_w[w], starts_w[w + 1] - starts_w[w])
                            else:
                                sums[at] += sum_row(<float *>row + starts_w[w], starts_w[w + 1] - starts_w[w])


def segment_sums(dy, segments, kernels, codes, double[:, ::1] sums, int threads):
    """sums[k, box] = sum of dy[n, k, i] over all images and the positions i of a box.

    `segments`: for each of the three axes the positions where its segments start, and the axis' end; a box is one
    segment of each.
    """
    cdef const kernel_set *chosen = <const kernel_set *>PyCapsule_GetPointer(kernels, "implicitpad.kernel_set")
    cdef load_row_function *load_row = chosen.load_row[<int>codes[0]]
    cdef bint wide = codes[1] == F64
    cdef Py_buffer view
    cdef Py_ssize_t count[3]
    cdef Py_ssize_t k, i, row_bytes
    cdef Py_ssize_t *starts
    cdef char *rows
    flat = [start for axis in segments for start in axis]
    PyObject_GetBuffer(dy, &view, PyBUF_STRIDES)
    row_bytes = (view.shape[4] + 8) * sizeof(double)
    starts = <Py_ssize_t *>malloc(len(flat) * sizeof(Py_ssize_t))
    rows = <char *>malloc(threads * row_bytes)
    if starts == NULL or rows == NULL:
        PyBuffer_Release(&view)
        free(starts)
        free(rows)
        raise MemoryError("implicitpad: workspace of sums")
    for i in range(3):
        count[i] = len(segments[i]) - 1
    for i, start in enumerate(flat):
        starts[i] = start
    sums[:] = 0
    with nogil:
        for k in prange(view.shape[1], num_threads=threads, schedule="static"):
            sum_channel(&view, k, starts, count, load_row, rows + threadid() * row_bytes, &sums[k, 0], wide)
    PyBuffer_Release(&view)
    free(starts)
    free(rows)
