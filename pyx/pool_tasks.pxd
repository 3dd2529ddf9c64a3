# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What one task of pooling does: a line for each row of outputs, reduced by the kernels of pool.h."""

from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy

from kernels cimport load_row_function, panel_run, store_row_function
from panel cimport *
from pool cimport *

cdef enum:
    ABSENT = -2     # a virtual position past the padding, where ceil_mode lets a window hang out


cdef struct Call:
    const char *x               # input, byte strides of N, C, D, H, W
    Py_ssize_t x_stride[5]
    char *y                     # output, the same
    Py_ssize_t y_stride[5]
    char *index                 # indices of the maxima, the same; or NULL
    Py_ssize_t index_stride[5]
    const char *fill
    Py_ssize_t fill_stride      # bytes from one channel's fill to the next, or 0
    Py_ssize_t x_plane, x_row   # elements of a slice along D, of a row


cdef struct Plan:
    const pool_kernels *kernels
    load_row_function *load_row
    store_row_function *store_row
    store_row_function *store_index
    int operation, item         # item: bytes of an element
    int batch, channels
    PanelAxis axis[3]
    int before                  # padding before a row
    int limit[3]                # virtual positions that exist; the taps beyond are left out
    int bands, band             # of rows of outputs
    bint dense                  # the line holds all columns; otherwise one stretch of them for each tap
    int line_stride             # from one output's columns to the next one's
    int32_t *tap_offset
    double divisor              # of all windows, or 0: their counts
    double *count[2]            # taps that count, per output, along D and H
    char *count_w               # the same along W, as elements
    char *first_w               # first element of the input in each output's window along W, as indices
    char *padded_w              # whether the window has padding
    char *neutral               # one element that changes no result
    int ring                    # gathered rows of one depth tap; row v is kept at v mod ring, or at its tap
    bint by_tap
    bint fill_given
    bint in_place               # rows are reduced where they lie
    bint out_place              # outputs are stored as they are computed
    bint strips                 # and without lines
    bint far                    # the input is larger than a thread's cache
    int width                   # of a row of the input that windows may see
    double uniform              # what all of count_w are; or 0
    int threads
    Py_ssize_t slices_at, slice_index_at, line_at, fill_at
    Py_ssize_t out_at, index_at, columns_at, source_at, runs_at, absent_at, rows_at
    Py_ssize_t steps_at, numbers_at, ring_at, row_bytes, workspace


# What a thread's workspace holds now; it starts with this.
cdef struct Work:
    int block                   # of columns
    int n_runs, n_absent
    int filled                  # channel whose fill the fill row holds


cdef inline void line_sources(const Plan *plan, int first, int32_t *source) noexcept nogil:
    cdef const PanelAxis *axis = &plan.axis[2]
    cdef int slot, start = first * axis.stride
    if not plan.dense:
        slot_sources(axis, first, source)
        return
    for slot in range(axis.slots):
        source[slot] = axis.source[start + slot] if start + slot < axis.virtual else ABSENT


cdef inline void prepare(const Plan *plan, int block, char *workspace) noexcept nogil:
    """Where the slots of a block's line come from."""
    cdef Work *work = <Work *>workspace
    cdef int32_t *source = <int32_t *>(workspace + plan.source_at)
    cdef int32_t *absent = <int32_t *>(workspace + plan.absent_at)
    cdef int64_t *columns = <int64_t *>(workspace + plan.columns_at)
    cdef int slot
    line_sources(plan, block * plan.axis[2].block, source)
    work.block = block
    work.n_runs = runs_of(source, plan.axis[2].slots, <panel_run *>(workspace + plan.runs_at))
    work.n_absent = 0
    for slot in range(plan.axis[2].slots):
        if source[slot] == ABSENT:
            absent[work.n_absent] = slot
            work.n_absent += 1
        # next to the input, padding continues its columns; it is never chosen
        if source[slot] < 0:
            source[slot] = block * plan.axis[2].block * plan.axis[2].stride + slot - plan.before
        if plan.item == 8:
            columns[slot] = source[slot]
    if plan.item == 4:
        memcpy(columns, source, plan.axis[2].slots * sizeof(int32_t))


