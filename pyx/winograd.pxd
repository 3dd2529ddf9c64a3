# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""One block by Winograd's F(m x m, 3x3) or F(1 x m, 1x3): outputs in tiles of m x m, or m in a row.

A vector of channels at a time is gathered and transformed (winograd.h); matrix products over the channels,
one for each position of the transform, follow; their results are transformed into outputs. Depth taps are
more channels. Small planes of a batch share a block, so that transformed weights are read once for all.

With m = 4 a value in the padding would reach outputs that do not see it, multiplied by rounding errors:
panels then hold 0 for the fill, and each output adds what the fill is multiplied with, the sum of its taps
that lie outside.
"""

from finish cimport add_fill, ask_for, finish, residual_at
from gather cimport fill_panel
from panel cimport tile_slot, tile_start
from plan cimport Call, Plan, even_start


cdef inline void repair(const Plan *plan, const Call *call, int filter, const char *panel, const char *bias,
                        char *out, Py_ssize_t out_row, int rows, int tiles, int pixels) noexcept nogil:
    """Recompute directly the tiles of a row that hold an infinity or NaN.

    An infinity that a window does not see, or an overflow of the transform, must not show in its output;
    and which tiles are recomputed depends on their own values alone.
    """
    cdef int r, c, t, start, slot, columns, step = plan.axis[2].dilation, item = plan.itemsize
    cdef const char *weights = call.terms + <Py_ssize_t>filter * plan.channels * plan.taps * item
    cdef bint finite
    cdef char *value
    cdef double d
    for t in range(tiles):
        start, slot = tile_start(&plan.axis[2], t), tile_slot(&plan.axis[2], t)
        finite = True
        columns = min(plan.tile, (pixels - start + step - 1) // step)
        for r in range(rows):
            for c in range(columns):
                value = out + (r * out_row + start + c * step) * item
                d = (<float *>value)[0] if item == 4 else (<double *>value)[0]
                finite = finite and d - d == 0
        for r in range(0 if finite else rows):
            for c in range(columns):
                plan.kernels.pixel_tile[0][1](
                    panel + (<Py_ssize_t>r * plan.axis[1].step * plan.axis[2].slots + slot + c * step) * item,
                    plan.channel_stride, plan.tap, plan.taps, plan.channels, plan.taps, weights, bias,
                    out + (r * out_row + start + c * step) * item, 0, 1)


cdef inline void transform_inputs(const Plan *plan, const Call *call, int image, int group, int rows, int columns,
                                  char *transformed, int n_runs, char *workspace) noexcept nogil:
    cdef int lanes = plan.kernels.lanes, item = plan.itemsize, depth = plan.axis[0].kernel, first = 0, channels, d
    while first < plan.channels:
        channels = plan.channels - first if plan.channels - first < lanes else lanes
        fill_panel(plan, call, image, group * plan.channels + first, channels, n_runs, workspace)
        for d in range(depth):
            plan.winograd.input(workspace + d * plan.plane * item, plan.channel_stride, channels, plan.axis[2].slots,
                                rows, plan.axis[1].step, columns, plan.axis[2].step, workspace + plan.scratch_at,
                                transformed, plan.transformed_stride)
            transformed += plan.lane_group * item
        first += lanes


cdef inline void multiply(const Plan *plan, const Call *call, const char *transformed, const char *weights,
                          int tiles, char *products, const char *residual, const char *y, int channels, int rows,
                          int pixels) noexcept nogil:
    """The products of one block of output channels at all positions; `residual`, `y`: of its outputs, or NULL."""
    cdef int item = plan.itemsize, lanes = plan.kernels.lanes
    cdef int parts = (tiles + plan.kernels.tile_pixels - 1) // plan.kernels.tile_pixels, xi, part, at, asked
    for xi in range(plan.positions):
        at = even_start(xi, plan.positions, channels)
        asked = even_start(xi + 1, plan.positions, channels) - at
        if residual != NULL:
            ask_for(residual + at * call.residual_stride[1], call.residual_stride, asked, rows, pixels)
        if y != NULL:
            ask_for(y + at * call.y_stride[1], call.y_stride, asked, rows, pixels)
        for part in range(parts):
            at = even_start(part, parts, tiles)
            plan.kernels.product_tile[even_start(part + 1, parts, tiles) - at](
                transformed + (xi * plan.transformed_stride + at * lanes) * item, plan.lane_group, plan.channels,
                plan.axis[0].kernel, weights + xi * plan.weight_stride * item,
                products + (xi * plan.product_stride + at * plan.width[0]) * item)


cdef inline void winograd_block(const Plan *plan, const Call *call, int image, int group, const int *first,
                                const int *size, int block_from, int block_to, int n_runs,
                                char *workspace) noexcept nogil:
    cdef int item = plan.itemsize, m = plan.axis[1].tile, width = plan.width[0]
    cdef int tile_rows = size[1], columns = size[2], tiles = tile_rows * columns, row, row_step = plan.axis[1].dilation
    cdef int column = tile_start(&plan.axis[2], first[2]), pixels = min(plan.tile * columns, plan.axis[2].out - column)
    cdef int images = plan.batch - image if plan.batch - image < plan.images else plan.images
    cdef int block, count, n, h, k, d, rows, filter, gathered = -1
    cdef Py_ssize_t out_channel, out_row
    cdef char *transformed = workspace + plan.transformed_at
    cdef char *products = workspace + plan.products_at
    cdef const char *bias
    cdef char *out
    cdef char *y
    for n in range(images):
        transform_inputs(plan, call, image + n, group, tile_rows, columns,
                         transformed + n * tiles * plan.kernels.lanes * item, n_runs, workspace)
    for block in range(block_from, block_to):
        count = plan.filters - plan.first[block] if plan.filters - plan.first[block] < width else width
        filter = group * plan.filters + plan.first[block]
        row = tile_start(&plan.axis[1], first[1])
        y = (call.y + image * call.y_stride[0] + filter * call.y_stride[1] + first[0] * call.y_stride[2]
             + row * call.y_stride[3] + column * call.y_stride[4])
        multiply(plan, call, transformed,
                 call.weights + (group * plan.group_weights
                                 + <Py_ssize_t>block * plan.positions * plan.weight_stride) * item,
                 images * tiles, products, residual_at(call, image, filter, first[0], row, column),
                 y if plan.direct else NULL, count, min(m * tile_rows, plan.axis[1].out - row), pixels)
        bias = call.bias + (<Py_ssize_t>group * plan.group_bias + plan.first[block]) * item
        for n in range(images):
            for h in range(tile_rows):
                row = tile_start(&plan.axis[1], first[1] + h)
                rows = min(m, (plan.axis[1].out - row + row_step - 1) // row_step)
                y = (call.y + (image + n) * call.y_stride[0] + filter * call.y_stride[1] + first[0] * call.y_stride[2]
                     + row * call.y_stride[3] + column * call.y_stride[4])
                out, out_channel, out_row = y, call.y_stride[1] // item, row_step * call.y_stride[3] // item
                if not plan.direct:
                    out, out_channel, out_row = workspace + plan.scratch_at, m * pixels, pixels
                if plan.winograd.output(products + (n * tiles + h * columns) * <Py_ssize_t>width * item,
                                        plan.product_stride, columns, bias, out, out_channel, out_row, count, rows,
                                        pixels, plan.axis[2].dilation):
                    if gathered != n:
                        gathered = n
                        fill_panel(plan, call, image + n, group * plan.channels, plan.channels, n_runs, workspace)
                    for k in range(count):
                        repair(plan, call, filter + k,
                               workspace + <Py_ssize_t>tile_slot(&plan.axis[1], h) * plan.axis[2].slots * item,
                               bias + k * item, out + k * out_channel * item, out_row, rows, columns, pixels)
                if call.fill_sums != NULL:
                    add_fill(plan, call, filter, count, first[0], row, row_step, rows, column, out, out_channel * item,
                             out_row * item, pixels)
                for k in range(0 if plan.direct and call.limits == NULL else count):
                    if call.limits != NULL:
                        finish(plan, call, residual_at(call, image + n, filter + k, first[0], row, column),
                               row_step * call.residual_stride[3], out + k * out_channel * item, out_row * item, rows,
                               pixels)
                    for d in range(0 if plan.direct else rows):
                        plan.store_row(y + k * call.y_stride[1] + d * row_step * call.y_stride[3], call.y_stride[4],
                                       out + (k * out_channel + d * out_row) * item, pixels)
