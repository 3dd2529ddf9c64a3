# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What one task of a weight gradient does: for a slice of channels and some blocks of filters, all pixels in order.

    dw[k, c, t] = sum_n sum_i dy[n, k, i] x[n, c, e(i s + t d - p)]

A block of pixels at a time: its input gathered into a panel, its output gradients packed, then the register tiles.
Sums go to dw after PARTIAL_BLOCKS blocks: rounding errors grow with the number of terms of a sum, and so hardly
grow with the number of pixels.
"""

from libc.stdint cimport int32_t

from gradient_plan cimport Operands, WeightPlan
from kernels cimport CHANNEL_VECTORS, panel_run
from panel cimport runs_of, slot_sources
from plan cimport even_start

cdef enum:
    PARTIAL_BLOCKS = 64


cdef inline void fill_block(const WeightPlan *plan, const Operands *arrays, int image, int images, int channel,
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


cdef inline int locate_rows(const WeightPlan *plan, const Operands *arrays, int images, const int *size,
                            char *workspace) noexcept nogil:
    """The panel slot, or place in x, of each row of a block; returns how many."""
    cdef int32_t *row_slot = <int32_t *>(workspace + plan.rows_at)
    cdef int n, d, h, row = 0
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
    return row


cdef inline void gather_gradients(const WeightPlan *plan, const Operands *arrays, int image, int images, int filter,
                                  const int *first, const int *size, char *target) noexcept nogil:
    """Output gradients of one filter in a block, row after row."""
    cdef int n, d, h
    cdef panel_run run
    cdef const char *dy
    run.slot, run.length, run.source, run.step = 0, size[2], 0, 1
    for n in range(images):
        for d in range(size[0]):
            dy = (arrays.dy + (image + n) * arrays.dy_stride[0] + filter * arrays.dy_stride[1]
                  + (first[0] + d) * arrays.dy_stride[2] + first[1] * arrays.dy_stride[3]
                  + first[2] * arrays.dy_stride[4])
            for h in range(size[1]):
                plan.load_row(target, dy + h * arrays.dy_stride[3], arrays.dy_stride[4], &run, 1, arrays.fill)
                target += size[2] * plan.itemsize


cdef inline void load_gradients(const WeightPlan *plan, const Operands *arrays, int image, int images, int filter,
                                int filters, const int *first, const int *size, char *workspace) noexcept nogil:
    """Output gradients of a block as [pixel][filter]."""
    cdef int k, n, d, width = CHANNEL_VECTORS * plan.kernels.lanes, run_pixels = size[1] * size[2]
    cdef const char *dy
    if (plan.plain and arrays.dy_stride[4] == plan.itemsize and arrays.dy_stride[1] % plan.itemsize == 0
            and (size[1] == 1 or arrays.dy_stride[3] == size[2] * plan.itemsize)):
        for n in range(images):
            for d in range(size[0]):
                dy = (arrays.dy + (image + n) * arrays.dy_stride[0] + filter * arrays.dy_stride[1]
                      + (first[0] + d) * arrays.dy_stride[2] + first[1] * arrays.dy_stride[3]
                      + first[2] * plan.itemsize)
                plan.kernels.gradient.pack(
                    workspace + plan.packed_at + <Py_ssize_t>(n * size[0] + d) * run_pixels * width * plan.itemsize,
                    dy, arrays.dy_stride[1] // plan.itemsize, filters, run_pixels)
        return
    for k in range(filters):
        gather_gradients(plan, arrays, image, images, filter + k, first, size,
                         workspace + plan.dy_at + <Py_ssize_t>k * plan.pitch * plan.itemsize)
    plan.kernels.gradient.pack(workspace + plan.packed_at, workspace + plan.dy_at, plan.pitch, filters,
                               images * size[0] * run_pixels)


cdef inline void locate_block(const WeightPlan *plan, int block, int *first, int *size) noexcept nogil:
    """First output and size of a block along each axis."""
    cdef int a
    for a in range(2, -1, -1):
        first[a] = block % plan.axis[a].blocks * plan.axis[a].block
        block //= plan.axis[a].blocks
        size[a] = plan.axis[a].out - first[a]
        if size[a] > plan.axis[a].block:
            size[a] = plan.axis[a].block


cdef inline void store_sums(const WeightPlan *plan, const Operands *arrays, const char *sums, int terms, int filters,
                            int filter, int channel, bint add) noexcept nogil:
    """From sums[term][filter] of one block of filters into dw."""
    if plan.exchanged:
        plan.kernels.gradient.copy_sums(
            sums, terms, filters,
            arrays.dw + (<Py_ssize_t>channel * plan.filters + filter % plan.filters) * plan.itemsize, plan.filters, add)
        return
    plan.kernels.gradient.unpack_sums(
        sums, terms, filters,
        arrays.dw + (<Py_ssize_t>filter * plan.channels + channel % plan.channels) * plan.taps * plan.itemsize,
        <Py_ssize_t>plan.channels * plan.taps, add)


cdef inline void direct_task(const WeightPlan *plan, const Operands *arrays, Py_ssize_t task,
                             char *workspace) noexcept nogil:
    """One slice of channels for some blocks of filters: all pixels, in order."""
    cdef int first[3]
    cdef int size[3]
    cdef int t, n, at, image, images, rows, block, from_channel, channels, terms, channel, k, filter, filters
    cdef const char *panel
    cdef int width = CHANNEL_VECTORS * plan.kernels.lanes
    cdef int slice = <int>(task % plan.slices), group = <int>(task // plan.slices // plan.shares)
    cdef int share = <int>(task // plan.slices % plan.shares)
    cdef int first_block = even_start(share, plan.shares, plan.n_blocks)
    cdef int n_blocks = even_start(share + 1, plan.shares, plan.n_blocks) - first_block
    cdef char *sums = workspace + plan.sums_at
    cdef int blocks = plan.axis[0].blocks * plan.axis[1].blocks * plan.axis[2].blocks, since = 0, done = 0
    cdef bint flush
    from_channel = even_start(slice, plan.slices, plan.channels)
    channels = even_start(slice + 1, plan.slices, plan.channels) - from_channel
    terms = channels * plan.taps
    n = (terms + plan.kernels.tile_pixels - 1) // plan.kernels.tile_pixels
    image = 0
    while image < plan.batch:
        images = plan.batch - image if plan.batch - image < plan.images else plan.images
        for block in range(blocks):
            flush = since == PARTIAL_BLOCKS - 1 or block == blocks - 1 and image + images == plan.batch
            locate_block(plan, block, first, size)
            channel = group * plan.channels + from_channel
            panel = workspace
            if arrays.in_place:
                panel = (arrays.x + image * arrays.x_stride[0] + channel * arrays.x_stride[1]
                         + first[0] * arrays.x_stride[2] + first[1] * arrays.x_stride[3]
                         + first[2] * arrays.x_stride[4])
            else:
                fill_block(plan, arrays, image, images, channel, channels, first, workspace)
            rows = locate_rows(plan, arrays, images, size, workspace)
            for k in range(n_blocks):
                filter = (first_block + k) * width
                filters = plan.filters - filter if plan.filters - filter < width else width
                load_gradients(plan, arrays, image, images, group * plan.filters + filter, filters, first, size,
                               workspace)
                for t in range(n):
                    at = even_start(t, n, terms)
                    plan.kernels.gradient.weight_tile[even_start(t + 1, n, terms) - at](
                        workspace + plan.packed_at, panel, <const int32_t *>(workspace + plan.rows_at), rows, size[2],
                        arrays.offset + at, sums + (<Py_ssize_t>k * terms + at) * width * plan.itemsize,
                        since > 0)
                if flush:
                    store_sums(plan, arrays, sums + <Py_ssize_t>k * terms * width * plan.itemsize, terms, filters,
                               group * plan.filters + filter, channel, done > 0)
            since += 1
            if flush:
                since, done = 0, done + 1
        image += images
