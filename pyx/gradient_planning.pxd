# cython: language_level=3, cdivision=True
"""What is decided once for a weight gradient: algorithm, blocks, slices of channels, shares of filters.

All but the shares is the same for any number of threads, and so are the bits of the result. The constants were
measured on x86 processors with 1 MB of second-level cache.
"""

from gradient_plan cimport WeightPlan
from kernels cimport CHANNEL_VECTORS, PANEL_SLACK
from panel cimport ceil_div, lay_out

cdef enum:
    BLOCK_BYTES = 256 * 1024     # of a panel: with the sums and the output gradients in a second-level cache
    BLOCK_PIXELS = 200           # terms of one partial sum; their output gradients fill the first level
    SUMS_BYTES = 320 * 1024      # of a task
    TASK_BLOCKS = 4              # blocks of filters that share a panel
    LANE_PIXELS = 4096           # of a block whose pixels are lanes
    FEW_FILTERS = 4              # so few leave lanes of filters idle
    FEW_TAPS = 5
    BLOCK_TILES = 64             # Winograd: terms of one product
    INPUT_BYTES = 400 * 1024     # of a slice's transformed inputs


cdef inline Py_ssize_t panel_slots(WeightPlan *plan, list block, int images):
    """Lay out panels for blocks of so many outputs along each axis; the slots of one."""
    for a in range(3):
        lay_out(&plan.axis[a], block[a])
    plan.plane = <Py_ssize_t>plan.axis[1].slots * plan.axis[2].slots
    plan.image_stride = plan.axis[0].slots * plan.plane
    # An odd number of vectors from channel to channel: powers of two would share few cache sets.
    plan.channel_stride = (ceil_div(images * plan.image_stride, plan.kernels.lanes) | 1) * plan.kernels.lanes
    return plan.channel_stride * ceil_div(plan.channels, plan.slices) + PANEL_SLACK


cdef inline list pieces(WeightPlan *plan, int units, int m):
    """Blocks of about `units` tiles of m x m outputs in whole rows, planes, images."""
    left, block = units, [1, 1, 1]
    for a in range(2, -1, -1):
        step = m if a else 1
        length = ceil_div(plan.axis[a].out, step)
        parts = ceil_div(length, max(1, left))
        size = ceil_div(length, parts)
        left //= size
        block[a] = min(size * step, plan.axis[a].out)
    plan.images = max(1, min(plan.batch, left))
    return block


cdef inline void choose_direct(WeightPlan *plan):
    """Lanes of filters, or of pixels; channels in slices whose sums and panels fit the cache."""
    plan.pixel_lanes = plan.filters <= FEW_FILTERS and plan.taps >= FEW_TAPS
    if plan.pixel_lanes:
        plan.untouched = False
    blocks = 1 if plan.untouched else min(TASK_BLOCKS, plan.n_blocks)
    column = plan.taps * CHANNEL_VECTORS * plan.kernels.lanes * plan.itemsize
    plan.tile = 1
    plan.slices = ceil_div(plan.channels, max(1, SUMS_BYTES // (blocks * column)))
    plan.shares = ceil_div(plan.n_blocks, blocks)
    block = pieces(plan, LANE_PIXELS if plan.pixel_lanes else BLOCK_PIXELS, 1)
    while panel_slots(plan, block, plan.images) * plan.itemsize > BLOCK_BYTES:
        if plan.images > 1:
            plan.images = ceil_div(plan.images, 2)
        elif plan.slices < plan.channels:
            plan.slices = min(plan.channels, 2 * plan.slices)
        elif max(block) > 1:
            a = block.index(max(block))
            block[a] = ceil_div(block[a], 2)
        else:
            break


cdef inline double winograd_cycles(const WeightPlan *plan, int m):
    """Cycles by F(m x m, 3x3): products, transforms of both operands, sums carried from block to block."""
    lanes, positions = plan.kernels.lanes, (m + 2) * (m + 2)
    tiles = plan.batch * plan.axis[0].out * ceil_div(plan.axis[1].out, m) * ceil_div(plan.axis[2].out, m)
    together = min(tiles, BLOCK_TILES)
    slices = ceil_div(positions * plan.channels * together * plan.itemsize, INPUT_BYTES)
    products = CHANNEL_VECTORS * positions * ceil_div(plan.channels, lanes) * lanes * (tiles + 5 * tiles / together)
    gradients = CHANNEL_VECTORS * tiles * slices * (2 * positions + 16 * m * m)
    inputs = ceil_div(plan.channels, lanes) * tiles * (2 * positions + 16 * m * m)
    return plan.n_blocks * (products + gradients + 2 * CHANNEL_VECTORS * plan.channels * positions) + inputs


cdef inline bint choose_winograd(WeightPlan *plan, bint fast):
    """Use Winograd if it saves a tenth of the time. m = 2 is as accurate as direct sums; m = 4 must be asked for."""
    if plan.axis[0].kernel > 1 or plan.filters <= FEW_FILTERS:
        return False
    pixels = plan.batch * plan.axis[0].out
    for a in range(1, 3):
        if plan.axis[a].kernel != 3 or plan.axis[a].stride != 1 or plan.axis[a].dilation != 1:
            return False
        pixels *= plan.axis[a].out
    cycles = 0.9 * 1.1 * 9 * CHANNEL_VECTORS * plan.n_blocks * plan.channels * pixels
    plan.tile = 1
    for i in range(2 if fast else 1):
        m = plan.kernels.winograd[0][i].tile
        if winograd_cycles(plan, m) < cycles:
            cycles = winograd_cycles(plan, m)
            plan.tile, plan.inputs = m, plan.kernels.winograd[0][i]
            plan.winograd = plan.kernels.gradient.winograd[i]
    if plan.tile == 1:
        return False
    positions = (plan.tile + 2) ** 2
    block = pieces(plan, BLOCK_TILES, plan.tile)
    tiles = plan.images * block[0] * ceil_div(block[1], plan.tile) * ceil_div(block[2], plan.tile)
    for a in range(1, 3):
        block[a] = ceil_div(block[a], plan.tile) * plan.tile
        plan.axis[a].virtual = <int>ceil_div(plan.axis[a].out, plan.tile) * plan.tile + 2
    # slices of whole vectors, as even as they get
    lanes = plan.kernels.lanes
    vectors = ceil_div(plan.channels, lanes)
    plan.slices = ceil_div(vectors, max(1, INPUT_BYTES // (positions * tiles * lanes * plan.itemsize)))
    plan.shares = 1
    panel_slots(plan, block, 1)
    vectors = ceil_div(ceil_div(plan.channels, plan.slices), lanes)
    plan.lane_group = tiles * lanes
    # a vector more than needed: positions a power of two apart would share few cache sets
    plan.input_stride = vectors * plan.lane_group + lanes
    plan.dy_stride = tiles * CHANNEL_VECTORS * lanes + lanes
    plan.sum_stride = plan.kernels.gradient.terms * CHANNEL_VECTORS * lanes + lanes
    plan.set_sums = positions * plan.sum_stride
    plan.kept = plan.images < plan.batch or plan.axis[0].blocks * plan.axis[1].blocks * plan.axis[2].blocks > 1
    return True
