# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Transposed convolution on the CPU: phases on the panels and register tiles of the forward convolution.

    y[n, k, i s + t d - p] += w[c, k, t] x[n, c, i]

Output j = q s + r, r < s, is reached by the taps with t d - p = r mod s alone, from input q - (t d - p - r) / s:
for each phase r a convolution with stride 1 over q. All phases read one panel; the rows of the phases of
the last axis are interleaved as they are stored. Nothing is scattered, and no zeros are stuffed. Phases of two
taps by two run by Winograd where that is faster (transpose_winograd.pxd).

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
from transpose_packing cimport pack_block, pack_products
from transpose_plan cimport Transposed
from transpose_tasks cimport transpose_block
from transpose_winograd cimport choose_phases, phases_block, reserve_phases
from workspace cimport give_workspace, workspace_for

cdef enum:
    MAX_WIDTH = 32               # of a block of channels
    SCRATCH_BYTES = 128 * 1024   # rows of one block of channels on their way to the output


cdef int transpose_task(const Plan *plan, const Transposed *t, const Call *call, Py_ssize_t task,
                        char *workspace) noexcept nogil:
    """Returns whether Winograd's products may have spread an infinity or NaN."""
    cdef int first[3]
    cdef int size[3]
    cdef int a, index, image, group, n_runs, suspect = 0, share = <int>(task % plan.shares)
    cdef int block_from = even_start(share, plan.shares, plan.n_blocks)
    cdef int block_to = even_start(share + 1, plan.shares, plan.n_blocks)
    task //= plan.shares
    for a in range(2, -1, -1):
        index = <int>(task % plan.axis[a].blocks)
        task //= plan.axis[a].blocks
        first[a] = index * plan.axis[a].block
        size[a] = counted(&plan.axis[a]) - first[a]
        if size[a] > plan.axis[a].block:
            size[a] = plan.axis[a].block
    index, image = <int>(task % plan.group_tasks), <int>(task // plan.group_tasks)
    n_runs = locate(plan, first, workspace)
    for group in range(even_start(index, plan.group_tasks, plan.groups),
                       even_start(index + 1, plan.group_tasks, plan.groups)):
        if t.winograd != NULL:
            suspect |= phases_block(plan, t, call, image, group, first, size, block_from, block_to, n_runs, workspace)
            continue
        fill_panel(plan, call, image, group * plan.channels, plan.channels, n_runs, workspace)
        transpose_block(plan, t, call, image, group, first, size, block_from, block_to, workspace)
    return suspect


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
    `winograd`: Winograd may be used, where it is faster.
    """
    cdef Plan plan
    cdef Transposed transposed
    cdef void *memory
    cdef object kernels, order          # order: indices of the taps as packed
    cdef readonly tuple layout          # of the packed weights
    cdef readonly Py_ssize_t packed_bytes
    cdef readonly Py_ssize_t workspace  # bytes for each thread

    def __init__(self, axes, int batch, int in_channels, int out_channels, int groups, kernels, codes,
                 bint direct, bint winograd, int threads):
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
        cost, self.order = choose_tile(plan, False)
        t.winograd = NULL
        widths = choose_phases(plan, t, axes, cost) if winograd else None
        if widths is not None:
            self.order = widths
        else:
            choose_blocks(plan)
        plan.n_blocks = len(self.order)
        plan.group_bias = sum(self.order)
        divide(plan, threads)
        row = <Py_ssize_t>max(self.order) * t.step[2] * plan.axis[2].block * plan.itemsize
        t.group_rows = min(plan.axis[1].block, max(2, SCRATCH_BYTES // row))
        # An odd number of vectors from channel to channel: powers of two would share few cache sets.
        vectors = ceil_div(<Py_ssize_t>t.group_rows * t.step[2] * plan.axis[2].block, plan.kernels.lanes) | 1
        t.scratch_channel = vectors * plan.kernels.lanes
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
        slots = sum(plan.axis[a].slots for a in range(3))
        if t.winograd != NULL:
            plan.source_at = ceil_div(reserve_phases(plan, t), 64) * 64
        else:
            plan.scratch_at = ceil_div((plan.channel_stride * plan.channels + PANEL_SLACK) * plan.itemsize, 64) * 64
            plan.source_at = ceil_div(plan.scratch_at + scratch, 64) * 64
        plan.runs_at = ceil_div(plan.source_at + slots * sizeof(int32_t), 64) * 64
        plan.workspace = ceil_div(plan.runs_at + plan.axis[2].slots * sizeof(panel_run), 4096) * 4096 + 64
        self.workspace = plan.workspace
        for a in range(3):
            plan.axis[a].source, memory = memory, memory + plan.axis[a].virtual
            for v in range(plan.axis[a].virtual):
                plan.axis[a].source[v] = <int32_t>source_index(v - <Py_ssize_t>axes[a].before, axes[a].size, CONSTANT)
        plan.group_weights = <Py_ssize_t>plan.group_bias * plan.channels * plan.taps
        taps = [axis.phases[2] for axis in axes]
        self.order = []
        if t.winograd != NULL:
            # a vector more than needed: positions a power of two apart would share few cache sets
            plan.weight_stride = plan.channels * <Py_ssize_t>plan.width[0] + plan.kernels.lanes
            plan.group_weights = plan.n_blocks * (t.products[0] + t.products[1]) * plan.weight_stride
            self.layout = ("winograd", plan.itemsize, tuple(taps), plan.width[0])
            self.packed_bytes = plan.groups * plan.group_weights * plan.itemsize + 64
            return
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

        `weights`: element type, (groups, filters, channels, D, H, W), taps contiguous. Into `packed`, bytes.
        """
        cdef Py_buffer view, target
        PyObject_GetBuffer(weights, &view, PyBUF_STRIDES)
        PyObject_GetBuffer(packed, &target, PyBUF_WRITABLE)
        self._pack(&view, align(<char *>target.buf))
        PyBuffer_Release(&view)
        PyBuffer_Release(&target)

    def run(self, x, packed, bias, y):
        """Transposed convolution of x (N, C, D, H, W) into y (N, K, D', H', W').

        `packed`: by `pack`, of any plan with this layout; `bias`: element type, (K,). Returns whether Winograd
        may have spread an infinity or NaN to outputs that do not see it: those that are finite are right.
        """
        cdef Plan *plan = &self.plan
        cdef Transposed *t = &self.transposed
        cdef Call call
        cdef Py_buffer x_view, y_view, w_view, b_view
        cdef Py_ssize_t tasks = <Py_ssize_t>plan.batch * plan.group_tasks * plan.shares, task
        cdef Py_ssize_t bias_size = plan.groups * plan.group_bias * plan.itemsize
        cdef double zero = 0
        cdef char *workspace
        cdef int a, group, suspect = 0
        for a in range(3):
            tasks *= plan.axis[a].blocks
        workspace = workspace_for(plan.threads * plan.workspace + bias_size)
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
                    suspect |= transpose_task(plan, t, &call, task, workspace)
            else:
                with parallel(num_threads=plan.threads):
                    for task in prange(tasks, schedule="dynamic"):
                        suspect |= transpose_task(plan, t, &call, task, workspace + threadid() * plan.workspace)
        PyBuffer_Release(&x_view)
        PyBuffer_Release(&y_view)
        PyBuffer_Release(&w_view)
        PyBuffer_Release(&b_view)
        give_workspace(workspace)
        return suspect != 0

    cdef _pack(self, const Py_buffer *weights, char *packed):
        """Into [phase][group][block][channel][tap of the phase][width]; for Winograd
        [group][block][phase of the rows][product][channel][width], each product `weight_stride` from the last."""
        cdef Plan *plan = &self.plan
        cdef Transposed *transposed = &self.transposed
        cdef const Plan *phase
        cdef int group, b, p, t, i, rows, n_phases, item = plan.itemsize
        cdef Py_ssize_t *tap = <Py_ssize_t *>malloc(
            plan.taps * (2 * sizeof(Py_ssize_t) + sizeof(char *) + MAX_WIDTH * item))
        cdef Py_ssize_t *step = tap + plan.taps
        cdef char **target = <char **>(step + plan.taps)
        cdef char *line = <char *>(target + plan.taps)
        cdef const char *source
        if tap == NULL:
            raise MemoryError("implicitpad: workspace of packed weights")
        n_phases = transposed.step[0] * transposed.step[1] * transposed.step[2]
        shape, strides = weights.shape, weights.strides
        for t, index in enumerate(self.order):
            tap[t] = (index[0] * shape[4] + index[1]) * shape[5] + index[2]
        with nogil:
            for group in range(plan.groups):
                for b in range(plan.n_blocks):
                    rows = plan.filters - plan.first[b]
                    if rows > plan.width[b]:
                        rows = plan.width[b]
                    source = <const char *>weights.buf + group * strides[0] + plan.first[b] * strides[1]
                    if transposed.winograd != NULL:
                        pack_products(plan, transposed, source, strides[1] // item, strides[2], rows, line, packed)
                        packed += (transposed.products[0] + transposed.products[1]) * plan.weight_stride * item
                        continue
                    t = 0
                    for p in range(n_phases):
                        phase = &transposed.phase[p]
                        for i in range(phase.taps if phase.channels else 0):
                            step[t] = <Py_ssize_t>phase.taps * plan.width[b] * item
                            target[t] = packed + (
                                transposed.weights_at[p] + group * phase.group_weights
                                + <Py_ssize_t>plan.first[b] * plan.channels * phase.taps
                                + <Py_ssize_t>i * plan.width[b]) * item
                            t += 1
                    pack_block(plan, source, strides[1] // item, strides[2], rows, plan.width[b], tap, target, step,
                               line)
        free(tap)
