# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""One task of a weight gradient with few filters (depthwise: one): lanes are pixels, not filters."""

from libc.stdint cimport int32_t
from libc.string cimport memset

from gradient_plan cimport Operands, WeightPlan
from gradient_tasks cimport fill_block, gather_gradients, locate_block, locate_rows
from plan cimport even_start


cdef inline void lanes_task(const WeightPlan *plan, const Operands *arrays, Py_ssize_t task,
                            char *workspace) noexcept nogil:
    cdef int first[3]
    cdef int size[3]
    cdef int image, images, block, c, k, i, rows
    cdef int slice = <int>(task % plan.slices), group = <int>(task // plan.slices)
    cdef int from_channel = even_start(slice, plan.slices, plan.channels)
    cdef int channels = even_start(slice + 1, plan.slices, plan.channels) - from_channel
    cdef int terms = channels * plan.taps
    cdef double *sums = <double *>(workspace + plan.sums_at)
    cdef Py_ssize_t at, dy_row, item = plan.itemsize
    cdef const char *dy
    memset(sums, 0, <size_t>plan.filters * terms * sizeof(double))
    image = 0
    while image < plan.batch:
        images = plan.batch - image if plan.batch - image < plan.images else plan.images
        for block in range(plan.axis[0].blocks * plan.axis[1].blocks * plan.axis[2].blocks):
            locate_block(plan, block, first, size)
            fill_block(plan, arrays, image, images, group * plan.channels + from_channel, channels, first, workspace)
            rows = locate_rows(plan, arrays, images, size, workspace)
            for k in range(plan.filters):
                dy, dy_row = workspace + plan.dy_at, size[2]
                if (images == 1 and size[0] == 1 and plan.plain and arrays.dy_stride[4] == item
                        and arrays.dy_stride[3] % item == 0):
                    dy = (arrays.dy + image * arrays.dy_stride[0] + (group * plan.filters + k) * arrays.dy_stride[1]
                          + first[0] * arrays.dy_stride[2] + first[1] * arrays.dy_stride[3] + first[2] * item)
                    dy_row = arrays.dy_stride[3] // item
                else:
                    gather_gradients(plan, arrays, image, images, group * plan.filters + k, first, size,
                                     workspace + plan.dy_at)
                for c in range(channels):
                    plan.kernels.gradient.lane_sums(
                        dy, dy_row, workspace, <const int32_t *>(workspace + plan.rows_at), rows,
                        size[2], plan.offset + c * plan.taps, plan.taps, sums + k * terms + c * plan.taps)
        image += images
    for k in range(plan.filters):
        at = (<Py_ssize_t>(group * plan.filters + k) * plan.channels + from_channel) * plan.taps
        for i in range(terms):
            if plan.itemsize == 4:
                (<float *>arrays.dw)[at + i] = <float>sums[k * terms + i]
            else:
                (<double *>arrays.dw)[at + i] = sums[k * terms + i]
