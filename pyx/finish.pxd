# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The output stage of every algorithm: a residual is added and an activation applied (finish.h).

It works on sums that are complete and still in a cache, where they will stay or before they are converted.
"""

from plan cimport MOST_TAPS, Call, Plan

cdef extern from "compiler.h" nogil:
    void PREFETCH(const void *p) noexcept


cdef inline const char *residual_at(const Call *call, int image, int channel, int depth, int row,
                                    int column) noexcept nogil:
    """What is added to one output, or NULL."""
    if call.residual == NULL:
        return NULL
    return (call.residual + image * call.residual_stride[0] + channel * call.residual_stride[1]
            + depth * call.residual_stride[2] + row * call.residual_stride[3] + column * call.residual_stride[4])


cdef inline int taps_outside(const Plan *plan, int depths, int rows, int columns, int *taps) noexcept nogil:
    """The taps that one of three masks, a bit for each tap along an axis, has outside; how many."""
    cdef int d, h, w, height = plan.axis[1].kernel, width = plan.axis[2].kernel, n = 0
    for d in range(plan.axis[0].kernel):
        for h in range(height):
            for w in range(width):
                if depths >> d & 1 or rows >> h & 1 or columns >> w & 1:
                    taps[n] = (d * height + h) * width + w
                    n += 1
    return n


cdef inline void add_fill(const Plan *plan, const Call *call, int filter, int filters, int depth, int row, int row_step,
                          int rows, int column, char *out, Py_ssize_t out_channel, Py_ssize_t out_row,
                          int pixels) noexcept nogil:
    """Add the taps outside, times the fill, to outputs of every row_step-th row. Only if call.fill_sums is not NULL.

    `out_channel`, `out_row`: bytes from one filter and row to the next.
    """
    cdef const double *sums
    cdef const unsigned char *columns_out = plan.outside[2] + column
    cdef const unsigned char *rows_out = plan.outside[1] + row
    cdef int depths_out = plan.outside[0][depth], p = 0, end, bits, r, last_row, i, k, n
    cdef int first = plan.inside[0] - column, last = plan.inside[1] - column
    cdef int taps[MOST_TAPS * MOST_TAPS * MOST_TAPS]
    cdef double added
    cdef float narrow
    cdef char *line
    while p < pixels:
        bits, end = columns_out[p], p + 1
        if first <= p < last:
            end = min(last, pixels)
        while end < pixels and columns_out[end] == bits:
            end += 1
        last_row = 0
        while last_row < rows:
            r, last_row = last_row, last_row + 1
            while last_row < rows and rows_out[last_row * row_step] == rows_out[r * row_step]:
                last_row += 1
            n = taps_outside(plan, depths_out, rows_out[r * row_step], bits, taps)
            for k in range(filters if n else 0):
                sums, added = call.fill_sums + <Py_ssize_t>(filter + k) * plan.taps, 0
                for i in range(n):
                    added += sums[taps[i]]
                narrow, line = <float>added, out + k * out_channel + r * out_row
                for _ in range(r, last_row):
                    for i in range(p, end):
                        if plan.itemsize == 4:
                            (<float *>line)[i] += narrow
                        else:
                            (<double *>line)[i] += added
                    line += out_row
        p = end


cdef inline void finish(const Plan *plan, const Call *call, const char *residual, Py_ssize_t residual_pitch,
                        char *sums, Py_ssize_t pitch, int rows, int n) noexcept nogil:
    """`rows` rows of `n` outputs, so many bytes apart; `residual`: of the first. Only if call.limits is not NULL."""
    plan.finish(sums, pitch, rows, n, residual, residual_pitch, call.residual_stride[4], call.limits)


cdef inline void ask_for(const char *first, const Py_ssize_t *stride, int channels, int rows, int n) noexcept nogil:
    """Have `rows` rows of `n` values brought near while sums are computed: of a residual, of the output.

    `stride`: bytes from one to the next along N, C, D, H, W.
    """
    cdef Py_ssize_t step = max(stride[4], 1), last = (n - 1) * step, at
    cdef int k, r
    cdef const char *row
    for k in range(channels):
        for r in range(rows):
            row = first + k * stride[1] + r * stride[3]
            at = 0
            while at < last:
                PREFETCH(row + at)
                at += max(step, 64)
            PREFETCH(row + last)
