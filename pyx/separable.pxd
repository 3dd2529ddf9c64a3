# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Filters that are a column times a row, as two passes over planes: down the columns, then along the rows.

A task is a band of output rows of some channels. The first pass leaves the band in the workspace, where it gets
the padding of its rows: what the first pass made of columns of the input, or makes of a column of fill. The
second pass convolves the band along the rows.
"""

from libc.math cimport fabs
from libc.stdint cimport uintptr_t
from libc.string cimport memcpy, memset

from finish cimport residual_at
from kernels cimport NO_ROW, plane_function, plane_strip
from panel cimport ceil_div
from plan cimport Call, Plan
from plane_planning cimport listed_rows
from planes cimport fill_row, plane_task


cdef inline void add_band(Plan *plan, Py_ssize_t second):
    """Behind the first pass's workspace: the second's, and a band between them."""
    plan.second_at = ceil_div(plan.workspace, 64) * 64
    plan.band_at = ceil_div(plan.second_at + second, 64) * 64
    # a vector more than needed: strips of vectors that are not full need no mask; then an odd number of vectors: rows a
    # power of two apart would share few cache sets
    plan.band_pitch = <int>ceil_div(plan.second.axis[2].virtual, plan.kernels.lanes) + 1
    plan.band_pitch = (plan.band_pitch | 1) * plan.kernels.lanes
    plan.workspace = plan.band_at + <Py_ssize_t>plan.axis[1].block * plan.band_pitch * plan.itemsize + 64
    plan.workspace = ceil_div(plan.workspace, 4096) * 4096 + 64


cdef inline double element(const char *values, int item, Py_ssize_t at) noexcept nogil:
    return (<const float *>values)[at] if item == 4 else (<const double *>values)[at]


cdef inline void put_element(char *values, int item, Py_ssize_t at, double value) noexcept nogil:
    if item == 4:
        (<float *>values)[at] = <float>value
    else:
        (<double *>values)[at] = value


cdef inline void split_filters(const Plan *plan, const char *weights, int height, int width,
                               char *packed) noexcept nogil:
    """packed: the columns, the rows, zeros: the cross through the largest tap of each filter, which is of rank 1."""
    cdef int item = plan.itemsize, filters = plan.groups * plan.filters, k, i, largest
    cdef char *rows = packed + <Py_ssize_t>filters * height * item
    cdef const char *filter
    memset(rows + <Py_ssize_t>filters * width * item, 0, filters * item)
    for k in range(filters):
        filter = weights + <Py_ssize_t>k * height * width * item
        largest = 0
        for i in range(height * width):
            if fabs(element(filter, item, i)) > fabs(element(filter, item, largest)):
                largest = i
        for i in range(height):
            put_element(packed, item, k * height + i, element(filter, item, i * width + largest % width))
        for i in range(width):
            put_element(rows, item, k * width + i,
                        element(filter, item, largest // width * width + i) / element(filter, item, largest))


cdef inline void column_of_fill(const Plan *plan, const Call *call, int channel, const char *fill, char *value,
                                char *workspace) noexcept nogil:
    """What the first pass makes of nothing but fill, by the kernel that makes the rest."""
    cdef plane_strip strip
    cdef Py_ssize_t *rows = <Py_ssize_t *>(workspace + plan.source_at)
    cdef int i
    cdef plane_function *function
    for i in range(listed_rows(plan, 1)):
        rows[i] = NO_ROW
    fill_row(workspace + plan.fill_at, plan.itemsize, fill, plan.panel_pitch)
    memset(&strip, 0, sizeof(strip))
    strip.rows, strip.fill_row, strip.y = rows, workspace + plan.fill_at, value
    strip.weights = call.terms + <Py_ssize_t>channel * plan.taps * plan.itemsize
    strip.bias = call.bias
    strip.depth, strip.height, strip.width, strip.dilation = 1, plan.axis[1].kernel, 1, 1
    strip.n = strip.count = 1
    function = plan.planes.tall[0][0] if plan.tall else plan.planes.rolling[strip.height][1][0][0]
    function(&strip)


cdef inline void pad_row(const Plan *plan, char *row, const char *fill) noexcept nogil:
    cdef int v = 0, item = plan.itemsize, n = plan.second.axis[2].virtual, source
    while v < n:
        if v == plan.band_before:   # the first pass's own columns
            v += plan.axis[2].out
            continue
        source = plan.band_source[v]
        memcpy(row + v * <Py_ssize_t>item, fill if source < 0 else row + (plan.band_before + source) * <Py_ssize_t>item,
               item)
        v += 1


cdef inline void separable_task(const Plan *plan, const Call *call, int image, int channel_from, int channel_to,
                                const int *first, const int *size, char *workspace) noexcept nogil:
    cdef const Plan *second = plan.second
    cdef Call down = call[0]
    cdef Call along = call[0]
    cdef int from_[3]
    cdef int count[3]
    cdef int channel, depth, item = plan.itemsize, filters = plan.groups * plan.filters, a
    cdef Py_ssize_t pitch = <Py_ssize_t>plan.band_pitch * item
    # as far from a whole vector as the outputs are: the second pass, which aligns its stores, aligns its loads, too
    cdef char *band = workspace + plan.band_at + <uintptr_t>call.y % 64 // item * item
    cdef double value = 0
    down.terms, down.limits = call.weights, NULL
    along.terms = call.weights + <Py_ssize_t>filters * plan.axis[1].kernel * item
    down.bias = along.terms + <Py_ssize_t>filters * second.axis[2].kernel * item
    down.y = band + plan.band_before * item - first[1] * pitch
    along.x = band
    for a in range(5):
        down.y_stride[a] = along.x_stride[a] = 0
    down.y_stride[3] = along.x_stride[3] = pitch
    down.y_stride[4] = along.x_stride[4] = item
    for depth in range(first[0], first[0] + size[0]):
        along.y = call.y + depth * call.y_stride[2] + first[1] * call.y_stride[3]
        along.residual = residual_at(call, 0, 0, depth, first[1], 0)
        for channel in range(channel_from, channel_to):
            column_of_fill(plan, &down, channel, call.fill + channel // plan.filters * call.fill_stride,
                           <char *>&value, workspace)
            from_[0], from_[1], from_[2] = depth, first[1], 0
            count[0], count[1], count[2] = 1, size[1], plan.axis[2].out
            plane_task(plan, &down, image, channel, channel + 1, from_, count, workspace)
            for a in range(size[1]):
                pad_row(plan, band + a * pitch, <char *>&value)
            from_[0] = from_[1] = 0
            count[2] = second.axis[2].out
            plane_task(second, &along, image, channel, channel + 1, from_, count, workspace + plan.second_at)
