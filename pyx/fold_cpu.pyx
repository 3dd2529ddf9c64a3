# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""What gradients need beside products:

    fold     dx[c, j] = sum of g[c, v] over the positions v that read j: the adjoint of the index map
    sums     of dy over boxes, for the bias, the fill and windows wholly in the padding

Each is divided by what it writes: one thread sums an output from first to last.
"""

from cpython.buffer cimport PyBUF_STRIDES, PyBuffer_Release, PyObject_GetBuffer
from cpython.pycapsule cimport PyCapsule_GetPointer
from cython.parallel cimport prange, threadid
from libc.stdint cimport int32_t
from libc.stdlib cimport free, malloc

from kernels cimport *
from panel cimport *


ctypedef fused real:
    float
    double


cdef void fold_row(const real *g, const panel_run *runs, int n_runs, real *row) noexcept nogil:
    cdef int r, i, length
    cdef real *target
    cdef const real *source
    cdef real total
    for r in range(n_runs):
        source, target, length = g + runs[r].slot, row + runs[r].source, runs[r].length
        if runs[r].step == 1:
            for i in range(length):
                target[i] += source[i]
        elif runs[r].step == 0:
            total = 0
            for i in range(length):
                total += source[i]
            target[0] += total
        else:
            for i in range(length):
                target[i * runs[r].step] += source[i]


def fold(real[:, :, :, ::1] g, const int32_t[::1] depth, const int32_t[::1] height, const int32_t[::1] width,
         real[:, :, :, ::1] dx, int threads):
    """dx[p, depth[d], height[h], width[w]] += g[p, d, h, w]

    A plane p belongs to one thread, which adds rows in order.
    """
    cdef Py_ssize_t p, d, h, planes = g.shape[0]
    cdef int n_runs
    cdef panel_run *runs = <panel_run *>malloc(g.shape[3] * sizeof(panel_run))
    if runs == NULL:
        raise MemoryError("implicitpad: runs of a row")
    with nogil:
        n_runs = runs_of(&width[0], <int>g.shape[3], runs)
        for p in prange(planes, num_threads=threads, schedule="static"):
            for d in range(g.shape[1]):
                for h in range(g.shape[2]):
                    fold_row(&g[p, d, h, 0], runs, n_runs, &dx[p, depth[d], height[h], 0])
    free(runs)


cdef double sum_row(const real *row, Py_ssize_t n) noexcept nogil:
    """In eight interleaved partial sums."""
    cdef double part[8]
    cdef Py_ssize_t i
    cdef int j
    for j in range(8):
        part[j] = 0
    for i in range(n // 8):
        for j in range(8):
            part[j] += row[8 * i + j]
    for i in range(n // 8 * 8, n):
        part[i % 8] += row[i]
    return ((part[0] + part[4]) + (part[2] + part[6])) + ((part[1] + part[5]) + (part[3] + part[7]))


cdef void sum_channel(const Py_buffer *dy, Py_ssize_t k, const Py_ssize_t *starts, const Py_ssize_t *count,
                      load_row_function *load_row, char *row, double *sums, bint wide) noexcept nogil:
    """Sums of channel k over boxes of its segments."""
    cdef Py_ssize_t n, d, h, w, segment_d, segment_h, at
    cdef const Py_ssize_t *starts_h = starts + count[0] + 1
    cdef const Py_ssize_t *starts_w = starts_h + count[1] + 1
    cdef panel_run run
    cdef double zero = 0
    run.slot, run.length, run.source, run.step = 0, <int>dy.shape[4], 0, 1
    for n in range(dy.shape[0]):
        for segment_d in range(count[0]):
            for d in range(starts[segment_d], starts[segment_d + 1]):
                for segment_h in range(count[1]):
                    for h in range(starts_h[segment_h], starts_h[segment_h + 1]):
                        load_row(row, <const char *>dy.buf + n * dy.strides[0] + k * dy.strides[1]
                                 + d * dy.strides[2] + h * dy.strides[3], dy.strides[4], &run, 1, &zero)
                        for w in range(count[2]):
                            at = (segment_d * count[1] + segment_h) * count[2] + w
                            if wide:
                                sums[at] += sum_row(<double *>row + starts_w[w], starts_w[w + 1] - starts_w[w])
                            else:
                                sums[at] += sum_row(<float *>row + starts_w[w], starts_w[w + 1] - starts_w[w])


def segment_sums(dy, segments, kernels, codes, double[:, ::1] sums, int threads):
    """sums[k, box] = sum of dy[n, k, i] over all images and the positions i of a box.

    `segments`: for each of the three axes the positions where its segments start, and the axis' end; a box is one
    segment of each.
    """
    cdef const kernel_set *chosen = <const kernel_set *>PyCapsule_GetPointer(kernels, "implicitpad.kernel_set")
    cdef load_row_function *load_row = chosen.load_row[<int>codes[0]]
    cdef bint wide = codes[1] == F64
    cdef Py_buffer view
    cdef Py_ssize_t count[3]
    cdef Py_ssize_t k, i, row_bytes
    cdef Py_ssize_t *starts
    cdef char *rows
    flat = [start for axis in segments for start in axis]
    PyObject_GetBuffer(dy, &view, PyBUF_STRIDES)
    row_bytes = (view.shape[4] + 8) * sizeof(double)
    starts = <Py_ssize_t *>malloc(len(flat) * sizeof(Py_ssize_t))
    rows = <char *>malloc(threads * row_bytes)
    if starts == NULL or rows == NULL:
        PyBuffer_Release(&view)
        free(starts)
        free(rows)
        raise MemoryError("implicitpad: workspace of sums")
    for i in range(3):
        count[i] = len(segments[i]) - 1
    for i, start in enumerate(flat):
        starts[i] = start
    sums[:] = 0
    with nogil:
        for k in prange(view.shape[1], num_threads=threads, schedule="static"):
            sum_channel(&view, k, starts, count, load_row, rows + threadid() * row_bytes, &sums[k, 0], wide)
    PyBuffer_Release(&view)
    free(starts)
    free(rows)