cdef inline void reduce_rows(const Plan *plan, const Call *call, const void **rows, int n_rows,
                             char *workspace) noexcept nogil:
    """The line of `n_rows` input rows, each at its column 0; NULL: a row of padding."""
    cdef Work *work = <Work *>workspace
    cdef const panel_run *runs = <panel_run *>(workspace + plan.runs_at)
    cdef const void **at = <const void **>(workspace + plan.rows_at) + n_rows
    cdef Py_ssize_t *steps = <Py_ssize_t *>(workspace + plan.steps_at)
    cdef int r, i
    cdef bint inside
    for r in range(work.n_runs):
        for i in range(n_rows):
            inside = runs[r].source >= 0 and rows[i] != NULL
            steps[i] = runs[r].step if inside else runs[r].step == 1
            at[i] = workspace + plan.fill_at
            if inside:
                at[i] = <const char *>rows[i] + <Py_ssize_t>runs[r].source * plan.item
        plan.kernels.columns[plan.operation](workspace + plan.line_at + <Py_ssize_t>runs[r].slot * plan.item,
                                             at, steps, n_rows, runs[r].step == 1, runs[r].length)


cdef inline const char *gathered(const Plan *plan, const Call *call, const char *row, int tap_d, int tap_h,
                                 int virtual, const char *fill, char *workspace) noexcept nogil:
    """A row of the input as a line with padding, gathered unless the last window has left it there."""
    cdef Work *work = <Work *>workspace
    cdef int slot = tap_d * plan.ring + (tap_h if plan.by_tap else virtual % plan.ring)
    cdef int32_t *numbers = <int32_t *>(workspace + plan.numbers_at)
    cdef char *line = workspace + plan.ring_at + slot * plan.row_bytes
    if numbers[slot] != virtual:
        numbers[slot] = virtual
        plan.load_row(line, row, call.x_stride[4], <panel_run *>(workspace + plan.runs_at), work.n_runs, fill)
    return line


cdef inline void pool_row(const Plan *plan, const Call *call, int image, int channel, int d, int h, int first, int n,
                          char *workspace) noexcept nogil:
    """One row of at most a block of outputs."""
    cdef Work *work = <Work *>workspace
    cdef const void **rows = <const void **>(workspace + plan.rows_at)
    cdef int64_t *row_index = <int64_t *>(workspace + plan.steps_at)
    cdef const PanelAxis *axis = &plan.axis[0]
    cdef const char *fill = call.fill + channel * call.fill_stride
    cdef const char *x = call.x + image * call.x_stride[0] + channel * call.x_stride[1]
    cdef const char *row
    cdef char *y = (call.y + image * call.y_stride[0] + channel * call.y_stride[1] + d * call.y_stride[2]
                    + h * call.y_stride[3] + first * call.y_stride[4])
    cdef char *out = y if plan.out_place else workspace + plan.out_at
    cdef char *line = workspace + plan.line_at
    cdef int kd, kh, vd, vh, sd, sh, i, n_rows = 0
    cdef int64_t first_row = -1
    cdef bint padded = False
    cdef double scale
    for kd in range(axis[0].kernel):
        vd = d * axis[0].stride + kd * axis[0].dilation
        if vd >= plan.limit[0]:
            break
        sd = axis[0].source[vd]
        for kh in range(axis[1].kernel):
            vh = h * axis[1].stride + kh * axis[1].dilation
            if vh >= plan.limit[1]:
                break
            sh = axis[1].source[vh]
            row = NULL
            if sd >= 0 and sh >= 0:
                row = x + sd * call.x_stride[2] + sh * call.x_stride[3]
            if call.index != NULL:
                if row == NULL:
                    padded = True
                    continue
                row_index[n_rows] = sd * call.x_plane + sh * call.x_row
                if first_row < 0:
                    first_row = row_index[n_rows]
                row = gathered(plan, call, row, kd, kh, vh, plan.neutral, workspace)
            elif not plan.in_place:
                row = gathered(plan, call, row, kd, kh, vh, fill, workspace)
            rows[n_rows] = row
            n_rows += 1
    if call.index != NULL:
        plan.kernels.arg(out, workspace + plan.index_at, rows, row_index, n_rows, workspace + plan.columns_at, n,
                         plan.line_stride, plan.dense, plan.tap_offset, axis[2].kernel,
                         plan.first_w + <Py_ssize_t>first * plan.item, first_row, plan.neutral)
        if plan.fill_given:
            plan.kernels.fill(out, workspace + plan.index_at, NULL if padded else plan.padded_w + first, n, fill)
        plan.store_index(call.index + image * call.index_stride[0] + channel * call.index_stride[1]
                         + d * call.index_stride[2] + h * call.index_stride[3] + first * call.index_stride[4],
                         call.index_stride[4], workspace + plan.index_at, n)
    else:
        if plan.in_place:
            reduce_rows(plan, call, rows, n_rows, workspace)
        else:
            plan.kernels.columns[plan.operation](line, rows, NULL, n_rows, True, axis[2].slots)
        for i in range(work.n_absent):
            memcpy(line + <Py_ssize_t>(<int32_t *>(workspace + plan.absent_at))[i] * plan.item, plan.neutral,
                   plan.item)
        scale = plan.divisor if plan.divisor != 0 else plan.count[0][d] * plan.count[1][h]
        plan.kernels.windows[plan.operation](out, line, n, plan.line_stride, plan.tap_offset, axis[2].kernel,
                                             plan.count_w + <Py_ssize_t>first * plan.item, scale)
    if not plan.out_place:
        plan.store_row(y, call.y_stride[4], out, n)


