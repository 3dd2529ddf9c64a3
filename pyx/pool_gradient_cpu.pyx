# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Gradients of pooling on the CPU: what windows have taken from a plane goes back to it.

    mean      dx[n, c, e(o s + t d - p)] += dy[n, c, o] / count[o]        e: the index map
    maximum   dx[n, c, index[n, c, o]]   += dy[n, c, o]

A plane belongs to one thread, which walks through its windows in their order: the same bits for any number
of threads. The caller (implicitpad._numpy_pool_gradient) has checked everything; arrays are C-contiguous
and dx starts at zero.
"""

from cython cimport floating
from cython.parallel cimport prange, threadid
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset


cdef struct Axis:
    int size, out, kernel
    const int32_t *source       # (out, kernel): the position that each tap reads; below 0: none
    const double *exists        # taps of each output that exist
    const double *inputs        # those of them that are no padding


cdef inline void spread_row(const Axis *axis, const int32_t *runs, const floating *scaled,
                            floating *row) noexcept nogil:
    """row[w] = sum of `scaled` over the taps that read w, tap by tap.

    `runs`: for each tap the outputs first ... last - 1 outside which it reads nothing, and the step of its
    positions among them, or 0 if they have none.
    """
    cdef int k, o, first, last, kernel = axis.kernel
    cdef Py_ssize_t step
    cdef const int32_t *source
    cdef floating *to
    memset(row, 0, axis.size * sizeof(floating))
    for k in range(kernel):
        source = axis.source + k
        first, last, step = runs[3 * k], runs[3 * k + 1], runs[3 * k + 2]
        if step == 0:
            for o in range(first, last):
                if source[o * kernel] >= 0:
                    row[source[o * kernel]] += scaled[o]
            continue
        to = row + source[first * kernel]
        if step == 1:
            for o in range(last - first):
                to[o] += scaled[first + o]
        else:
            for o in range(last - first):
                to[o * step] += scaled[first + o]


cdef inline void set_divisors(const Axis *w, double exists, double inputs, double divisor, bint count_pad,
                              floating *divisors) noexcept nogil:
    cdef int o
    for o in range(w.out):
        divisors[o] = <floating>(divisor if divisor != 0 else
                                 exists * w.exists[o] if count_pad else inputs * w.inputs[o])


cdef inline double mean_plane(const Axis *axes, const int32_t *runs, double divisor, bint count_pad,
                              const floating *dy, floating *dx, floating *scaled) noexcept nogil:
    """Spread one plane; return what goes to the padding. `scaled`: room for two rows of outputs and an input row."""
    cdef const Axis *w = &axes[2]
    cdef int d, h, o, kd, kh, sd, sh, i, first = 0, last = w.out
    cdef double exists, inputs, last_exists = -1, last_inputs = -1, padding = 0
    cdef floating *divisors = scaled + w.out
    cdef floating *row = divisors + w.out
    cdef floating *to
    # outputs first ... last - 1 see no padding along their row
    while first < last and w.exists[first] != w.inputs[first]:
        first += 1
    while last > first and w.exists[last - 1] != w.inputs[last - 1]:
        last -= 1
    for d in range(axes[0].out):
        for h in range(axes[1].out):
            exists, inputs = axes[0].exists[d] * axes[1].exists[h], axes[0].inputs[d] * axes[1].inputs[h]
            if exists != last_exists or inputs != last_inputs:
                set_divisors(w, exists, inputs, divisor, count_pad, divisors)
                last_exists, last_inputs = exists, inputs
            for o in range(w.out):
                scaled[o] = dy[o] / divisors[o]
            dy += w.out
            o = 0
            while o < w.out:
                if o == first and exists == inputs:
                    o = last
                    continue
                padding += scaled[o] * (exists * w.exists[o] - inputs * w.inputs[o])
                o += 1
            if inputs == 0:
                continue
            spread_row(w, runs, scaled, row)
            for kd in range(axes[0].kernel):
                sd = axes[0].source[d * axes[0].kernel + kd]
                for kh in range(axes[1].kernel):
                    sh = axes[1].source[h * axes[1].kernel + kh]
                    if sd >= 0 and sh >= 0:
                        to = dx + (<Py_ssize_t>sd * axes[1].size + sh) * w.size
                        for i in range(w.size):
                            to[i] += row[i]
    return padding


def spread_means(tables, sizes, const int32_t[:, ::1] runs, double divisor, bint count_pad,
                 const floating[:, ::1] dy, floating[:, ::1] dx, double[::1] padding, floating[:, ::1] work):
    """dx += the adjoint of averaging, plane by plane; padding[plane]: what falls on the padding.

    `tables`: for D, H and W the positions (out, kernel) that taps read, and two counts for each output.
    `work`: for each thread two rows of outputs and one of the input.
    """
    cdef Axis axes[3]
    cdef const int32_t[:, ::1] source
    cdef const double[::1] exists, inputs
    cdef Py_ssize_t plane
    cdef int a, threads = <int>work.shape[0]
    for a in range(3):
        source, exists, inputs = tables[a]
        axes[a].source, axes[a].exists, axes[a].inputs = &source[0, 0], &exists[0], &inputs[0]
        axes[a].out, axes[a].kernel, axes[a].size = <int>source.shape[0], <int>source.shape[1], sizes[a]
    for plane in prange(dx.shape[0], nogil=True, num_threads=threads, schedule="dynamic"):
        padding[plane] = mean_plane(axes, &runs[0, 0], divisor, count_pad, &dy[plane, 0], &dx[plane, 0],
                                    &work[threadid(), 0])


cdef inline double place_plane(const int64_t *index, const floating *dy, Py_ssize_t n, floating *dx) noexcept nogil:
    cdef Py_ssize_t o
    cdef double padding = 0
    for o in range(n):
        if index[o] >= 0:
            dx[index[o]] += dy[o]
        else:
            padding += dy[o]
    return padding


def place_maxima(const int64_t[:, ::1] index, const floating[:, ::1] dy, floating[:, ::1] dx, double[::1] padding,
                 int threads):
    """dx[plane, index] += dy, in the order of the windows; padding[plane] += what has no index."""
    cdef Py_ssize_t plane
    for plane in prange(dx.shape[0], nogil=True, num_threads=threads, schedule="dynamic"):
        padding[plane] = padding[plane] + place_plane(&index[plane, 0], &dy[plane, 0], dy.shape[1], &dx[plane, 0])
