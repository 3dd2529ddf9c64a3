# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Transposed convolution of few pixels with many weights: one matrix product, its columns folded.

    m[k, t, i] = sum_c w[c, k, t] x[c, i]        y[k, i s + t d - p] += m[k, t, i]

The product takes the weights in the order they lie in: they are read once, and neither transposed nor flipped,
which would cost more than the arithmetic. Some filters at a time: their columns stay in cache until they are
folded. A filter belongs to one task, which adds its taps in order.
"""

from cpython.buffer cimport PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.pycapsule cimport PyCapsule_GetPointer
from cython.parallel cimport parallel, prange, threadid
from libc.string cimport memset

from kernels cimport *
from panel cimport ceil_div
from plan cimport even_start
from workspace cimport give_workspace, take_workspace

cdef enum:
    COLUMN_BYTES = 128 * 1024
    PACKED_BYTES = 256 * 1024    # weights read side by side: long stretches of each row


ctypedef fused real:
    float
    double


cdef struct Columns:
    const element_kernels *kernels
    store_row_function *copy_row     # of elements
    store_row_function *store_row    # to the output
    int itemsize
    int batch, groups, channels, filters, taps, pixels
    int size[3]
    int kernel[3]
    int stride[3]
    int dilation[3]
    int first[3]
    int out[3]
    int together                     # filters of a task
    int wide                         # blocks of lanes packed together
    Py_ssize_t channel_stride        # of the panel
    const char *panel
    const char *weights              # (C, K / groups, taps), contiguous
    const char *bias
    char *y
    Py_ssize_t y_stride[5]
    # byte offsets in a thread's workspace; its size
    Py_ssize_t columns_at, plane_at, zeros_at, workspace


cdef inline int steps(const Columns *plan, int a, int tap, int *low) noexcept nogil:
    """The inputs along axis a whose tap lands in the output: how many, from low on."""
    cdef int shift = plan.first[a] - tap * plan.dilation[a], high
    low[0] = <int>ceil_div(shift, plan.stride[a]) if shift > 0 else 0
    high = shift + plan.out[a] - 1
    high = high // plan.stride[a] + 1 if high >= 0 else 0
    if high > plan.size[a]:
        high = plan.size[a]
    return high - low[0]


cdef void fold_filter(const Columns *plan, const real *columns, real *plane) noexcept nogil:
    """Add the columns of one filter and image, [tap][pixels], to its outputs."""
    cdef int a, b, c, d, h, w, n_d, n_h, n_w, d0, h0, w0, step = plan.stride[2]
    cdef real *row
    cdef const real *column
    for a in range(plan.kernel[0]):
        n_d = steps(plan, 0, a, &d0)
        for b in range(plan.kernel[1]):
            n_h = steps(plan, 1, b, &h0)
            for c in range(plan.kernel[2]):
                n_w = steps(plan, 2, c, &w0)
                for d in range(d0, d0 + n_d):
                    for h in range(h0, h0 + n_h):
                        column = columns + (<Py_ssize_t>d * plan.size[1] + h) * plan.size[2] + w0
                        row = (plane + ((<Py_ssize_t>d * plan.stride[0] + a * plan.dilation[0] - plan.first[0])
                                        * plan.out[1] + h * plan.stride[1] + b * plan.dilation[1] - plan.first[1])
                               * plan.out[2] + w0 * step + c * plan.dilation[2] - plan.first[2])
                        if step == 1:
                            for w in range(n_w):
                                row[w] += column[w]
                        else:
                            for w in range(n_w):
                                row[<Py_ssize_t>w * step] += column[w]
                columns += plan.pixels


cdef void store_filter(const Columns *plan, int image, int filter, const char *columns, char *plane) noexcept nogil:
    cdef int i, d, h, n = plan.out[0] * plan.out[1] * plan.out[2]
    cdef const char *value = plan.bias + filter * plan.itemsize
    if plan.itemsize == 4:
        for i in range(n):
            (<float *>plane)[i] = (<const float *>value)[0]
        fold_filter(plan, <const float *>columns, <float *>plane)
    else:
        for i in range(n):
            (<double *>plane)[i] = (<const double *>value)[0]
        fold_filter(plan, <const double *>columns, <double *>plane)
    for d in range(plan.out[0]):
        for h in range(plan.out[1]):
            plan.store_row(plan.y + image * plan.y_stride[0] + filter * plan.y_stride[1] + d * plan.y_stride[2]
                           + h * plan.y_stride[3], plan.y_stride[4],
                           plane + <Py_ssize_t>(d * plan.out[1] + h) * plan.out[2] * plan.itemsize, plan.out[2])


cdef void columns_task(const Columns *plan, int task, char *workspace) noexcept nogil:
    """Some filters of a group: their columns, a block of lanes at a time, then the fold."""
    cdef int tasks = (plan.filters + plan.together - 1) // plan.together, item = plan.itemsize
    cdef int group = task // tasks, from_filter = task % tasks * plan.together, filters = plan.filters - from_filter
    cdef int width = CHANNEL_VECTORS * plan.kernels.lanes, at = 0, count, b, c, t, n, start, k, image
    cdef int terms, blocks
    cdef char *packed
    cdef int image_pixels = plan.pixels // plan.batch
    cdef tap only
    cdef Py_ssize_t row = <Py_ssize_t>plan.filters * plan.taps * item
    cdef char *columns = workspace + plan.columns_at
    cdef const char *panel = plan.panel + group * plan.channels * plan.channel_stride * item
    cdef const char *weights
    if filters > plan.together:
        filters = plan.together
    n = (plan.pixels + plan.kernels.tile_pixels - 1) // plan.kernels.tile_pixels
    terms = filters * plan.taps
    weights = plan.weights + group * plan.channels * row + <Py_ssize_t>from_filter * plan.taps * item
    only.slot = only.index = 0
    while at < terms:
        blocks = (terms - at + width - 1) // width
        if blocks > plan.wide:
            blocks = plan.wide
        for c in range(plan.channels):
            for b in range(blocks):
                count = terms - at - b * width if terms - at - b * width < width else width
                packed = workspace + (<Py_ssize_t>b * plan.channels + c) * width * item
                plan.copy_row(packed, item, weights + c * row + (at + b * width) * item, count)
                if count < width:
                    memset(packed + count * item, 0, (width - count) * item)
        for b in range(blocks):
            count = terms - at if terms - at < width else width
            for t in range(n):
                start = even_start(t, n, plan.pixels)
                plan.kernels.channel_tile[1][even_start(t + 1, n, plan.pixels) - start](
                    panel + start * item, plan.channel_stride, 0, &only, 1, plan.channels, 1,
                    workspace + <Py_ssize_t>b * plan.channels * width * item, workspace + plan.zeros_at,
                    columns + (<Py_ssize_t>at * plan.pixels + start) * item, plan.pixels, 0, count)
            at += width
    for k in range(filters):
        for image in range(plan.batch):
            store_filter(plan, image, group * plan.filters + from_filter + k,
                         columns + (<Py_ssize_t>k * plan.taps * plan.pixels + image * image_pixels) * item,
                         workspace + plan.plane_at)


def transpose_columns(axes, int groups, x, weights, bias, y, kernels, codes, int threads):
    """Transposed convolution of x (N, C, D, H, W) into y (N, K, D', H', W'), floats.

    `axes`: three objects with size, kernel, stride, dilation, first, out. `weights`, `bias`: element type,
    contiguous, (C, K / groups, taps) and (K,). `kernels`, `codes`: from _conv_cpu.
    """
    cdef Columns plan
    cdef const kernel_set *chosen = <const kernel_set *>PyCapsule_GetPointer(kernels, "implicitpad.kernel_set")
    cdef load_row_function *load_row = chosen.load_row[<int>codes[0]]
    cdef Py_buffer x_view, w_view, b_view, y_view
    cdef panel_run run
    cdef double zero = 0
    cdef int a, c, n, d, h, task, tasks
    cdef char *memory
    cdef char *workspace
    cdef char *target
    plan.kernels = chosen.element[<int>codes[1]]
    plan.itemsize = 8 if codes[1] == F64 else 4
    plan.copy_row, plan.store_row = chosen.store_row[<int>(plan.itemsize == 8)], chosen.store_row[<int>codes[2]]
    PyObject_GetBuffer(x, &x_view, PyBUF_STRIDES)
    PyObject_GetBuffer(weights, &w_view, PyBUF_STRIDES)
    PyObject_GetBuffer(bias, &b_view, PyBUF_STRIDES)
    PyObject_GetBuffer(y, &y_view, PyBUF_STRIDES | PyBUF_WRITABLE)
    plan.weights, plan.bias, plan.y = <const char *>w_view.buf, <const char *>b_view.buf, <char *>y_view.buf
    plan.batch, plan.groups = <int>x_view.shape[0], groups
    plan.channels, plan.filters = <int>(x_view.shape[1] // groups), <int>w_view.shape[1]
    plan.taps, plan.pixels = <int>w_view.shape[2], plan.batch
    for a in range(3):
        plan.size[a], plan.kernel[a], plan.stride[a] = axes[a].size, axes[a].kernel, axes[a].stride
        plan.dilation[a], plan.first[a], plan.out[a] = axes[a].dilation, axes[a].first, axes[a].out
        plan.pixels *= plan.size[a]
    for a in range(5):
        plan.y_stride[a] = y_view.strides[a]
    lanes = plan.kernels.lanes
    width = CHANNEL_VECTORS * lanes
    # An odd number of vectors from channel to channel: powers of two would share few cache sets.
    plan.channel_stride = (ceil_div(plan.pixels, lanes) | 1) * lanes
    plan.together = max(1, min(plan.filters, COLUMN_BYTES // (plan.taps * plan.pixels * plan.itemsize)))
    whole = width // next(n for n in range(width, 0, -1) if width % n == 0 and plan.taps % n == 0)
    if plan.together > whole:  # no lanes are idle
        plan.together -= plan.together % whole
    tasks = groups * <int>ceil_div(plan.filters, plan.together)
    threads = max(1, min(threads, tasks))
    rows = ceil_div(plan.together * plan.taps, width) * width
    packed = plan.channels * <Py_ssize_t>width * plan.itemsize
    plan.wide = max(1, min(rows // width, PACKED_BYTES // packed))
    plan.columns_at = plan.wide * <Py_ssize_t>packed
    plan.plane_at = plan.columns_at + <Py_ssize_t>rows * plan.pixels * plan.itemsize
    plane = <Py_ssize_t>plan.out[0] * plan.out[1] * plan.out[2] * plan.itemsize
    plan.zeros_at = ceil_div(plan.plane_at + plane, 64) * 64
    # a line more than whole pages: threads' workspaces must not share cache sets
    plan.workspace = ceil_div(plan.zeros_at + <Py_ssize_t>width * plan.itemsize, 4096) * 4096 + 64
    panel = ceil_div(groups * plan.channels * plan.channel_stride * plan.itemsize, 64) * 64
    memory = take_workspace(panel + threads * plan.workspace)
    if memory == NULL:
        PyBuffer_Release(&x_view)
        PyBuffer_Release(&w_view)
        PyBuffer_Release(&b_view)
        PyBuffer_Release(&y_view)
        raise MemoryError("implicitpad: workspace of a transposed convolution")
    plan.panel = memory
    workspace = <char *>plan.panel + <Py_ssize_t>panel
    for n in range(threads):
        memset(workspace + n * plan.workspace + plan.zeros_at, 0, plan.workspace - plan.zeros_at)
    run.slot, run.length, run.source, run.step = 0, plan.size[2], 0, 1
    with nogil:
        for c in range(groups * plan.channels):
            target = <char *>plan.panel + c * plan.channel_stride * plan.itemsize
            for n in range(plan.batch):
                for d in range(plan.size[0]):
                    for h in range(plan.size[1]):
                        load_row(target, <const char *>x_view.buf + n * x_view.strides[0] + c * x_view.strides[1]
                                 + d * x_view.strides[2] + h * x_view.strides[3], x_view.strides[4], &run, 1, &zero)
                        target += <Py_ssize_t>plan.size[2] * plan.itemsize
        if threads == 1:
            for task in range(tasks):
                columns_task(&plan, task, workspace)
        else:
            with parallel(num_threads=threads):
                for task in prange(tasks, schedule="dynamic"):
                    columns_task(&plan, task, workspace + threadid() * plan.workspace)
    PyBuffer_Release(&x_view)
    PyBuffer_Release(&w_view)
    PyBuffer_Release(&b_view)
    PyBuffer_Release(&y_view)
    give_workspace(memory)
