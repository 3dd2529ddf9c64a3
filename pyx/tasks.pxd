# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What one task does: gather the panel of its block, then run the register tiles over it.

Two algorithms share panels, tiles and tasks:

    direct     every output from channels x taps multiplications
    Winograd   outputs in tiles of 2x2; the panel is that of a 4x4 kernel with stride 2, whose taps are
               transformed (winograd.h) before, and whose products are transformed after, the same
               register tile
"""

from libc.stdint cimport int32_t

from kernels cimport *
from panel cimport *


cdef struct Call:
    const char *x               # input, byte strides of N, C, D, H, W
    Py_ssize_t x_stride[5]
    char *y                     # output, the same
    Py_ssize_t y_stride[5]
    const char *weights         # packed
    const char *bias            # packed
    const char *terms           # weights as they came: (K, C, taps), contiguous
    const char *no_bias         # zeros, one packed width
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
    PanelAxis axis[3]           # in tiles of outputs along H and W, if the algorithm has tiles
    int tile                    # outputs of a tile along H and W: 1, or 2 for Winograd
    int out[3]                  # outputs
    Py_ssize_t plane            # slots of a panel in axes 1 and 2
    Py_ssize_t channel_stride   # slots from one channel of a panel to the next
    bint channel_lanes          # which register tile
    bint flat                   # the rows of a block are computed as one
    int group_tasks             # tasks that divide the groups of one block
    int n_blocks                # blocks of output channels in a group
    int32_t *first              # first channel of each block
    int32_t *width              # its channels: the packed width
    Py_ssize_t group_weights    # elements
    int group_bias
    int shares                  # tasks that divide the output channels of one panel
    int threads
    bint direct                 # results are stored as they leave the registers
    int lane_slots              # Winograd: slots of a block's tiles, with room for the lanes of the last
    # byte offsets in a thread's workspace; its size
    Py_ssize_t scratch_at, source_at, runs_at, transformed_at, products_at, workspace


cdef inline int even_start(int index, int parts, int total) noexcept nogil:
    """Where part `index` begins when `total` is cut into `parts` as evenly as possible."""
    return <int>(<long long>index * total // parts)


cdef inline int locate(const Plan *plan, const int *first, char *workspace) noexcept nogil:
    """Where the slots of a block come from: input positions of axes 0 and 1, runs of axis 2 (how many)."""
    cdef int32_t *source = <int32_t *>(workspace + plan.source_at)
    cdef int a
    for a in range(3):
        slot_sources(&plan.axis[a], first[a], source)
        source += plan.axis[a].slots
    return runs_of(source - plan.axis[2].slots, plan.axis[2].slots, <panel_run *>(workspace + plan.runs_at))


cdef inline void fill_panel(const Plan *plan, const Call *call, int image, int group, int n_runs,
                            char *workspace) noexcept nogil:
    cdef int32_t *source = <int32_t *>(workspace + plan.source_at)
    cdef int32_t *source_h = source + plan.axis[0].slots
    cdef panel_run *runs = <panel_run *>(workspace + plan.runs_at)
    cdef int c, d, h, channel
    cdef const char *x
    cdef const char *row
    cdef char *target
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


cdef inline void tile_row(const Plan *plan, const Call *call, int group, int block, const char *panel, int rows,
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
                    if plan.direct:
                        out = (y + plan.first[b] * call.y_stride[1] + d * call.y_stride[2]
                               + h * call.y_stride[3])
                        tile_row(plan, call, group, b, panel, rows, pixels, out, call.y_stride[1] // item,
                                 call.y_stride[3] // item)
                    else:
                        tile_row(plan, call, group, b, panel, rows, pixels,
                                 scratch + (d * area + h * pitch) * item, size[0] * area, pitch)
        last = 0 if plan.direct else plan.filters - plan.first[block]
        for k in range(last if last < plan.width[block] else plan.width[block]):
            for d in range(size[0]):
                for h in range(size[1]):
                    plan.store_row(y + (plan.first[block] + k) * call.y_stride[1] + d * call.y_stride[2]
                                   + h * call.y_stride[3], call.y_stride[4],
                                   scratch + ((k * size[0] + d) * area + h * pitch) * item, size[2])
        block += b_step


cdef inline void repair(const Plan *plan, const Call *call, int filter, const char *panel, const char *bias,
                        char *out, Py_ssize_t out_row, int rows, int pixels) noexcept nogil:
    """Recompute directly the 2x2 tiles of a row that hold an infinity or NaN.

    An infinity that a window does not see, or an overflow of the transform, must not show in its output;
    and which tiles are recomputed depends on their own values alone.
    """
    cdef int t, r, c, item = plan.itemsize
    cdef bint finite
    cdef char *value
    cdef double d
    for t in range((pixels + 1) // 2):
        finite = True
        for r in range(rows):
            for c in range(2 if 2 * t + 1 < pixels else 1):
                value = out + (r * out_row + 2 * t + c) * item
                d = (<float *>value)[0] if item == 4 else (<double *>value)[0]
                finite = finite and d - d == 0
        if finite:
            continue
        for r in range(rows):
            for c in range(2 if 2 * t + 1 < pixels else 1):
                plan.kernels.winograd.direct(
                    panel + t * item, plan.channel_stride, plan.plane, plan.tap_offset, plan.channels,
                    plan.axis[0].kernel, call.terms + <Py_ssize_t>filter * plan.channels * plan.taps * item, bias,
                    r, c, out + (r * out_row + 2 * t + c) * item)


cdef inline void winograd_block(const Plan *plan, const Call *call, int image, int group, const int *first,
                                const int *size, int block_from, int block_to, char *workspace) noexcept nogil:
    cdef int item = plan.itemsize, depth = plan.axis[0].kernel, terms = plan.channels * depth
    cdef int tiles = size[1] * size[2], groups, g, at, c, d, h, block, k, xi, count, rows, pixels, filter
    cdef int32_t no_offset = 0
    cdef Py_ssize_t stride = <Py_ssize_t>terms * plan.lane_slots
    cdef char *transformed = workspace + plan.transformed_at
    cdef char *products = workspace + plan.products_at
    cdef const char *panel
    cdef const char *weights
    cdef const char *bias
    cdef char *out
    cdef char *y
    cdef Py_ssize_t out_row
    for c in range(plan.channels):
        for d in range(depth):
            for h in range(size[1]):
                plan.kernels.winograd.input(
                    workspace + (c * plan.channel_stride + d * plan.plane
                                 + <Py_ssize_t>h * plan.axis[2].slots) * item,
                    plan.tap_offset,
                    transformed + (<Py_ssize_t>(c * depth + d) * plan.lane_slots + h * size[2]) * item, stride, size[2])
    groups = (tiles + plan.kernels.tile_pixels - 1) // plan.kernels.tile_pixels
    pixels = plan.out[2] - 2 * first[2]
    if pixels > 2 * size[2]:
        pixels = 2 * size[2]
    for block in range(block_from, block_to):
        count = plan.filters - plan.first[block]
        if count > plan.width[block]:
            count = plan.width[block]
        weights = call.weights + (group * plan.group_weights
                                  + <Py_ssize_t>plan.first[block] * terms * 16) * item
        for xi in range(16):
            for g in range(groups):
                at = even_start(g, groups, tiles)
                plan.kernels.channel_tile[1][even_start(g + 1, groups, tiles) - at](
                    transformed + (xi * stride + at) * item, plan.lane_slots, 0, &no_offset, terms, 1,
                    weights + <Py_ssize_t>xi * terms * plan.width[block] * item, call.no_bias,
                    products + (<Py_ssize_t>xi * plan.width[block] * plan.lane_slots + at) * item, plan.lane_slots, 0,
                    count)
        for k in range(count):
            filter = group * plan.filters + plan.first[block] + k
            bias = call.bias + (<Py_ssize_t>group * plan.group_bias + plan.first[block] + k) * item
            for h in range(size[1]):
                rows = plan.out[1] - 2 * (first[1] + h)
                if rows > 2:
                    rows = 2
                y = (call.y + image * call.y_stride[0] + filter * call.y_stride[1] + first[0] * call.y_stride[2]
                     + 2 * (first[1] + h) * call.y_stride[3] + 2 * first[2] * call.y_stride[4])
                out, out_row = y, call.y_stride[3] // item
                if not plan.direct:
                    out, out_row = workspace + plan.scratch_at, pixels
                if plan.kernels.winograd.output(
                        products + (<Py_ssize_t>k * plan.lane_slots + h * size[2]) * item,
                        <Py_ssize_t>plan.width[block] * plan.lane_slots, size[2], bias, out, out_row, rows, pixels):
                    panel = workspace + <Py_ssize_t>h * plan.axis[2].slots * item
                    repair(plan, call, filter, panel, bias, out, out_row, rows, pixels)
                for d in range(0 if plan.direct else rows):
                    plan.store_row(y + d * call.y_stride[3], call.y_stride[4], out + d * out_row * item, pixels)


cdef inline void run_task(const Plan *plan, const Call *call, Py_ssize_t task, char *workspace) noexcept nogil:
    cdef int first[3]
    cdef int size[3]
    cdef int a, index, image, group, n_runs, share = <int>(task % plan.shares), block_from, block_to
    task //= plan.shares
    for a in range(2, -1, -1):
        index = <int>(task % plan.axis[a].blocks)
        task //= plan.axis[a].blocks
        first[a] = index * plan.axis[a].block
        size[a] = plan.axis[a].out - first[a]
        if size[a] > plan.axis[a].block:
            size[a] = plan.axis[a].block
    index = <int>(task % plan.group_tasks)
    image = <int>(task // plan.group_tasks)
    block_from = even_start(share, plan.shares, plan.n_blocks)
    block_to = even_start(share + 1, plan.shares, plan.n_blocks)
    n_runs = locate(plan, first, workspace)
    for group in range(even_start(index, plan.group_tasks, plan.groups),
                       even_start(index + 1, plan.group_tasks, plan.groups)):
        fill_panel(plan, call, image, group, n_runs, workspace)
        if plan.tile > 1:
            winograd_block(plan, call, image, group, first, size, block_from, block_to, workspace)
        else:
            direct_block(plan, call, image, group, first, size, block_from, block_to, workspace)
