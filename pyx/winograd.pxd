# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""One block by Winograd's F(m x m, 3x3): outputs in tiles of m x m.

The panel is that of a kernel of m + 2 taps with stride m. Its taps are transformed (winograd.h), the
channel tile multiplies them, and the products are transformed into outputs. Depth taps are more channels.

With m = 4 a value in the padding would reach outputs that do not see it, multiplied by rounding errors:
panels then hold 0 for the fill, and each output adds what the fill is multiplied with, the sum of its taps
that lie outside.
"""

from libc.stdint cimport int32_t

from plan cimport Call, Plan, even_start


cdef inline void add_fill(const Plan *plan, const Call *call, int filter, int depth, int row, int column,
                          char *out, int pixels) noexcept nogil:
    """Add the taps outside, times the fill, to one row of outputs."""
    cdef const double *sums = call.fill_sums + <Py_ssize_t>filter * plan.taps
    cdef const unsigned char *outside = plan.outside[2] + column
    cdef int rows_out = plan.outside[1][row], depth_out = plan.outside[0][depth]
    cdef int d, h, w, bits, p = 0, first = plan.inside[0] - column, last = plan.inside[1] - column
    cdef double added[8]
    for bits in range(8):
        added[bits] = 0
        for d in range(plan.taps // 9):
            for h in range(3):
                for w in range(3):
                    if depth_out >> d & 1 or rows_out >> h & 1 or bits >> w & 1:
                        added[bits] += sums[(d * 3 + h) * 3 + w]
    while p < pixels:
        if first <= p < last and not rows_out and not depth_out:  # nothing to add until the right border
            p = last
            continue
        if plan.itemsize == 4:
            (<float *>out)[p] += <float>added[outside[p]]
        else:
            (<double *>out)[p] += added[outside[p]]
        p += 1


cdef inline void repair(const Plan *plan, const Call *call, int filter, const char *panel, const char *bias,
                        char *out, Py_ssize_t out_row, int rows, int pixels) noexcept nogil:
    """Recompute directly the tiles of a row that hold an infinity or NaN.

    An infinity that a window does not see, or an overflow of the transform, must not show in its output;
    and which tiles are recomputed depends on their own values alone.
    """
    cdef int t, r, c, first, last, item = plan.itemsize
    cdef bint finite
    cdef char *value
    cdef double d
    for t in range((pixels + plan.tile - 1) // plan.tile):
        first = plan.tile * t
        last = first + plan.tile if first + plan.tile < pixels else pixels
        finite = True
        for r in range(rows):
            for c in range(first, last):
                value = out + (r * out_row + c) * item
                d = (<float *>value)[0] if item == 4 else (<double *>value)[0]
                finite = finite and d - d == 0
        if finite:
            continue
        for r in range(rows):
            for c in range(first, last):
                plan.winograd.direct(
                    panel + t * item, plan.channel_stride, plan.plane, plan.tap_offset, plan.channels,
                    plan.axis[0].kernel, call.terms + <Py_ssize_t>filter * plan.channels * plan.taps * item, bias,
                    r, c - first, out + (r * out_row + c) * item)


cdef inline void winograd_block(const Plan *plan, const Call *call, int image, int group, const int *first,
                                const int *size, int block_from, int block_to, char *workspace) noexcept nogil:
    cdef int item = plan.itemsize, depth = plan.axis[0].kernel, terms = plan.channels * depth, m = plan.tile
    cdef int positions = (m + 2) * (m + 2), row = m * first[1], column = m * first[2]
    cdef int tiles = size[1] * size[2], groups, g, at, c, d, h, block, k, xi, count, rows, pixels, filter
    cdef int32_t no_offset = 0
    cdef Py_ssize_t stride = <Py_ssize_t>terms * plan.lane_slots, out_row
    cdef char *transformed = workspace + plan.transformed_at
    cdef char *products = workspace + plan.products_at
    cdef const char *panel
    cdef const char *weights
    cdef const char *bias
    cdef char *out
    cdef char *y
    for c in range(plan.channels):
        for d in range(depth):
            for h in range(size[1]):
                plan.winograd.input(
                    workspace + (c * plan.channel_stride + d * plan.plane
                                 + <Py_ssize_t>h * plan.axis[2].slots) * item,
                    plan.tap_offset,
                    transformed + (<Py_ssize_t>(c * depth + d) * plan.lane_slots + h * size[2]) * item, stride, size[2])
    groups = (tiles + plan.kernels.tile_pixels - 1) // plan.kernels.tile_pixels
    pixels = plan.out[2] - column
    if pixels > m * size[2]:
        pixels = m * size[2]
    for block in range(block_from, block_to):
        count = plan.filters - plan.first[block]
        if count > plan.width[block]:
            count = plan.width[block]
        weights = call.weights + (group * plan.group_weights
                                  + <Py_ssize_t>plan.first[block] * terms * positions) * item
        for xi in range(positions):
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
                rows = plan.out[1] - row - m * h
                if rows > m:
                    rows = m
                y = (call.y + image * call.y_stride[0] + filter * call.y_stride[1] + first[0] * call.y_stride[2]
                     + (row + m * h) * call.y_stride[3] + column * call.y_stride[4])
                out, out_row = y, call.y_stride[3] // item
                if not plan.direct:
                    out, out_row = workspace + plan.scratch_at, pixels
                if plan.winograd.output(
                        products + (<Py_ssize_t>k * plan.lane_slots + h * size[2]) * item,
                        <Py_ssize_t>plan.width[block] * plan.lane_slots, size[2], bias, out, out_row, rows, pixels):
                    panel = workspace + <Py_ssize_t>h * plan.axis[2].slots * item
                    repair(plan, call, filter, panel, bias, out, out_row, rows, pixels)
                for d in range(rows if call.fill_sums != NULL else 0):
                    add_fill(plan, call, filter, first[0], row + m * h + d, column, out + d * out_row * item, pixels)
                for d in range(0 if plan.direct else rows):
                    plan.store_row(y + d * call.y_stride[3], call.y_stride[4], out + d * out_row * item, pixels)
