# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What is decided once for a convolution of planes: whether it is one, bands of rows, tiles, workspace.

As in planning.pxd, decisions look at the virtual problem alone, never at how its padding is given.
"""

from libc.stdint cimport int32_t

from kernels cimport (
    FOURIER_SIZE, PLANE_BYTES, PLANE_ROLLING, PLANE_TALL_ROWS, dot_kernels, panel_run, plane_kernels)
from panel cimport ceil_div
from plan cimport Plan

cdef enum:
    PLANE_BAND_BYTES = 192 * 1024   # of the input rows of a band, to stay in the second-level cache
    PLANE_BAND_KERNELS = 8          # height of a band over the kernel's, at least
    PLANE_MACS_PER_TASK = 200000
    PLANE_MACS_PER_THREAD = 400000
    PLANE_STREAM_BYTES = 8 * 1024 * 1024   # larger outputs are stored past the caches
    MAX_MULTIPLIER = 4              # filters of a channel: for more, tiles load the input once
    MAX_ROW_TERMS = 256             # of a kernel row: one partial sum
    MAX_REACH = 512                 # columns between the taps of a row
    FOURIER_CYCLES = 18500000       # of a pair of tiles, times lanes
    FOURIER_BYTES = 64 * 1024 * 1024    # of transformed filters, at most
    SPECTRUM = 2 * FOURIER_SIZE * FOURIER_SIZE


cdef inline int gcd(int a, int b) noexcept nogil:
    while b:
        a, b = b, a % b
    return a


cdef inline bint choose_planes(Plan *plan, const dot_kernels *dot=NULL):
    """Whether the convolution is one of planes, by its channels and windows alone; note how. `dot`: of bytes."""
    cdef const plane_kernels *planes = plan.kernels.planes
    across, down = &plan.axis[2], &plan.axis[1]
    if dot != NULL:
        planes = &dot.planes.strips if dot.planes != NULL and dot.planes.usable() else NULL
    if planes == NULL or plan.channels != 1 or plan.filters > MAX_MULTIPLIER or plan.taps == 1:
        return False
    plan.phases = down.dilation // gcd(down.stride, down.dilation)
    plan.row_stride = down.stride // gcd(down.stride, down.dilation)
    plan.row_step = down.dilation
    if down.kernel == 1:
        plan.phases, plan.row_stride, plan.row_step = 1, across.stride, 0
        # one tap: the list holds every output's row at its multiple of the stride
    plan.tall = down.kernel > PLANE_ROLLING or planes.vectors[down.kernel] == 0
    if (across.stride > (1 if plan.tall else 2) or plan.row_stride != across.stride
            or plan.axis[0].kernel * across.kernel > MAX_ROW_TERMS
            or (across.kernel - 1) * across.dilation > MAX_REACH):
        return False
    plan.planes, plan.x_item = planes, plan.itemsize
    if dot != NULL:
        reach = (dot.element.lanes - 1) * across.stride + (across.kernel - 1) * across.dilation
        if plan.tall or reach >= PLANE_BYTES:
            plan.planes = NULL
            return False
        plan.dot, plan.kernels, plan.load_row, plan.x_item = dot, dot.element, dot.planes.load_row, 1
    return True


cdef inline void divide_planes(Plan *plan, int threads):
    """Bands, channels of a task, threads."""
    cdef double macs = <double>plan.batch * plan.groups * plan.filters * plan.taps
    row_bytes = plan.axis[2].virtual * plan.x_item
    rows = PLANE_BAND_BYTES // row_bytes - plan.axis[1].kernel * plan.axis[1].dilation
    rows = max(rows // plan.axis[1].stride, 2 * PLANE_TALL_ROWS)
    if not plan.tall and plan.axis[2].kernel > 1:   # a strip walks down the band, and sums rows above it in vain
        rows = max(rows, PLANE_BAND_KERNELS * plan.phases * (plan.axis[1].kernel - 1))
    macs *= <double>plan.axis[0].out * plan.axis[1].out * plan.axis[2].out
    plan.threads = <int>max(1, min(threads, macs / PLANE_MACS_PER_THREAD))
    wanted = min(4 * plan.threads, macs / PLANE_MACS_PER_TASK) if plan.threads > 1 else 1
    if plan.batch * plan.groups < wanted:
        rows = min(rows, max(ceil_div(plan.batch * plan.groups * plan.axis[1].out, <int>wanted), 2 * PLANE_TALL_ROWS))
    whole = PLANE_TALL_ROWS * plan.phases   # bands end where the tiles of every phase end
    plan.axis[1].block = <int>(ceil_div(rows, whole) * whole)
    for a in range(3):
        if a != 1:
            plan.axis[a].block = plan.axis[a].out
        plan.axis[a].block = min(plan.axis[a].block, plan.axis[a].out)
        plan.axis[a].blocks = <int>ceil_div(plan.axis[a].out, plan.axis[a].block)
    plan.shares = plan.images = 1
    tasks = max(1, macs / (<double>plan.batch * plan.axis[1].blocks * PLANE_MACS_PER_TASK))
    plan.group_tasks = <int>min(plan.groups, tasks)
    plan.stream = macs / plan.taps * plan.itemsize > PLANE_STREAM_BYTES


cdef inline int reach(const Plan *plan, int vectors) noexcept nogil:
    """Columns that a strip of so many vectors reads."""
    return (plan.axis[2].stride * vectors * plan.kernels.lanes
            + (plan.axis[2].kernel - 1) * plan.axis[2].dilation)


cdef inline int listed_rows(const Plan *plan, int n) noexcept nogil:
    """Input rows that the kernels want listed for n output rows of a phase."""
    cdef int kernel = plan.axis[1].kernel
    if plan.tall:
        return (n + PLANE_TALL_ROWS - 1) // PLANE_TALL_ROWS * PLANE_TALL_ROWS + kernel - 1
    return plan.row_stride * (n - 1 + (kernel + plan.row_stride - 1) // plan.row_stride)


cdef inline void find_run(Plan *plan) noexcept nogil:
    """The longest run of the row's table that follows the input, and whether all else is the fill."""
    cdef const int32_t *source = plan.axis[2].source
    cdef int v = 0, end, n = plan.axis[2].virtual
    plan.run_from = plan.run_to = plan.run_source = 0
    while v < n:
        end = v + 1
        if source[v] >= 0:
            while end < n and source[end] == source[end - 1] + 1:
                end += 1
            if end - v > plan.run_to - plan.run_from:
                plan.run_from, plan.run_to, plan.run_source = v, end, source[v]
        v = end
    plan.fill_outside = True
    for v in range(n):
        if not plan.run_from <= v < plan.run_to and source[v] >= 0:
            plan.fill_outside = False


