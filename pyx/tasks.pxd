# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What one task does: gather the panel of its block, then run the register tiles over it.

Two algorithms share panels and register tiles: direct convolution, here, and winograd.pxd. Planes are
read where they lie (planes.pxd), in one pass or in two (separable.pxd), or in tiles that are transformed
(fourier.pxd).
"""

from finish cimport add_fill, ask_for, finish, residual_at
from fourier cimport fourier_task
from gather cimport fill_panel, locate
from kernels cimport tap
from panel cimport counted
from plan cimport MOST_TAPS, Call, Plan, even_start
from planes cimport plane_task
from separable cimport separable_task
from winograd cimport winograd_block


cdef inline int seen_taps(const Plan *plan, const int *at, int rows, int pixels, tap *used) noexcept nogil:
    """The taps that rows x pixels outputs from `at` on do not all find in the padding; how many."""
    cdef int outside[3]
    cdef int i, d, h, w, n = 0
    outside[0], outside[1], outside[2] = plan.outside[0][at[0]], plan.outside[1][at[1]], plan.outside[2][at[2]]
    for i in range(1, rows):
        outside[1] &= plan.outside[1][at[1] + i]
    for i in range(1, pixels):
        outside[2] &= plan.outside[2][at[2] + i]
    i = 0
    for d in range(plan.axis[0].kernel):
        for h in range(plan.axis[1].kernel):
            for w in range(plan.axis[2].kernel):
                if not (outside[0] >> d & 1 or outside[1] >> h & 1 or outside[2] >> w & 1):
                    used[n] = plan.tap[i]
                    n += 1
                i += 1
    return n


cdef inline void tile_row(const Plan *plan, const Call *call, int group, int block, const int *first, int depth,
                          int row, const char *panel, int rows, int pixels, char *out, Py_ssize_t out_channel,
                          Py_ssize_t out_row, const char *residual=NULL) noexcept nogil:
    """One block of output channels at `rows` rows of `pixels` outputs (rows > 1 only for channel tiles).

    (depth, row): the first of them in the block that begins at output `first`. `residual`: of that one, or NULL.
    """
    cdef int filter = plan.first[block], width = plan.width[block]
    cdef int log2 = 0, t, n, at, count, vectors, n_used = plan.taps
    cdef int lanes = plan.kernels.lanes, filters = min(width, plan.filters - filter)
    cdef int output[3]
    cdef tap seen[MOST_TAPS * MOST_TAPS * MOST_TAPS]
    cdef const tap *used = plan.tap
    cdef Py_ssize_t terms = <Py_ssize_t>plan.channels * plan.taps
    cdef const char *weights = call.weights + (group * plan.group_weights + filter * terms) * plan.itemsize
    cdef const char *bias = call.bias + (<Py_ssize_t>group * plan.group_bias + filter) * plan.itemsize
    if plan.channel_lanes:
        n = (pixels * rows + plan.kernels.tile_pixels - 1) // plan.kernels.tile_pixels
        for t in range(n):
            at = even_start(t, n, pixels)
            count = even_start(t + 1, n, pixels) - at
            if residual != NULL:
                ask_for(residual + at * call.residual_stride[4], call.residual_stride, filters, rows, count)
            if plan.skips:
                output[0], output[1], output[2] = first[0] + depth, first[1] + row, first[2] + at
                used, n_used = seen, seen_taps(plan, output, rows, count, seen)
            plan.kernels.channel_tile[rows][count](
                panel + at * plan.itemsize, plan.channel_stride, plan.axis[2].slots, used, n_used, plan.channels,
                plan.taps, weights, bias, out + at * plan.itemsize, out_channel, out_row, filters)
        return
    while 1 << log2 < width:
        log2 += 1
    vectors = (pixels + lanes - 1) // lanes
    n = (vectors + plan.kernels.pixel_vectors[log2] - 1) // plan.kernels.pixel_vectors[log2]
    for t in range(n):
        at = even_start(t, n, vectors)
        count = even_start(t + 1, n, vectors) - at
        if residual != NULL:
            ask_for(residual + at * lanes * call.residual_stride[4], call.residual_stride, filters, 1,
                    min(count * lanes, pixels - at * lanes))
        plan.kernels.pixel_tile[log2][count](
            panel + at * lanes * plan.itemsize, plan.channel_stride, used, n_used, plan.channels, plan.taps, weights,
            bias, out + at * lanes * plan.itemsize, out_channel,
            count * lanes if at + count < vectors else pixels - at * lanes)


cdef inline void direct_block(const Plan *plan, const Call *call, int image, int group, const int *first,
                              const int *size, int block_from, int block_to, char *workspace) noexcept nogil:
    """All outputs of one block, for output-channel blocks block_from ... block_to - 1.

    Channel tiles reuse a block of weights over all pixels; pixel tiles reuse a row over all weights. Outputs
    that need converting pass through a scratch block, one block of channels at a time; so do those of
    planes too narrow for vectors, whose rows are computed as one, the slots between them for nothing.
    """
    cdef int item = plan.itemsize
    cdef int row_step = 1, block, d, h, k, row, rows, pixels, b, b_step, last
    cdef int pitch = plan.axis[2].slots if plan.flat else size[2]   # of a row in scratch
    cdef char *scratch = workspace + plan.scratch_at
    cdef Py_ssize_t area = <Py_ssize_t>size[1] * pitch
    cdef const char *panel
    cdef const char *residual
    cdef char *out
    cdef char *y = (call.y + image * call.y_stride[0] + group * plan.filters * call.y_stride[1]
                    + first[0] * call.y_stride[2] + first[1] * call.y_stride[3] + first[2] * call.y_stride[4])
    pixels = size[2]
    if plan.flat:
        row_step = size[1]
        pixels = (size[1] - 1) * pitch + size[2]
    elif plan.channel_lanes and 1 < size[2] <= plan.kernels.tile_pixels // 2:
        row_step = 2
    b_step = 1 if plan.channel_lanes or not plan.direct else block_to - block_from
    block = block_from
    while block < block_to:
        for d in range(size[0]):
            for row in range((size[1] + row_step - 1) // row_step):
                h = row * row_step
                rows = row_step if plan.channel_lanes and h + row_step <= size[1] else 1
                panel = workspace + (d * plan.plane + <Py_ssize_t>h * plan.axis[2].slots) * item
                for b in range(block, block + b_step):
                    residual = residual_at(call, image, group * plan.filters + plan.first[b], first[0] + d,
                                           first[1] + h, first[2]) if not plan.flat else NULL
                    if plan.direct:
                        out = (y + plan.first[b] * call.y_stride[1] + d * call.y_stride[2]
                               + h * call.y_stride[3])
                        tile_row(plan, call, group, b, first, d, h, panel, rows, pixels, out,
                                 call.y_stride[1] // item, call.y_stride[3] // item, residual)
                        if call.fill_sums != NULL:
                            add_fill(plan, call, group * plan.filters + plan.first[b],
                                     min(plan.width[b], plan.filters - plan.first[b]), first[0] + d, first[1] + h, 1,
                                     rows, first[2], out, call.y_stride[1], call.y_stride[3], pixels)
                        for k in range(0 if call.limits == NULL else rows):
                            finish(plan, call, residual, call.residual_stride[1], out + k * call.y_stride[3],
                                   call.y_stride[1], min(plan.width[b], plan.filters - plan.first[b]), pixels)
                            residual += call.residual_stride[3]
                    else:
                        tile_row(plan, call, group, b, first, d, h, panel, rows, pixels,
                                 scratch + (d * area + h * pitch) * item, size[0] * area, pitch, residual)
        last = 0 if plan.direct else min(plan.width[block], plan.filters - plan.first[block])
        for d in range(0 if call.fill_sums == NULL else size[0]):
            add_fill(plan, call, group * plan.filters + plan.first[block], last, first[0] + d, first[1], 1, size[1],
                     first[2], scratch + d * area * item, size[0] * area * item, pitch * item, size[2])
        for k in range(last):
            for d in range(size[0]):
                out = scratch + (k * size[0] + d) * area * item
                if call.limits != NULL:
                    finish(plan, call, residual_at(call, image, group * plan.filters + plan.first[block] + k,
                                                   first[0] + d, first[1], first[2]), call.residual_stride[3], out,
                           pitch * item, size[1], size[2])
                for h in range(size[1]):
                    plan.store_row(y + (plan.first[block] + k) * call.y_stride[1] + d * call.y_stride[2]
                                   + h * call.y_stride[3], call.y_stride[4], out + h * pitch * item, size[2])
        block += b_step


cdef inline void run_task(const Plan *plan, const Call *call, Py_ssize_t task, char *workspace) noexcept nogil:
    cdef int first[3]
    cdef int size[3]
    cdef int a, index, image, group, n_runs, share = <int>(task % plan.shares), block_from, block_to
    task //= plan.shares
    for a in range(2, -1, -1):
        index = <int>(task % plan.axis[a].blocks)
        task //= plan.axis[a].blocks
        first[a] = index * plan.axis[a].block
        size[a] = counted(&plan.axis[a]) - first[a]
        if size[a] > plan.axis[a].block:
            size[a] = plan.axis[a].block
    index = <int>(task % plan.group_tasks)
    image = <int>(task // plan.group_tasks) * plan.images
    block_from = even_start(share, plan.shares, plan.n_blocks)
    block_to = even_start(share + 1, plan.shares, plan.n_blocks)
    if plan.fourier != NULL:
        fourier_task(plan, call, image, index, first[0], first[2], workspace)
        return
    if plan.second != NULL:
        separable_task(plan, call, image, even_start(index, plan.group_tasks, plan.groups) * plan.filters,
                       even_start(index + 1, plan.group_tasks, plan.groups) * plan.filters, first, size, workspace)
        return
    if plan.planes != NULL:
        plane_task(plan, call, image, even_start(index, plan.group_tasks, plan.groups) * plan.filters,
                   even_start(index + 1, plan.group_tasks, plan.groups) * plan.filters, first, size, workspace)
        return
    n_runs = locate(plan, first, workspace)
    for group in range(even_start(index, plan.group_tasks, plan.groups),
                       even_start(index + 1, plan.group_tasks, plan.groups)):
        if plan.tile > 1:
            winograd_block(plan, call, image, group, first, size, block_from, block_to, n_runs, workspace)
        else:
            fill_panel(plan, call, image, group * plan.channels, plan.channels, n_runs, workspace)
            direct_block(plan, call, image, group, first, size, block_from, block_to, workspace)
