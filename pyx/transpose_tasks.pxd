# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""One block of a transposed convolution, phase by phase, on the register tiles of the forward convolution."""

from plan cimport Call, Plan
from tasks cimport tile_row
from transpose_plan cimport Transposed


cdef inline void store_rows(const Plan *plan, const Transposed *t, const Call *call, char *y, const int *at, int rows,
                            int pixels, int channels, const char *scratch, char *line) noexcept nogil:
    """`rows` rows of all phases of the last axis, `channels` channels, from output position `at` on."""
    cdef int k, row, h, length = pixels * t.step[2]
    cdef Py_ssize_t pitch = <Py_ssize_t>rows * pixels
    cdef const char *values
    cdef char *target
    if length > t.length[2] - at[2]:
        length = t.length[2] - at[2]
    if at[0] >= t.length[0]:
        return
    for k in range(channels):
        for row in range(rows):
            h = at[1] + row * t.step[1]
            if h >= t.length[1]:
                break
            values = scratch + (k * t.scratch_channel + <Py_ssize_t>row * pixels) * plan.itemsize
            target = (y + k * call.y_stride[1] + at[0] * call.y_stride[2] + h * call.y_stride[3]
                      + at[2] * call.y_stride[4])
            if t.step[2] > 1:
                if plan.direct and length == pixels * t.step[2]:
                    plan.kernels.interleave_rows(target, values, pitch, t.step[2], pixels)
                    continue
                plan.kernels.interleave_rows(line, values, pitch, t.step[2], pixels)
                values = line
            plan.store_row(target, call.y_stride[4], values, length)


cdef inline void transpose_block(const Plan *plan, const Transposed *t, const Call *call, int image, int group,
                                 const int *first, const int *size, int block_from, int block_to,
                                 char *workspace) noexcept nogil:
    """All outputs of one block of the panel, for blocks block_from ... block_to - 1 of output channels.

    A phase is computed for a group of rows at a time: its weights stay in cache, and so do the rows.
    """
    cdef int block, a, b, r, p, d, g, h, rows, row, row_step = 1, count, channels
    cdef int at[3]
    cdef char *scratch = workspace + plan.scratch_at
    cdef char *line = scratch + t.scratch_channel * plan.width[0] * plan.itemsize
    cdef const char *panel
    cdef Call part = call[0]
    cdef char *y = call.y + image * call.y_stride[0] + group * plan.filters * call.y_stride[1]
    if plan.channel_lanes and 1 < size[2] <= plan.kernels.tile_pixels // 2:
        row_step = 2
    at[2] = first[2] * t.step[2]
    for block in range(block_from, block_to):
        channels = plan.filters - plan.first[block]
        if channels > plan.width[block]:
            channels = plan.width[block]
        for d in range(size[0]):
            for g in range((size[1] + t.group_rows - 1) // t.group_rows):
                h = g * t.group_rows
                rows = size[1] - h if size[1] - h < t.group_rows else t.group_rows
                panel = workspace + (d * plan.plane + <Py_ssize_t>h * plan.axis[2].slots) * plan.itemsize
                p = 0
                for a in range(t.step[0]):
                    at[0] = (first[0] + d) * t.step[0] + a
                    for b in range(t.step[1]):
                        at[1] = (first[1] + h) * t.step[1] + b
                        for r in range(t.step[2]):
                            part.weights = call.weights + t.weights_at[p] * plan.itemsize
                            row = 0
                            while row < rows:
                                count = row_step if row + row_step <= rows else 1
                                tile_row(&t.phase[p], &part, group, block, first, 0, 0,
                                         panel + <Py_ssize_t>row * plan.axis[2].slots * plan.itemsize,
                                         count, size[2],
                                         scratch + (<Py_ssize_t>r * rows + row) * size[2] * plan.itemsize,
                                         t.scratch_channel, size[2])
                                row += count
                            p += 1
                        store_rows(plan, t, call, y + plan.first[block] * call.y_stride[1], at, rows, size[2],
                                   channels, scratch, line)