cdef inline void lay_out_workspace(Plan *plan, int most):
    """Panel, scratch for outputs to be converted, row lists, runs, a row of fill; `most` rows of a task."""
    cdef int vectors = plan.planes.vectors[0 if plan.tall else plan.axis[1].kernel]
    cdef int n = <int>ceil_div(most, plan.phases), depth = plan.axis[0].kernel
    cdef Py_ssize_t rows = listed_rows(plan, n) * depth
    plan.panel_pitch = <int>ceil_div(reach(plan, vectors), plan.kernels.lanes) * plan.kernels.lanes
    if plan.tall:
        n = PLANE_TALL_ROWS
    plan.scratch_at = ceil_div(listed_rows(plan, n) * depth * plan.panel_pitch * plan.x_item, 64) * 64
    plan.source_at = plan.scratch_at + n * vectors * plan.kernels.lanes * plan.itemsize
    plan.source_at = ceil_div(plan.source_at, 64) * 64
    plan.runs_at = plan.source_at + 2 * rows * <Py_ssize_t>sizeof(Py_ssize_t)
    plan.fill_at = ceil_div(plan.runs_at + plan.panel_pitch * <Py_ssize_t>sizeof(panel_run), 64) * 64
    plan.workspace = ceil_div(plan.fill_at + 2 * plan.panel_pitch * plan.itemsize, 4096) * 4096 + 64


cdef inline bint choose_fourier(Plan *plan):
    """Whether transforms are faster than the direct sum, for a plan of planes; cut the outputs into tiles."""
    cdef double direct = plan.taps
    if (plan.kernels.fourier == NULL or plan.axis[0].kernel > 1
            or <double>plan.groups * plan.filters * SPECTRUM * plan.itemsize > FOURIER_BYTES):
        return False
    for a in range(1, 3):
        if plan.axis[a].stride != 1 or plan.axis[a].dilation != 1 or plan.axis[a].kernel > FOURIER_SIZE // 2:
            return False
        direct *= plan.axis[a].out
        plan.tiles[a - 1] = <int>ceil_div(plan.axis[a].out, FOURIER_SIZE + 1 - plan.axis[a].kernel)
        plan.tile_size[a - 1] = <int>ceil_div(plan.axis[a].out, plan.tiles[a - 1])
    pairs = ceil_div(plan.tiles[0] * plan.tiles[1], 2)
    if <double>pairs * FOURIER_CYCLES >= direct:
        return False
    plan.fourier = plan.kernels.fourier
    plan.axis[0].block = plan.axis[2].block = 1
    plan.axis[0].blocks, plan.axis[2].blocks = plan.axis[0].out, <int>pairs
    plan.axis[1].block, plan.axis[1].blocks = plan.axis[1].out, 1
    plan.group_tasks = plan.groups
    plan.stream = False
    return True


cdef inline void add_fourier_workspace(Plan *plan):
    """A tile, a strip and a row behind the workspace of planes."""
    plan.tile_at = ceil_div(plan.workspace, 64) * 64
    plan.strip_at = plan.tile_at + (plan.fourier.tile * <Py_ssize_t>plan.itemsize + 63) // 64 * 64
    plan.line_at = plan.strip_at + 2 * FOURIER_SIZE * plan.kernels.lanes * plan.itemsize
    plan.line_runs_at = plan.line_at + FOURIER_SIZE * plan.itemsize
    plan.workspace = plan.line_runs_at + FOURIER_SIZE * <Py_ssize_t>sizeof(panel_run)
    plan.workspace = ceil_div(plan.workspace, 4096) * 4096 + 64


cdef inline str resolve_planes(Plan *plan, bint fast, int threads):
    """Resolve a convolution that choose_planes took; the name of its layout of packed weights."""
    plan.n_blocks, plan.group_bias, plan.group_weights, plan.tile = 0, plan.filters, 0, 1
    divide_planes(plan, threads)
    if fast and choose_fourier(plan):
        lay_out_workspace(plan, plan.tile_size[0])
        add_fourier_workspace(plan)
        return "fourier"
    lay_out_workspace(plan, plan.axis[1].block)
    if plan.dot != NULL:
        plan.group_weights = plan.filters * plan.taps // plan.axis[2].kernel
        plan.group_weights *= ceil_div(plan.axis[2].kernel, plan.dot.channels)
        return "dot plane"
    return "plane"
