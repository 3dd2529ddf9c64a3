# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Planes with large filters by overlap-save: products of Fourier transforms of tiles (fourier.h).

A task is a pair of tiles, one in the real and one in the imaginary part. The fill is written in when a tile
is loaded, through the index tables. A transform carries rounding errors, and anything that is not finite,
to all of both tiles: results that are not finite are computed again directly.
"""

from libc.math cimport cos, pi, sin
from libc.string cimport memset

from finish cimport finish, residual_at
from kernels cimport FOURIER_SIZE, panel_run
from panel cimport runs_of
from plan cimport Call, Plan
from plane_planning cimport SPECTRUM
from planes cimport plane_task

cdef inline void set_element(char *values, int item, Py_ssize_t at, double value) noexcept nogil:
    if item == 4:
        (<float *>values)[at] = <float>value
    else:
        (<double *>values)[at] = value


cdef inline void transform_filters(const Plan *plan, const char *weights, char *packed, char *workspace) noexcept nogil:
    """packed: the twiddles, then the spectrum of each filter, turned and divided by the size."""
    cdef int item = plan.itemsize, i, j, k, rows = plan.axis[1].kernel, columns = plan.axis[2].kernel
    cdef int lanes = plan.kernels.lanes, stride = plan.fourier.tile // (FOURIER_SIZE // lanes), row, column
    cdef char *tile = workspace + plan.tile_at
    cdef double value
    for i in range(FOURIER_SIZE):
        set_element(packed, item, 2 * i, cos(2 * pi * i / FOURIER_SIZE))
        set_element(packed, item, 2 * i + 1, sin(2 * pi * i / FOURIER_SIZE))
    for k in range(plan.groups * plan.filters):
        memset(tile, 0, plan.fourier.tile * <Py_ssize_t>item)
        for i in range(rows):
            for j in range(columns):
                if item == 4:
                    value = (<const float *>weights)[(k * rows + i) * columns + j]
                else:
                    value = (<const double *>weights)[(k * rows + i) * columns + j]
                row, column = (FOURIER_SIZE - i) % FOURIER_SIZE, (FOURIER_SIZE - j) % FOURIER_SIZE
                set_element(tile, item, column // lanes * stride + row * 2 * lanes + column % lanes,
                            value / (FOURIER_SIZE * FOURIER_SIZE))
        plan.fourier.columns(tile, packed, FOURIER_SIZE, False)
        plan.fourier.spectrum(tile, packed, packed + (2 * FOURIER_SIZE + <Py_ssize_t>k * SPECTRUM) * item)


cdef inline void load_tile(const Plan *plan, const Call *call, const char *x, const char *fill, int tile, int part,
                           char *workspace) noexcept nogil:
    """Tile number `tile`, with the padding written in; zeros past the last row and column, or for no tile."""
    cdef char *line = workspace + plan.line_at
    cdef panel_run *runs = <panel_run *>(workspace + plan.line_runs_at)
    cdef int row, column, length, n_runs, i
    cdef const char *source
    memset(line, 0, FOURIER_SIZE * plan.itemsize)
    row = tile // plan.tiles[1] * plan.tile_size[0]
    column = tile % plan.tiles[1] * plan.tile_size[1]
    length = plan.axis[2].virtual - column
    n_runs = runs_of(plan.axis[2].source + column, length if length < FOURIER_SIZE else FOURIER_SIZE, runs)
    for i in range(FOURIER_SIZE):
        if tile >= plan.tiles[0] * plan.tiles[1] or row + i >= plan.axis[1].virtual:
            memset(line, 0, FOURIER_SIZE * plan.itemsize)
        else:
            source = NULL
            if x != NULL and plan.axis[1].source[row + i] >= 0:
                source = x + plan.axis[1].source[row + i] * call.x_stride[3]
            plan.load_row(line, source, call.x_stride[4], runs, n_runs, fill)
        plan.fourier.put(workspace + plan.tile_at, i, part, line)


cdef inline void fourier_task(const Plan *plan, const Call *call, int image, int group, int depth, int pair,
                              char *workspace) noexcept nogil:
    cdef int first[3]
    cdef int size[3]
    cdef int channel, part, tile, i, item = plan.itemsize, source
    cdef char *values = workspace + plan.tile_at
    cdef char *line = workspace + plan.line_at
    cdef const char *spectrum
    cdef const char *x = NULL
    cdef char *y
    cdef bint finite
    source = plan.axis[0].source[depth * plan.axis[0].stride]
    if source >= 0:
        x = call.x + image * call.x_stride[0] + group * call.x_stride[1] + source * call.x_stride[2]
    for channel in range(group * plan.filters, (group + 1) * plan.filters):
        for part in range(2):
            load_tile(plan, call, x, call.fill + group * call.fill_stride, 2 * pair + part, part, workspace)
        spectrum = call.weights + (2 * FOURIER_SIZE + <Py_ssize_t>channel * SPECTRUM) * item
        plan.fourier.columns(values, call.weights, FOURIER_SIZE, False)
        plan.fourier.multiply(values, call.weights, spectrum, workspace + plan.strip_at)
        plan.fourier.columns(values, call.weights, plan.tile_size[1], True)
        finite = True
        for part in range(4):   # twice, because one tile shows what the other holds
            tile = 2 * pair + part % 2
            if part >= 2 and finite or tile >= plan.tiles[0] * plan.tiles[1]:
                continue
            first[0], size[0] = depth, 1
            first[1] = tile // plan.tiles[1] * plan.tile_size[0]
            first[2] = tile % plan.tiles[1] * plan.tile_size[1]
            for i in range(1, 3):
                size[i] = plan.axis[i].out - first[i]
                if size[i] > plan.tile_size[i - 1]:
                    size[i] = plan.tile_size[i - 1]
            if size[1] <= 0 or size[2] <= 0:
                continue
            if part >= 2:
                plane_task(plan, call, image, channel, channel + 1, first, size, workspace)
                continue
            y = (call.y + image * call.y_stride[0] + channel * call.y_stride[1] + depth * call.y_stride[2]
                 + first[1] * call.y_stride[3] + first[2] * call.y_stride[4])
            for i in range(size[1]):
                if plan.fourier.get(values, i, part, call.bias + <Py_ssize_t>channel * item, line, size[2]):
                    finite = False
                if call.limits != NULL:
                    finish(plan, call, residual_at(call, image, channel, depth, first[1] + i, first[2]), 0, line, 0, 1,
                           size[2])
                plan.store_row(y + i * call.y_stride[3], call.y_stride[4], line, size[2])