cdef inline void pool_band_of(const Plan *plan, const Call *call, int image, int channel, int d, int first, int last,
                              char *workspace) noexcept nogil:
    """Output rows first ... last - 1 of a slice, in strips."""
    cdef pool_band band
    cdef const PanelAxis *axis = &plan.axis[0]
    cdef const void **slices = <const void **>(workspace + plan.slices_at)
    cdef int64_t *slice_index = <int64_t *>(workspace + plan.slice_index_at)
    cdef const char *x = call.x + image * call.x_stride[0] + channel * call.x_stride[1]
    cdef int k, source, n = 0
    for k in range(axis[0].kernel):
        source = axis[0].source[d * axis[0].stride + k * axis[0].dilation]
        if source == ABSENT:
            break
        slices[n] = x + source * call.x_stride[2] if source >= 0 else NULL
        slice_index[n] = source * call.x_plane
        n += 1
    band.slices, band.n_slices, band.slice_index = slices, n, slice_index
    band.source, band.kernel, band.stride = axis[1].source, axis[1].kernel, axis[1].stride
    band.dilation, band.first, band.last = axis[1].dilation, first, last
    band.x_row, band.y_row = call.x_stride[3] // plan.item, call.y_stride[3] // plan.item
    band.width, band.before, band.out, band.far = plan.width, plan.before, axis[2].out, plan.far
    band.fill = workspace + plan.fill_at
    band.y = call.y + image * call.y_stride[0] + channel * call.y_stride[1] + d * call.y_stride[2]
    band.divisor, band.slice_count, band.row_count = plan.divisor, plan.count[0][d], plan.count[1]
    band.count, band.uniform = plan.count_w, plan.uniform
    band.rows = <const void **>(workspace + plan.rows_at)
    if call.index == NULL:
        plan.kernels.strips[plan.operation](&band, axis[2].stride, axis[2].kernel)
        return
    band.fill, band.index_of_row, band.first_column = plan.neutral, call.x_row, plan.first_w
    band.row_index, band.index_row = <int64_t *>(workspace + plan.steps_at), call.index_stride[3] // 8
    band.index = <int64_t *>(call.index + image * call.index_stride[0] + channel * call.index_stride[1]
                             + d * call.index_stride[2])
    plan.kernels.strips_arg(&band, axis[2].stride, axis[2].kernel)


cdef inline void run_task(const Plan *plan, const Call *call, Py_ssize_t task, char *workspace) noexcept nogil:
    cdef Work *work = <Work *>workspace
    cdef int32_t *numbers = <int32_t *>(workspace + plan.numbers_at)
    cdef panel_run whole
    cdef int block, band, d, h, n, i, channel, image, first, fill
    block = <int>(task % plan.axis[2].blocks)
    task //= plan.axis[2].blocks
    band = <int>(task % plan.bands)
    task //= plan.bands
    d = <int>(task % plan.axis[0].out)
    task //= plan.axis[0].out
    channel = <int>(task % plan.channels)
    image = <int>(task // plan.channels)
    first = block * plan.axis[2].block
    n = plan.axis[2].out - first
    if n > plan.axis[2].block:
        n = plan.axis[2].block
    if work.block != block and not plan.strips:
        prepare(plan, block, workspace)
    if plan.in_place:
        fill = channel if call.fill_stride else 0
        if work.filled != fill:
            work.filled = fill
            whole.slot, whole.length, whole.source, whole.step = 0, plan.axis[2].slots, -1, 1
            plan.load_row(workspace + plan.fill_at, NULL, 0, &whole, 1, call.fill + channel * call.fill_stride)
    else:
        for i in range(plan.axis[0].kernel * plan.ring):
            numbers[i] = -1
    if plan.strips:
        pool_band_of(plan, call, image, channel, d, band * plan.band, min((band + 1) * plan.band, plan.axis[1].out),
                     workspace)
        return
    for h in range(band * plan.band, min((band + 1) * plan.band, plan.axis[1].out)):
        pool_row(plan, call, image, channel, d, h, first, n, workspace)
