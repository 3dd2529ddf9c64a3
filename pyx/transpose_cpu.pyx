# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Transposed convolution on the CPU: phases on the panels and register tiles of the forward convolution.

    y[n, k, i s + t d - p] += w[c, k, t] x[n, c, i]

Output j = q s + r, r < s, is reached by the taps with t d - p = r mod s alone, from input q - (t d - p - r) / s:
for each phase r a convolution with stride 1 over q. All phases read one panel; the rows of the phases of
the last axis are interleaved as they are stored. Nothing is scattered, and no zeros are stuffed.

Every output belongs to one task and is summed in one order: channels outside, taps inside.
"""

from itertools import product

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.pycapsule cimport PyCapsule_GetPointer
from cython.parallel cimport parallel, prange, threadid
from libc.stdint cimport int32_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from gather cimport fill_panel, locate
from index_map cimport CONSTANT, source_index
from kernels cimport *
from panel cimport *
from plan cimport *
from planning cimport choose_blocks, choose_tile, divide
from tasks cimport *
from transpose_packing cimport pack_block

cdef enum:
    MAX_WIDTH = 32               # of a block of channels
    SCRATCH_BYTES = 128 * 1024   # rows of one block of channels on their way to the output


cdef struct Transposed:
    Plan *phase                  # [step[0]][step[1]][step[2]]: the panel's plan, with the taps of the phase
    Py_ssize_t *weights_at       # of each phase, in the packed weights
    int step[3]                  # phases of each axis: outputs from one panel position to the next
    int length[3]                # outputs
    int group_rows               # rows of the panel computed before they are stored
    Py_ssize_t scratch_channel   # elements of scratch from one channel to the next


cdef void store_rows(const Plan *plan, const Transposed *t, const Call *call, char *y, const int *at, int rows,
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


cdef void transpose_block(const Plan *plan, const Transposed *t, const Call *call, int image, int group,
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


cdef void transpose_task(const Plan *plan, const Transposed *t, const Call *call, Py_ssize_t task,
                         char *workspace) noexcept nogil:
    cdef int first[3]
    cdef int size[3]
    cdef int a, index, image, group, n_runs, share = <int>(task % plan.shares)
    task //= plan.shares
    for a in range(2, -1, -1):
        index = <int>(task % plan.axis[a].blocks)
        task //= plan.axis[a].blocks
        first[a] = index * plan.axis[a].block
        size[a] = plan.axis[a].out - first[a]
        if size[a] > plan.axis[a].block:
            size[a] = plan.axis[a].block
    index, image = <int>(task % plan.group_tasks), <int>(task // plan.group_tasks)
    n_runs = locate(plan, first, workspace)
    for group in range(even_start(index, plan.group_tasks, plan.groups),
                       even_start(index + 1, plan.group_tasks, plan.groups)):
        fill_panel(plan, call, image, group * plan.channels, plan.channels, n_runs, workspace)
        transpose_block(plan, t, call, image, group, first, size, even_start(share, plan.shares, plan.n_blocks),
                        even_start(share + 1, plan.shares, plan.n_blocks), workspace)


ctypedef fused word:
    uint32_t
    uint64_t


def flip(const word[:, :, :, ::1] w, word[:, :, :, ::1] flipped):
    """flipped[g, k, c, t] = w[g, c, k, taps - 1 - t]

    Squares of channels, so that the lines read for one are still in cache for the next."""
    cdef Py_ssize_t g, c, k, t, block, taps = w.shape[3]
    cdef const word *source
    cdef word *target
    with nogil:
        for g in range(w.shape[0]):
            for block in range((w.shape[1] + 15) // 16):
                for k in range(w.shape[2]):
                    for c in range(16 * block, min(16 * block + 16, w.shape[1])):
                        source, target = &w[g, c, k, 0], &flipped[g, k, c, 0]
                        if taps == 9:  # a loop of known length is unrolled
                            for t in range(9):
                                target[t] = source[8 - t]
                            continue
                        for t in range(taps):
                            target[t] = source[taps - 1 - t]


cdef inline char *align(char *memory) noexcept nogil:
    """The next whole line of cache."""
    return memory + (64 - <Py_ssize_t>memory % 64) % 64


cdef class TransposePlan:
    """One geometry, resolved for one set of kernels.

    `axes`: three objects with size, kernel, dilation, extent, before, out: what a panel reads with stride 1, and
    `phases`: (stride, outputs, taps), where taps holds (phase, index in the panel's kernel) for each tap.
    `kernels`, `codes`: from _conv_cpu. `direct`: the output holds elements, its last axis contiguous.
    """
    cdef Plan plan
    cdef Transposed transposed
    cdef void *memory
    cdef object kernels, order          # order: indices of the taps as packed
    cdef readonly tuple layout          # of the packed weights
    cdef readonly Py_ssize_t packed_bytes
    cdef readonly Py_ssize_t workspace  # bytes for each thread

    def __init__(self, axes, int batch, int in_channels, int out_channels, int groups, kernels, codes,
                 bint direct, int threads):
        cdef Plan *plan = &self.plan
        cdef Transposed *t = &self.transposed
        cdef const kernel_set *chosen = <const kernel_set *>PyCapsule_GetPointer(kernels, "implicitpad.kernel_set")
        storage, element, output = codes
        self.kernels = kernels
        plan.kernels = chosen.element[<int>element]
        plan.load_row = chosen.load_row[<int>storage]
        plan.store_row = chosen.store_row[<int>output]
        plan.itemsize = 8 if element in (F64, I64) else 4
        plan.batch, plan.groups, plan.direct = batch, groups, direct
        plan.channels, plan.filters = in_channels // groups, out_channels // groups
        plan.taps = 1
        for a, axis in enumerate(axes):
            plan.axis[a].out = axis.out
            plan.axis[a].kernel, plan.axis[a].stride, plan.axis[a].dilation = axis.kernel, 1, axis.dilation
            plan.axis[a].virtual = axis.out - 1 + axis.extent
            t.step[a], t.length[a], taps = axis.phases
            plan.taps *= len(taps)
        _, self.order = choose_tile(plan, False)
        plan.n_blocks = len(self.order)
        plan.group_bias = sum(self.order)
        choose_blocks(plan)
        divide(plan, threads)
        row = <Py_ssize_t>max(self.order) * t.step[2] * plan.axis[2].block * plan.itemsize
        t.group_rows = min(plan.axis[1].block, max(2, SCRATCH_BYTES // row))
        t.scratch_channel = <Py_ssize_t>t.group_rows * t.step[2] * plan.axis[2].block
        self._allocate(axes)

    cdef _allocate(self, axes):
        cdef Plan *plan = &self.plan
        cdef Transposed *t = &self.transposed
        cdef int a, v, b, first = 0, n_phases = t.step[0] * t.step[1] * t.step[2]
        cdef int32_t *memory
        cdef Plan *phase
        widths = self.order
        # one line more than the scratch rows: to interleave in
        scratch = ((t.scratch_channel * max(widths)) + <Py_ssize_t>t.step[2] * plan.axis[2].block) * plan.itemsize
        slots = sum(plan.axis[a].slots for a in range(3))
        plan.scratch_at = ceil_div((plan.channel_stride * plan.channels + PANEL_SLACK) * plan.itemsize, 64) * 64
        plan.source_at = ceil_div(plan.scratch_at + scratch, 64) * 64
        plan.runs_at = ceil_div(plan.source_at + slots * sizeof(int32_t), 64) * 64
        plan.workspace = ceil_div(plan.runs_at + plan.axis[2].slots * sizeof(panel_run), 4096) * 4096 + 64
        self.workspace = plan.workspace
        entries = 2 * plan.taps + 2 * plan.n_blocks + sum(plan.axis[a].virtual for a in range(3))
        self.memory = calloc(1, n_phases * (sizeof(Plan) + sizeof(Py_ssize_t)) + entries * sizeof(int32_t))
        if self.memory == NULL:
            raise MemoryError("implicitpad: tables of a transposed convolution")
        t.phase = <Plan *>self.memory
        t.weights_at = <Py_ssize_t *>(t.phase + n_phases)
        memory = <int32_t *>(t.weights_at + n_phases)
        plan.tap, memory = <tap *>memory, memory + 2 * plan.taps
        plan.first, memory = memory, memory + plan.n_blocks
        plan.width, memory = memory, memory + plan.n_blocks
        for b in range(plan.n_blocks):
            plan.first[b], plan.width[b] = first, widths[b]
            first += plan.width[b]
        for a in range(3):
            plan.axis[a].source, memory = memory, memory + plan.axis[a].virtual
            for v in range(plan.axis[a].virtual):
                plan.axis[a].source[v] = <int32_t>source_index(v - <Py_ssize_t>axes[a].before, axes[a].size, CONSTANT)
        plan.group_weights = <Py_ssize_t>plan.group_bias * plan.channels * plan.taps
        taps = [axis.phases[2] for axis in axes]
        self.order = []
        for b, residue in enumerate(product(*[range(t.step[a]) for a in range(3)])):
            phase = &t.phase[b]
            phase[0] = plan[0]
            phase.tap = plan.tap + <int>len(self.order)
            phase.taps = 0
            t.weights_at[b] = plan.groups * plan.group_bias * plan.channels * <Py_ssize_t>len(self.order)
            for index in product(*[[k for k in range(len(taps[a])) if taps[a][k][0] == residue[a]]
                                   for a in range(3)]):
                phase.tap[phase.taps].index = phase.taps
                phase.tap[phase.taps].slot = <int32_t>(
                    tap_slot(&plan.axis[0], taps[0][index[0]][1]) * plan.plane
                    + tap_slot(&plan.axis[1], taps[1][index[1]][1]) * plan.axis[2].slots
                    + tap_slot(&plan.axis[2], taps[2][index[2]][1]))
                phase.taps += 1
                self.order.append(index)
            phase.group_weights = <Py_ssize_t>plan.group_bias * plan.channels * phase.taps
            if phase.taps == 0:          # no tap reaches these outputs: the tiles store the bias
                phase.channels, phase.taps = 0, 1
        starts = tuple([t.weights_at[b] for b in range(n_phases)])
        self.layout = (plan.itemsize, tuple(widths), tuple(self.order), starts)
        self.packed_bytes = plan.groups * plan.group_weights * plan.itemsize + 64

    def __dealloc__(self):
        free(self.memory)

    def pack(self, weights, packed):
        """Weights as this layout's kernels read them.

        `weights`: element type, (groups, filters, channels, D, H, W), any strides. Into `packed`, bytes.
        """
        cdef Py_buffer view, target
        PyObject_GetBuffer(weights, &view, PyBUF_STRIDES)
        PyObject_GetBuffer(packed, &target, PyBUF_WRITABLE)
        self._pack(&view, align(<char *>target.buf))
        PyBuffer_Release(&view)
        PyBuffer_Release(&target)

    def run(self, x, packed, bias, y):
        """Transposed convolution of x (N, C, D, H, W) into y (N, K, D', H', W').

        `packed`: by `pack`, of any plan with this layout; `bias`: element type, (K,).
        """
        cdef Plan *plan = &self.plan
        cdef Transposed *t = &self.transposed
        cdef Call call
        cdef Py_buffer x_view, y_view, w_view, b_view
        cdef Py_ssize_t tasks = <Py_ssize_t>plan.batch * plan.group_tasks * plan.shares, task
        cdef Py_ssize_t bias_size = plan.groups * plan.group_bias * plan.itemsize
        cdef double zero = 0
        cdef char *memory
        cdef char *workspace
        cdef int a, group
        for a in range(3):
            tasks *= plan.axis[a].blocks
        memory = <char *>malloc(bias_size + plan.threads * plan.workspace + 128)
        if memory == NULL:
            raise MemoryError("implicitpad: workspace of a transposed convolution")
        workspace = align(memory)
        call.bias = workspace + plan.threads * plan.workspace
        PyObject_GetBuffer(x, &x_view, PyBUF_STRIDES)
        PyObject_GetBuffer(y, &y_view, PyBUF_STRIDES | PyBUF_WRITABLE)
        PyObject_GetBuffer(packed, &w_view, PyBUF_SIMPLE)
        PyObject_GetBuffer(bias, &b_view, PyBUF_STRIDES)
        memset(<char *>call.bias, 0, bias_size)
        for group in range(plan.groups):
            memcpy(<char *>call.bias + <Py_ssize_t>group * plan.group_bias * plan.itemsize,
                   <const char *>b_view.buf + <Py_ssize_t>group * plan.filters * plan.itemsize,
                   plan.filters * plan.itemsize)
        call.weights = align(<char *>w_view.buf)
        call.x, call.y = <const char *>x_view.buf, <char *>y_view.buf
        call.fill, call.fill_stride = <const char *>&zero, 0
        for a in range(5):
            call.x_stride[a], call.y_stride[a] = x_view.strides[a], y_view.strides[a]
        with nogil:
            if plan.threads == 1:
                for task in range(tasks):
                    transpose_task(plan, t, &call, task, workspace)
            else:
                with parallel(num_threads=plan.threads):
                    for task in prange(tasks, schedule="dynamic"):
                        transpose_task(plan, t, &call, task, workspace + threadid() * plan.workspace)
        PyBuffer_Release(&x_view)
        PyBuffer_Release(&y_view)
        PyBuffer_Release(&w_view)
        PyBuffer_Release(&b_view)
        free(memory)

    cdef _pack(self, const Py_buffer *weights, char *packed):
        """Into [phase][group][block][channel][tap of the phase][width]."""
        cdef Plan *plan = &self.plan
        cdef const Plan *phase
        cdef int group, b, p, t, i, rows, n_phases, item = plan.itemsize
        cdef Py_ssize_t *tap = <Py_ssize_t *>malloc(
            plan.taps * (2 * sizeof(Py_ssize_t) + sizeof(char *) + MAX_WIDTH * item))
        cdef Py_ssize_t *step = tap + plan.taps
        cdef char **target = <char **>(step + plan.taps)
        cdef char *line = <char *>(target + plan.taps)
        if tap == NULL:
            raise MemoryError("implicitpad: workspace of packed weights")
        n_phases = self.transposed.step[0] * self.transposed.step[1] * self.transposed.step[2]
        shape, strides = weights.shape, weights.strides
        kernel = [shape[a] for a in range(3, 6)]
        dense = [kernel[1] * kernel[2], kernel[2], 1]
        if strides[1] % item != 0 or any(kernel[a] > 1 and strides[3 + a] != dense[a] * item for a in range(3)):
            line = NULL
        for t, index in enumerate(self.order):
            tap[t] = sum([index[a] * (strides[3 + a] if line == NULL else dense[a] * item) for a in range(3)])
        with nogil:
            for group in range(plan.groups):
                for b in range(plan.n_blocks):
                    t = 0
                    for p in range(n_phases):
                        phase = &self.transposed.phase[p]
                        for i in range(phase.taps if phase.channels else 0):
                            step[t] = <Py_ssize_t>phase.taps * plan.width[b] * item
                            target[t] = packed + (
                                self.transposed.weights_at[p] + group * phase.group_weights
                                + <Py_ssize_t>plan.first[b] * plan.channels * phase.taps
                                + <Py_ssize_t>i * plan.width[b]) * item
                            t += 1
                    rows = plan.filters - plan.first[b]
                    pack_block(plan, <const char *>weights.buf + group * strides[0] + plan.first[b] * strides[1],
                               strides + 1, rows if rows < plan.width[b] else plan.width[b], plan.width[b], tap, target,
                               step, line)
        free(tap)
