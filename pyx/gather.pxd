# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""From the input to a panel, through the index tables: where padding becomes values."""

from libc.stdint cimport int32_t

from kernels cimport panel_run
from panel cimport ceil_div, runs_of, slot_sources
from plan cimport Call, Plan


cdef extern from "compiler.h" nogil:
    void PREFETCH(const void *p) noexcept

cdef enum:
    AHEAD = 4           # channels from the row that is gathered to the one that is asked for
    LINES = 16          # of a row; hardware follows longer ones by itself


cdef inline int locate(const Plan *plan, const int *first, char *workspace) noexcept nogil:
    """Where the slots of a block come from: input positions of axes 0 and 1, runs of axis 2 (how many)."""
    cdef int32_t *source = <int32_t *>(workspace + plan.source_at)
    cdef int a
    for a in range(3):
        slot_sources(&plan.axis[a], first[a], source)
        source += plan.axis[a].slots
    return runs_of(source - plan.axis[2].slots, plan.axis[2].slots, <panel_run *>(workspace + plan.runs_at))


cdef inline void fill_panel(const Plan *plan, const Call *call, int image, int first, int channels, int n_runs,
                            char *workspace) noexcept nogil:
    """Gather the panel of `channels` input channels (elements of interleaved ones) from `first` on."""
    cdef int32_t *source = <int32_t *>(workspace + plan.source_at)
    cdef int32_t *source_h = source + plan.axis[0].slots
    cdef panel_run *runs = <panel_run *>(workspace + plan.runs_at)
    cdef int c, d, h, channel, within, together = 1, lines = 0, line
    cdef Py_ssize_t ahead = AHEAD * call.x_stride[1]
    cdef const char *x
    cdef const char *row
    cdef char *target
    for c in range(n_runs):
        if runs[c].source >= 0 and 0 < call.x_stride[4] <= 8:
            ahead += runs[c].source * call.x_stride[4]
            lines = <int>min(plan.axis[2].slots * call.x_stride[4] // 64 + 1, LINES)
            break
    for c in range(channels):
        channel = first + c
        if plan.interleaved:
            within = channel % plan.channels * plan.interleaved
            channel = channel // plan.channels * plan.in_channels + within
            together = min(plan.interleaved, plan.in_channels - within)
        x = call.x + image * call.x_stride[0] + channel * call.x_stride[1]
        target = workspace + c * plan.channel_stride * plan.itemsize
        for d in range(plan.axis[0].slots):
            for h in range(plan.axis[1].slots):
                row = NULL
                if source[d] >= 0 and source_h[h] >= 0:
                    row = x + source[d] * call.x_stride[2] + source_h[h] * call.x_stride[3]
                    for line in range(lines):
                        PREFETCH(row + ahead + 64 * line)
                if plan.interleaved:
                    plan.load_channels(target, row, call.x_stride[1], together, call.x_stride[4], runs, n_runs,
                                       call.fill + channel * call.fill_stride, call.fill_stride)
                else:
                    plan.load_row(target, row, call.x_stride[4], runs, n_runs,
                                  call.fill + channel * call.fill_stride)
                target += <Py_ssize_t>plan.axis[2].slots * plan.itemsize


cdef inline void interleave_weights(const Plan *plan, const char *weights, char *elements) noexcept nogil:
    """Weights (out_channels, in_channels, taps), as elements of interleaved channels."""
    cdef panel_run run
    cdef int element, channel, _, size = plan.itemsize // plan.interleaved
    cdef int32_t zero = 0
    run.slot, run.length, run.source, run.step = 0, plan.taps, 0, 1
    for _ in range(plan.groups * plan.filters):
        for element in range(plan.channels):
            channel = element * plan.interleaved
            plan.dot.load_weights(elements, weights + <Py_ssize_t>channel * plan.taps * size, plan.taps * size,
                                  min(plan.interleaved, plan.in_channels - channel), size, &run, 1, &zero, 0)
            elements += <Py_ssize_t>plan.taps * plan.itemsize
        weights += <Py_ssize_t>plan.in_channels * plan.taps * size


cdef inline void interleave_taps(const Plan *plan, const char *weights, char *elements) noexcept nogil:
    """Weights of planes of bytes, (out_channels, rows, columns), as elements of neighbouring columns, element first."""
    cdef panel_run run
    cdef int columns = plan.axis[2].kernel, rows = plan.taps // columns, together = plan.dot.channels, column, i, _
    cdef int32_t zero = 0
    run.slot, run.length, run.source, run.step = 0, rows, 0, 1
    for _ in range(plan.groups * plan.filters):
        for i in range(ceil_div(columns, together)):
            column = i * together
            plan.dot.load_weights(elements, weights + column, 1, min(together, columns - column), columns, &run, 1,
                                  &zero, 0)
            elements += rows * plan.itemsize
        weights += plan.taps
