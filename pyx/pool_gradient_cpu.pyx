# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Gradients of pooling on the CPU: planes are divided among threads, and written by the kernels of pool_gradient.h.

A plane belongs to one thread, which takes its windows in their order: the same bits for any number of
threads. The caller (implicitpad._numpy_pool_gradient) has checked everything; arrays are C-contiguous.
"""

from cython cimport floating
from cython.parallel cimport prange, threadid
from libc.stdint cimport int32_t, int64_t, uint64_t

from pool_gradient cimport *
from workspace cimport give_workspace, workspace_for


cdef const gradient_kernels *kernels_of(name, bint double_precision) except NULL:
    cdef const gradient_set *candidates[3]
    candidates[0] = implicitpad_gradient_avx512
    candidates[1] = implicitpad_gradient_avx2
    candidates[2] = implicitpad_gradient_baseline
    for i in range(3):
        if candidates[i] != NULL and candidates[i].name.decode() == name:
            return candidates[i].f64 if double_precision else candidates[i].f32
    raise ValueError(f"implicitpad._pool_gradient_cpu: no kernels for instruction set {name!r}")


cdef inline double padding_of(const gradient_axis *axes, double divisor, bint count_pad,
                              const floating *dy) noexcept nogil:
    """What falls on the padding of a plane."""
    cdef const gradient_axis *w = &axes[2]
    cdef int d, h, o, part, first = 0, last
    cdef int begin[2]
    cdef int end[2]
    cdef double exists, inputs, by, total = 0
    # outputs first ... last - 1 see no padding along their row
    while first < w.out and w.exists[first] != w.inputs[first]:
        first += 1
    last = first
    while last < w.out and w.exists[last] == w.inputs[last]:
        last += 1
    for d in range(axes[0].out):
        for h in range(axes[1].out):
            exists, inputs = axes[0].exists[d] * axes[1].exists[h], axes[0].inputs[d] * axes[1].inputs[h]
            begin[0], end[0] = 0, first if exists == inputs else w.out
            begin[1], end[1] = last if exists == inputs else w.out, w.out
            for part in range(2):
                for o in range(begin[part], end[part]):
                    by = divisor
                    if by == 0:
                        by = exists * w.exists[o] if count_pad else inputs * w.inputs[o]
                    total += (exists * w.exists[o] - inputs * w.inputs[o]) * (dy[o] / <floating>by)
            dy += w.out
    return total


def spread_means(tables, double divisor, bint count_pad, bint padded, const floating[:, ::1] dy, floating[:, ::1] dx,
                 double[::1] padding, floating[:, ::1] work, int64_t[:, ::1] held, instruction_set):
    """dx = the adjoint of averaging, plane by plane; padding[plane]: what falls on the padding, if `padded`.

    `tables`: for D, H and W what gradient_axis has. For each thread `work` has room for GRADIENT_RING rows of
    outputs and two more, `held` for as many numbers.
    """
    cdef const gradient_kernels *kernels = kernels_of(instruction_set, floating is double)
    cdef gradient_axis axes[3]
    cdef const int32_t[::1] readers, start
    cdef const double[::1] exists, inputs
    cdef Py_ssize_t plane
    cdef int a, threads = <int>work.shape[0]
    for a in range(3):
        readers, start, exists, inputs, (axes[a].first, axes[a].count, axes[a].step) = tables[a]
        axes[a].readers, axes[a].start = &readers[0], &start[0]
        axes[a].exists, axes[a].inputs = &exists[0], &inputs[0]
        axes[a].size, axes[a].out = <int>start.shape[0] - 1, <int>exists.shape[0]
    for plane in prange(dx.shape[0], nogil=True, num_threads=threads, schedule="dynamic"):
        kernels.spread(axes, divisor, count_pad, &dy[plane, 0], &dx[plane, 0], &work[threadid(), 0],
                       &held[threadid(), 0])
        if padded:
            padding[plane] = padding_of(axes, divisor, count_pad, &dy[plane, 0])


def spread_pairs(const floating[:, ::1] dy, floating[:, ::1] dx, int height, double divisor, int threads,
                 instruction_set):
    """dx[height r + h, 2 o] and [.., 2 o + 1] = dy[r, o] / divisor."""
    cdef const gradient_kernels *kernels = kernels_of(instruction_set, floating is double)
    cdef Py_ssize_t rows = dy.shape[0], part, each = rows // threads
    cdef int n = <int>dy.shape[1]
    for part in prange(threads, nogil=True, num_threads=threads):
        kernels.spread_pairs(each if part < threads - 1 else rows - part * each, n, height, divisor,
                             &dy[part * each, 0], &dx[height * part * each, 0])


def place_small(axes, const int64_t[:, ::1] index, const floating[:, ::1] dy, floating[:, ::1] dx, int threads,
                instruction_set):
    """dx[plane] = sums of dy where index says so, for the windows of gradient_plane; axes: those along H and W."""
    cdef const gradient_kernels *kernels = kernels_of(instruction_set, floating is double)
    cdef gradient_plane geometry
    cdef Py_ssize_t plane, room
    cdef int a
    for a, axis in enumerate(axes):
        geometry.size[a], geometry.out[a], geometry.before[a] = axis.size, axis.out, axis.before
        geometry.kernel[a], geometry.stride[a] = axis.kernel, axis.stride
    room = place_room(&geometry)
    cdef char *workspace = workspace_for(threads * room * sizeof(floating))
    cdef floating *work = <floating *>workspace
    for plane in prange(dx.shape[0], nogil=True, num_threads=threads, schedule="dynamic"):
        kernels.place(&geometry, &index[plane, 0], &dy[plane, 0], &dx[plane, 0], work + threadid() * room)
    give_workspace(workspace)


def place_pairs(index, const floating[:, ::1] x, const floating[:, ::1] dy, floating[:, ::1] dx, int height,
                int threads, instruction_set):
    """The same for windows of 2 x 2 side by side, row after row of outputs, `height` in a plane; index None: by x."""
    cdef const gradient_kernels *kernels = kernels_of(instruction_set, floating is double)
    cdef Py_ssize_t rows = dy.shape[0], part, first, last
    cdef int n = <int>dy.shape[1]
    cdef const int64_t[:, ::1] indices
    cdef const int64_t *at = NULL
    if index is not None:
        indices = index
        at = &indices[0, 0]
    for part in prange(threads, nogil=True, num_threads=threads):
        # parts start where planes do
        first, last = rows // height * part // threads * height, rows // height * (part + 1) // threads * height
        kernels.place_pairs(last - first, n, height, at + first * n if at != NULL else NULL, &x[2 * first, 0],
                            &dy[first, 0], &dx[2 * first, 0])


cdef inline void place_plane(const int64_t *index, const floating *dy, Py_ssize_t n, floating *dx,
                             Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t o
    for o in range(n):
        if <uint64_t>index[o] < <uint64_t>size:
            dx[index[o]] += dy[o]


def place_maxima(const int64_t[:, ::1] index, const floating[:, ::1] dy, floating[:, ::1] dx, int threads):
    """dx[plane, index] += dy, in the order of the windows; an index outside the plane is nowhere."""
    cdef Py_ssize_t plane
    for plane in prange(dx.shape[0], nogil=True, num_threads=threads, schedule="dynamic"):
        place_plane(&index[plane, 0], &dy[plane, 0], dy.shape[1], &dx[plane, 0], dx.shape[1])


def add_unplaced(const int64_t[:, ::1] index, const floating[:, ::1] dy, double[::1] padding):
    """padding[plane] += dy where the index is negative."""
    cdef Py_ssize_t plane, o
    cdef double total
    for plane in range(dy.shape[0]):
        total = 0
        for o in range(dy.shape[1]):
            if index[plane, o] < 0:
                total += dy[plane, o]
        padding[plane] += total
