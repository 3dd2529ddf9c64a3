# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Planes: one filter for each channel, rows of pixels in the lanes, the input read where it lies (planes.h).

A task is a band of rows of some channels. Rows reach the kernels as a list of offsets made from the index
tables, with stride and dilation resolved: output rows whose inputs lie a multiple of the dilation apart form
a phase, convolved by itself. Along a row the table is one run of the input with something at both ends.
Strips inside the run are read in place; strips that leave it, too, if what lies outside is the fill and
loads can be masked; else they are gathered into a small panel.
"""

from libc.stdint cimport uintptr_t

from finish cimport finish, residual_at
from kernels cimport NO_ROW, PLANE_TALL_ROWS, panel_run, plane_function, plane_kernels, plane_strip
from panel cimport runs_of
from plan cimport Call, Plan
from plane_planning cimport listed_rows, reach

cdef enum:
    WORTH_ALIGNING = 16     # vectors of an output row: stores that cross no cache line are worth one more strip


cdef inline bint list_rows(const Plan *plan, const Call *call, int depth, int phase, int row, int n,
                           Py_ssize_t *rows, Py_ssize_t *gathered) noexcept nogil:
    """Offsets of the input rows of n output rows of a phase, from its `row`; whether any is all fill.

    `gathered`: the same rows in a panel.
    """
    cdef int m, d, at, source_d, source, used = plan.row_stride * (n - 1) + plan.axis[1].kernel, i = 0
    cdef bint filled = False
    for m in range(listed_rows(plan, n)):
        source = -1
        if m < used:
            at = plan.axis[1].stride * phase + plan.row_step * (plan.row_stride * row + m)
            if plan.axis[1].kernel == 1:
                at = plan.axis[1].stride * (row + m // plan.row_stride)
            source = plan.axis[1].source[at]
        for d in range(plan.axis[0].kernel):
            source_d = plan.axis[0].source[depth * plan.axis[0].stride + d * plan.axis[0].dilation]
            rows[i] = NO_ROW
            if source >= 0 and source_d >= 0:
                rows[i] = source_d * call.x_stride[2] + source * call.x_stride[3]
            else:
                filled = True
            gathered[i] = <Py_ssize_t>i * plan.panel_pitch * plan.x_item
            i += 1
    return filled


cdef inline void gather_strip(const Plan *plan, const Call *call, const char *x, const Py_ssize_t *rows, int n,
                              int column, const char *fill, char *workspace) noexcept nogil:
    """Rows of virtual columns from `column` on, with the padding written in."""
    cdef panel_run *runs = <panel_run *>(workspace + plan.runs_at)
    cdef int i, n_runs, length = plan.axis[2].virtual - column
    cdef const char *row
    if length > plan.panel_pitch:
        length = plan.panel_pitch
    n_runs = runs_of(plan.axis[2].source + column, length, runs)
    for i in range(n):
        row = NULL
        if rows[i] != NO_ROW:
            row = x + rows[i]
        plan.load_row(workspace + <Py_ssize_t>i * plan.panel_pitch * plan.x_item, row, call.x_stride[4], runs,
                      n_runs, fill)


cdef inline void plane_rows(const Plan *plan, const Call *call, plane_strip *strip, const char *x,
                            const Py_ssize_t *rows, const Py_ssize_t *gathered, const char *fill, char *y, int first,
                            int out, bint pair, bint in_place, int image, int channel, int depth, int row,
                            char *workspace) noexcept nogil:
    """All strips of `strip.n` output rows from `row` on, columns `first` to `out`; y: of column 0."""
    cdef const plane_kernels *kernels = plan.planes
    cdef int lanes = plan.kernels.lanes, item = plan.itemsize, left, vectors, kind, start, r, column = first
    cdef int across = plan.axis[2].stride, height = strip.height
    cdef int most = kernels.vectors[0 if plan.tall else height]
    cdef bint masked, may_stream = plan.stream and call.limits == NULL
    cdef bint may_align = (plan.direct and not plan.tall and strip.y_row % (lanes * item) == 0
                           and (may_stream or out - first >= WORTH_ALIGNING * lanes))
    cdef bint may_mask = in_place and plan.fill_outside and kernels.masks
    cdef plane_function *function
    while column < out:
        left = out - column
        kind = 2 if pair else (left + lanes - 1) // lanes >= most
        vectors = most if kind == 1 else 1
        strip.y = y + column * item
        strip.stream = False
        if may_align:
            r = (-<uintptr_t>strip.y) % <uintptr_t>(lanes * item)
            if r:   # up to the next whole vector of memory
                kind, vectors = 0, 1
                if left > r // item:
                    left = r // item
            else:
                strip.stream = may_stream and left >= vectors * lanes
        start = column * across
        strip.from_, strip.to = plan.run_from - start, plan.run_to - start
        masked = pair or strip.from_ > 0 or strip.to < reach(plan, vectors)
        if kind == 1 and masked and may_mask and (strip.from_ > across * lanes or strip.to < reach(plan, vectors - 1)):
            kind, vectors = 0, 1    # the vectors between the first and the last leave the image, too
            masked = strip.from_ > 0 or strip.to < reach(plan, vectors)
            strip.stream = strip.stream and left >= lanes
        strip.count = left if left < vectors * lanes else vectors * lanes
        if in_place and not masked or may_mask:
            strip.x = x + <Py_ssize_t>(plan.run_source - strip.from_) * plan.x_item
            strip.rows = rows
        else:
            gather_strip(plan, call, x, rows, listed_rows(plan, strip.n) * strip.depth, start, fill, workspace)
            masked = False
            strip.from_, strip.to = 0, plan.panel_pitch
            strip.x = workspace
            strip.rows = gathered
        if not plan.direct:
            strip.y = workspace + plan.scratch_at
        function = kernels.tall[kind][masked] if plan.tall else kernels.rolling[height][across][kind][masked]
        function(strip)
        if call.limits != NULL and not plan.direct:
            finish(plan, call, residual_at(call, image, channel, depth, row, column),
                   plan.phases * call.residual_stride[3], strip.y, strip.y_row, strip.n, strip.count)
        for r in range(0 if plan.direct else strip.n):
            plan.store_row(y + r * plan.phases * call.y_stride[3] + column * call.y_stride[4], call.y_stride[4],
                           strip.y + r * strip.y_row, strip.count)
        column += strip.count
    for r in range(0 if call.limits == NULL or not plan.direct else 2 if pair else 1):  # whole rows: fewer and longer
        finish(plan, call, residual_at(call, image, channel + r, depth, row, first),
               plan.phases * call.residual_stride[3], y + r * strip.y_plane + first * item, strip.y_row, strip.n,
               out - first)


cdef inline void fill_row(char *row, int item, const char *fill, int n) noexcept nogil:
    cdef int i
    for i in range(n):
        if item == 1:
            row[i] = fill[0]
        elif item == 4:
            (<float *>row)[i] = (<const float *>fill)[0]
        else:
            (<double *>row)[i] = (<const double *>fill)[0]


cdef inline void plane_task(const Plan *plan, const Call *call, int image, int channel_from, int channel_to,
                            const int *first, const int *size, char *workspace) noexcept nogil:
    cdef plane_strip strip
    cdef Py_ssize_t *rows = <Py_ssize_t *>(workspace + plan.source_at)
    cdef Py_ssize_t *gathered
    cdef int item = plan.itemsize, depth, phase, channel, row, end, done, n, i
    cdef const char *x
    cdef const char *fill
    cdef char *y
    cdef int x_item = plan.x_item
    cdef bint filled, pair, may_pair, in_place = (call.x_stride[4] == x_item
                                                  and <uintptr_t>call.x % <uintptr_t>x_item == 0)
    for i in range(4):
        in_place = in_place and call.x_stride[i] % x_item == 0
    strip.depth, strip.height, strip.width = plan.axis[0].kernel, plan.axis[1].kernel, plan.axis[2].kernel
    strip.dilation = plan.axis[2].dilation
    strip.fill_row = workspace + plan.fill_at
    strip.x_plane, strip.y_plane = call.x_stride[1] // x_item, call.y_stride[1]
    strip.flip = 0 if plan.dot == NULL else <unsigned int>plan.dot.offset * 0x01010101
    strip.fill_plane, strip.weights_plane = plan.panel_pitch, plan.taps
    may_pair = (in_place and plan.fill_outside and plan.planes.masks and plan.direct and not plan.tall
                and plan.dot == NULL and plan.filters == 1 and plan.axis[2].out <= plan.kernels.lanes
                and (strip.height > 1 or strip.width <= plan.kernels.lanes))
    strip.y_row = plan.phases * call.y_stride[3]
    if not plan.direct:
        strip.y_row = plan.planes.vectors[0 if plan.tall else strip.height] * plan.kernels.lanes * item
    for depth in range(first[0], first[0] + size[0]):
        for phase in range(plan.phases):
            row = (first[1] - phase + plan.phases - 1) // plan.phases
            end = (first[1] + size[1] - phase + plan.phases - 1) // plan.phases
            if row >= end:
                continue
            gathered = rows + listed_rows(plan, end - row) * strip.depth
            filled = list_rows(plan, call, depth, phase, row, end - row, rows, gathered)
            channel = channel_from
            while channel < channel_to:
                pair = may_pair and channel + 1 < channel_to
                x = call.x + image * call.x_stride[0] + channel // plan.filters * call.x_stride[1]
                y = (call.y + image * call.y_stride[0] + channel * call.y_stride[1] + depth * call.y_stride[2]
                     + (phase + <Py_ssize_t>row * plan.phases) * call.y_stride[3])
                fill = call.fill + channel // plan.filters * call.fill_stride
                strip.weights = call.terms + <Py_ssize_t>channel * plan.taps * item
                if plan.dot != NULL:
                    strip.weights = call.weights + channel * (plan.group_weights // plan.filters) * item
                strip.bias = call.bias + <Py_ssize_t>channel * item
                if channel == channel_from or call.fill_stride:
                    for i in range(2 if may_pair else 1):
                        fill_row(workspace + plan.fill_at + i * plan.panel_pitch * x_item, x_item,
                                 fill + (i * call.fill_stride if pair else 0), plan.panel_pitch if filled else 1)
                done = 0
                while done < end - row:
                    n = end - row - done
                    if plan.tall and n > PLANE_TALL_ROWS:
                        n = PLANE_TALL_ROWS
                    strip.n = n
                    plane_rows(plan, call, &strip, x, rows + done * strip.depth, gathered, fill,
                               y + done * plan.phases * call.y_stride[3], first[2], first[2] + size[2], pair, in_place,
                               image, channel, depth, phase + (row + done) * plan.phases, workspace)
                    done += n
                channel += 2 if pair else 1
    if plan.stream:
        plan.planes.fence()
