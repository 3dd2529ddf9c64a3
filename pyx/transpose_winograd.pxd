# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Transposed convolution of stride 2 by Winograd's F(3x3, 2x2), four phases to a tile (winograd_phases.h).

The axes of the plan count outputs of one phase, three to a tile, on a panel two taps wide: tile t of an axis
reads positions 3 t ... 3 t + 3 and makes outputs 6 t ... 6 t + 5, one less where phase 1 comes first (`odd`).
"""

from libc.stdint cimport int32_t

from gather cimport fill_panel
from kernels cimport CHANNEL_VECTORS, PANEL_SLACK, panel_run
from panel cimport ceil_div, count_tiles
from plan cimport Call, Plan, even_start
from planning cimport BYTES_A_CYCLE, block_tiles, panel_bytes
from transpose_plan cimport Transposed

cdef enum:
    M = 3                   # outputs of a tile, of each phase and along each axis
    TRANSFORM_CYCLES = 4    # to make a vector of transformed inputs, or read one of products
    WEIGHT_CYCLES = 7       # to make a vector of transformed weights: they leave the cache


cdef inline object second_phase(axis):
    """The slot of a tile's first output in phase 1 of an axis, 0 or 1; None where tiles do not fit.

    In phase 0 it is 0. The two taps of a phase must be neighbours, and so must the outputs of both phases.
    """
    step, _, taps = axis.phases
    slots = [{slot for phase, slot in taps if phase == r} for r in range(step)]
    if step != 2 or axis.dilation > 1 or not all(slots) or not slots[0] <= {0, 1}:
        return None
    for first in (0, 1):
        if slots[1] <= {first, first + 1}:
            return first
    return None


cdef inline double phase_cycles(const Plan *plan, const Transposed *t):
    """Cycles for the outputs of one channel and image, the transform of the weights included."""
    cdef double lanes = plan.kernels.lanes, products = t.products[0] + t.products[1]
    tiles = plan.axis[1].out // M * (plan.axis[2].out // M)
    width = ceil_div(plan.filters, CHANNEL_VECTORS * plan.kernels.lanes) * CHANNEL_VECTORS * plan.kernels.lanes
    together = min(block_tiles(plan, 16), tiles)
    multiplied = products * tiles * width / (CHANNEL_VECTORS * lanes)
    reread = products * tiles / together * width * plan.itemsize / BYTES_A_CYCLE
    transforms = TRANSFORM_CYCLES * 16 * tiles * (1 / lanes + 4.0 * width / lanes / plan.channels)
    return multiplied + reread + transforms + WEIGHT_CYCLES * products * width / lanes / plan.batch


cdef inline void note_products(Transposed *t, taps, first):
    """Which products and taps the phases have; `first`: [axis][phase] the slot of a tile's first output."""
    cdef int a, b, i, n
    for a in range(2):
        n = 0
        rows = {slot - first[0][a]: k for k, (phase, slot) in enumerate(taps[0]) if phase == a}
        for b in range(2):
            columns = {slot - first[1][b]: k for k, (phase, slot) in enumerate(taps[1]) if phase == b}
            for i in range(4):
                t.tap[2 * a + b][i] = -1
                if i // 2 in rows and i % 2 in columns:
                    t.tap[2 * a + b][i] = rows[i // 2] * len(taps[1]) + columns[i % 2]
        for i in range(16):     # position by position: both phases read the same inputs
            for b in range(2):
                columns = {slot - first[1][b] for phase, slot in taps[1] if phase == b}
                t.product[2 * a + b][i] = -1
                # without the first tap, the position of 0 is empty; without the second, that of infinity
                if {0: 0, 3: 1}.get(i // 4, 2) in {*rows, 2} and {0: 0, 3: 1}.get(i % 4, 2) in {*columns, 2}:
                    t.product[2 * a + b][i], t.position[a][n] = n, i
                    n += 1
        t.products[a] = n


cdef inline list choose_phases(Plan *plan, Transposed *t, axes, double direct):
    """Use Winograd if it saves a tenth of the time: widths of the channel blocks, or None.

    `direct`: cycles of the register tile for a row of outputs and one term.
    """
    cdef int a
    if plan.kernels.phases == NULL or t.step[0] > 1 or axes[0].kernel > 1:
        return None
    second = [second_phase(axes[a]) for a in (1, 2)]
    if None in second:
        return None
    note_products(t, [axes[a].phases[2] for a in (1, 2)], [(0, low) for low in second])
    if t.products[0] + t.products[1] >= M * M * plan.taps:      # no phase of two taps: nothing to save
        return None
    outputs, kernel = [plan.axis[a].out for a in range(3)], [plan.axis[a].kernel for a in range(3)]
    for a in range(1, 3):
        t.odd[a] = second[a - 1]
        plan.axis[a].out = <int>ceil_div(t.length[a] + t.odd[a], 2 * M) * M
        plan.axis[a].kernel = 2
    if phase_cycles(plan, t) >= 0.9 * outputs[1] * plan.taps * (
            direct + 1.0 * plan.filters / plan.kernels.lanes / outputs[1] / plan.batch):
        for a in range(3):
            plan.axis[a].out, plan.axis[a].kernel = outputs[a], kernel[a]
        return None
    t.winograd = plan.kernels.phases
    plan.tile = M
    for a in range(1, 3):
        plan.axis[a].virtual = plan.axis[a].out + 1
        count_tiles(&plan.axis[a], M)
    tiles = block_tiles(plan, 16)
    rows, columns = plan.axis[1].tiles, plan.axis[2].tiles
    columns = ceil_div(columns, ceil_div(columns, min(tiles, 28)))
    panel_bytes(plan, (1, ceil_div(rows, ceil_div(rows, max(1, tiles // columns))), columns))
    width = CHANNEL_VECTORS * plan.kernels.lanes
    return [width] * ceil_div(plan.filters, width)


cdef inline Py_ssize_t reserve_phases(Plan *plan, const Transposed *t):
    """Lay out a thread's workspace behind the panel: the end of it."""
    cdef Py_ssize_t lanes = plan.kernels.lanes, item = plan.itemsize, tiles, scratch
    tiles = plan.axis[1].block * plan.axis[2].block
    plan.lane_group = tiles * lanes
    plan.transformed_stride = ceil_div(plan.channels, lanes) * plan.lane_group + lanes
    plan.product_stride = tiles * plan.width[0] + lanes
    scratch = ceil_div(plan.plane, lanes) * lanes * lanes * item    # of the transposed panel
    if not plan.direct:
        scratch = max(scratch, <Py_ssize_t>plan.width[0] * M * 2 * M * plan.axis[2].block * item)
    plan.scratch_at = ceil_div((plan.channel_stride * min(plan.channels, lanes) + PANEL_SLACK) * item, 64) * 64
    plan.transformed_at = ceil_div(plan.scratch_at + scratch, 64) * 64
    plan.products_at = ceil_div(plan.transformed_at + 16 * plan.transformed_stride * item, 64) * 64
    return plan.products_at + max(t.products[0], t.products[1]) * plan.product_stride * item


cdef inline void multiply_phases(const Plan *plan, const Transposed *t, const char *transformed, const char *weights,
                                 int row_phase, int tiles, char *products) noexcept nogil:
    """The products of one block of output channels and two phases."""
    cdef int item = plan.itemsize, lanes = plan.kernels.lanes, n, part, at
    cdef int parts = (tiles + plan.kernels.tile_pixels - 1) // plan.kernels.tile_pixels
    for n in range(t.products[row_phase]):
        for part in range(parts):
            at = even_start(part, parts, tiles)
            plan.kernels.product_tile[even_start(part + 1, parts, tiles) - at](
                transformed + (t.position[row_phase][n] * plan.transformed_stride + at * lanes) * item,
                plan.lane_group, plan.channels, 1, weights + n * plan.weight_stride * item,
                products + (n * plan.product_stride + at * plan.width[0]) * item)


cdef inline int phases_block(const Plan *plan, const Transposed *t, const Call *call, int image, int group,
                             const int *first, const int *size, int block_from, int block_to, int n_runs,
                             char *workspace) noexcept nogil:
    """All outputs of one block of tiles, for blocks block_from ... block_to - 1 of output channels.

    Returns whether some output may be infinite or NaN.
    """
    cdef int item = plan.itemsize, lanes = plan.kernels.lanes, width = plan.width[0], channel = 0, channels
    cdef int tile_rows = size[1], columns = size[2], block, count, a, h, k, r, row, low, high
    cdef int column = 2 * M * first[2] - t.odd[2], skip = column < 0, pixels, suspect = 0
    cdef Py_ssize_t out_channel, out_row
    cdef char *transformed = workspace + plan.transformed_at
    cdef char *products = workspace + plan.products_at
    cdef const char *weights
    cdef char *out
    cdef char *y
    while channel < plan.channels:
        channels = plan.channels - channel if plan.channels - channel < lanes else lanes
        fill_panel(plan, call, image, group * plan.channels + channel, channels, n_runs, workspace)
        t.winograd.input(workspace, plan.channel_stride, channels, plan.axis[2].slots, tile_rows, columns,
                         workspace + plan.scratch_at, transformed + channel // lanes * plan.lane_group * item,
                         plan.transformed_stride)
        channel += lanes
    column += skip
    pixels = t.length[2] - column
    if pixels > 2 * M * columns - skip:
        pixels = 2 * M * columns - skip
    for block in range(block_from, block_to):
        count = plan.filters - plan.first[block] if plan.filters - plan.first[block] < width else width
        weights = call.weights + (group * plan.group_weights
                                  + block * (t.products[0] + t.products[1]) * plan.weight_stride) * item
        for a in range(2):
            multiply_phases(plan, t, transformed, weights, a, tile_rows * columns, products)
            weights += t.products[a] * plan.weight_stride * item
            for h in range(tile_rows):
                row = 2 * M * (first[1] + h) - t.odd[1] + (a ^ t.odd[1])    # outputs row, row + 2, row + 4
                low = 1 if row < 0 else 0
                high = (t.length[1] - row + 1) // 2
                if high > M:
                    high = M
                if high <= low:
                    continue
                y = (call.y + image * call.y_stride[0] + (group * plan.filters + plan.first[block]) * call.y_stride[1]
                     + first[0] * call.y_stride[2] + row * call.y_stride[3] + column * call.y_stride[4])
                out, out_channel, out_row = y, call.y_stride[1] // item, 2 * call.y_stride[3] // item
                if not plan.direct:
                    out, out_channel, out_row = workspace + plan.scratch_at, M * pixels, pixels
                suspect |= t.winograd.output(
                    products + h * columns * <Py_ssize_t>width * item, plan.product_stride, &t.product[2 * a][0],
                    columns, call.bias + (<Py_ssize_t>group * plan.group_bias + plan.first[block]) * item, out,
                    out_channel, out_row, count, low, high, t.odd[2], skip, pixels)
                if plan.direct:
                    continue
                for k in range(count):
                    for r in range(low, high):
                        plan.store_row(y + k * call.y_stride[1] + 2 * r * call.y_stride[3], call.y_stride[4],
                                       out + (k * out_channel + r * out_row) * item, pixels)
    return suspect
