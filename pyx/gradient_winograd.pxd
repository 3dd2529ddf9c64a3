# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""One task of a weight gradient by Winograd (gradient_winograd.h): a slice of channels, some blocks of filters.

A block of tiles at a time: its inputs and output gradients are transformed, and their products over tiles added
to the sums of each position, which become weights after PARTIAL_BLOCKS blocks.
"""

from gradient_plan cimport Operands, WeightPlan
from gradient_tasks cimport PARTIAL_BLOCKS, fill_block, load_gradients, locate_block
from kernels cimport CHANNEL_VECTORS
from plan cimport even_start


cdef inline void transform_inputs(const WeightPlan *plan, const Operands *arrays, int image, int images, int channel,
                                  int channels, const int *first, const int *size, char *workspace) noexcept nogil:
    """inputs[xi][vector of channels][image, depth, row and column of the tile][lane]"""
    cdef int n, d, c = 0, count, m = plan.tile, lanes = plan.kernels.lanes, item = plan.itemsize
    cdef int rows = (size[1] + m - 1) // m, columns = (size[2] + m - 1) // m
    cdef char *transformed = workspace + plan.inputs_at
    while c < channels:
        count = channels - c if channels - c < lanes else lanes
        for n in range(images):
            fill_block(plan, arrays, image + n, 1, channel + c, count, first, workspace)
            for d in range(size[0]):
                plan.inputs.input(
                    workspace + d * plan.plane * item, plan.channel_stride, count, plan.axis[2].slots, rows, 1,
                    columns, 1, workspace + plan.lines_at,
                    transformed + (n * size[0] + d) * rows * columns * lanes * item, plan.input_stride)
        transformed += plan.lane_group * item
        c += lanes


cdef inline void transform_gradients(const WeightPlan *plan, int images, const int *size,
                                     char *workspace) noexcept nogil:
    """gradients[xi][image, depth, row and column of the tile][filter], of the packed block of filters"""
    cdef int n, h, m = plan.tile, item = plan.itemsize, width = CHANNEL_VECTORS * plan.kernels.lanes
    cdef int rows = (size[1] + m - 1) // m, columns = (size[2] + m - 1) // m
    cdef const char *packed = workspace + plan.packed_at
    cdef char *transformed = workspace + plan.gradients_at
    for n in range(images * size[0]):
        for h in range(rows):
            plan.winograd.gradients(
                packed + (<Py_ssize_t>n * size[1] + m * h) * size[2] * width * item, <Py_ssize_t>size[2] * width,
                size[1] - m * h if size[1] - m * h < m else m, size[2], transformed, plan.dy_stride, columns)
            transformed += columns * width * item


cdef inline void winograd_task(const WeightPlan *plan, const Operands *arrays, Py_ssize_t task,
                               char *workspace) noexcept nogil:
    cdef int first[3]
    cdef int size[3]
    cdef int m = plan.tile, lanes = plan.kernels.lanes, item = plan.itemsize, terms = plan.kernels.gradient.terms
    cdef int width = CHANNEL_VECTORS * lanes, positions = (m + 2) * (m + 2)
    cdef int image, images, block, blocks, k, filter, filters, c, sub, xi, tiles, n_sets, done = 0, since = 0
    cdef int slice = <int>(task % plan.slices), group = <int>(task // plan.slices // plan.shares)
    cdef int share = <int>(task // plan.slices % plan.shares)
    cdef int first_block = even_start(share, plan.shares, plan.n_blocks)
    cdef int n_blocks = even_start(share + 1, plan.shares, plan.n_blocks) - first_block
    cdef int from_channel = even_start(slice, plan.slices, plan.channels)
    cdef int channels = even_start(slice + 1, plan.slices, plan.channels) - from_channel
    cdef bint last, flush
    cdef char *sums
    cdef char *dw
    n_sets = (channels + terms - 1) // terms
    blocks = plan.axis[0].blocks * plan.axis[1].blocks * plan.axis[2].blocks
    image = 0
    while image < plan.batch:
        images = plan.batch - image if plan.batch - image < plan.images else plan.images
        for block in range(blocks):
            locate_block(plan, block, first, size)
            tiles = images * size[0] * ((size[1] + m - 1) // m) * ((size[2] + m - 1) // m)
            transform_inputs(plan, arrays, image, images, group * plan.channels + from_channel, channels, first, size,
                             workspace)
            last = block == blocks - 1 and image + images == plan.batch
            flush = last or since == PARTIAL_BLOCKS - 1
            for k in range(n_blocks):
                filter = (first_block + k) * width
                filters = plan.filters - filter if plan.filters - filter < width else width
                filter += group * plan.filters
                load_gradients(plan, arrays, image, images, filter, filters, first, size, workspace)
                transform_gradients(plan, images, size, workspace)
                c = 0
                while c < n_sets * terms:
                    sums = workspace + plan.sums_at
                    if plan.kept:
                        sums += (<Py_ssize_t>k * n_sets + c // terms) * plan.set_sums * item
                    for xi in range(positions):
                        sub = 0
                        while sub < lanes and c + sub < n_sets * terms:
                            plan.kernels.gradient.products(
                                workspace + plan.gradients_at + xi * plan.dy_stride * item,
                                workspace + plan.inputs_at
                                + (xi * plan.input_stride + c // lanes * plan.lane_group + sub) * item,
                                tiles, sums + (sub // terms * plan.set_sums + xi * plan.sum_stride) * item, since > 0)
                            sub += terms
                    sub = 0
                    while flush and sub < lanes and c + sub < channels:
                        dw = arrays.dw + (<Py_ssize_t>filter * plan.channels + from_channel + c + sub) * 9 * item
                        if plan.winograd.sums(sums + sub // terms * plan.set_sums * item, plan.sum_stride,
                                              terms if c + sub + terms <= channels else channels - c - sub, filters,
                                              dw, <Py_ssize_t>plan.channels * 9, done > 0):
                            arrays.suspect[0] = 1
                        sub += terms
                    c += lanes
            since += 1
            if flush:
                since, done = 0, done + 1
        image += images
