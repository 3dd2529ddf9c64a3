# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Gradients of pooling on the CPU: what windows have taken from a plane goes back to it.

    mean      dx[n, c, e(o s + t d - p)] += dy[n, c, o] / count[o]        e: the index map; gathered
    maximum   dx[n, c, index[n, c, o]]   += dy[n, c, o]

A plane belongs to one thread, which walks through its windows in their order: the same bits for any number
of threads. The caller (implicitpad._numpy_pool_gradient) has checked everything; arrays are C-contiguous
and dx starts at zero.
"""

from cython cimport floating
from cython.parallel cimport prange, threadid
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy


cdef enum:
    RING = 16                   # rows of divided gradients that a thread keeps


cdef struct Axis:
    int size, out
    const int32_t *readers      # the outputs that read each position, one after the other, once for each tap
    const int32_t *start        # where those of each position start; one more, for the end
    const double *exists        # taps of each output that exist
    const double *inputs        # those of them that are no padding
    # from position `first` on `count` times `step` positions whose readers move on by one each time
    int first, count, step


cdef inline double divisor_of(const Axis *axes, int d, int h, int o, double divisor, bint count_pad) noexcept nogil:
    if divisor != 0:
        return divisor
    if count_pad:
        return axes[0].exists[d] * axes[1].exists[h] * axes[2].exists[o]
    return axes[0].inputs[d] * axes[1].inputs[h] * axes[2].inputs[o]


cdef inline const floating *divided(const Axis *axes, int d, int h, double divisor, bint count_pad,
                                    const floating *dy, floating *work, int64_t *held) noexcept nogil:
    """A row of gradients, each divided by its window's divisor."""
    cdef int64_t number = <int64_t>d * axes[1].out + h
    cdef int slot = <int>(number % RING), o
    cdef floating *row = work + <Py_ssize_t>slot * axes[2].out
    cdef floating factor
    dy += number * axes[2].out
    if held[slot] == number:
        return row
    held[slot] = number
    if divisor != 0:
        factor = <floating>divisor
        for o in range(axes[2].out):
            row[o] = dy[o] / factor
    else:
        for o in range(axes[2].out):
            row[o] = dy[o] / <floating>divisor_of(axes, d, h, o, divisor, count_pad)
    return row


cdef inline void gather(const Axis *axis, const floating *total, floating *dx, int first, int last) noexcept nogil:
    cdef int c, p
    cdef floating element
    for c in range(first, last):
        element = 0
        for p in range(axis.start[c], axis.start[c + 1]):
            element += total[axis.readers[p]]
        dx[c] = element


cdef inline void gather_row(const Axis *axis, const floating *total, floating *dx) noexcept nogil:
    """Each element of dx is the sum of its readers; where these move along with it, many at a time."""
    cdef int first = axis.first, last = axis.first + axis.count * axis.step
    cdef int taps = axis.start[first + 1] - axis.start[first] if axis.count else 0, more = 0
    cdef Py_ssize_t j
    cdef floating zero = 0      # sums start from it, which makes -0.0 positive
    cdef const floating *a = total + axis.readers[axis.start[first]]
    cdef const floating *b = a
    cdef floating *to = dx + first
    if axis.step == 2 and axis.count:
        more = axis.start[first + 2] - axis.start[first + 1]
        b = total + axis.readers[axis.start[first + 1]]
    if axis.step == 1 and taps == 2:
        for j in range(axis.count):
            to[j] = zero + a[j] + a[j - 1]
    elif axis.step == 1 and taps == 3:
        for j in range(axis.count):
            to[j] = zero + a[j] + a[j - 1] + a[j - 2]
    elif axis.step == 2 and taps == 1 and more == 1:
        for j in range(axis.count):
            to[2 * j] = zero + a[j]
            to[2 * j + 1] = zero + b[j]
    elif axis.step == 2 and taps == 2 and more == 1:
        for j in range(axis.count):
            to[2 * j] = zero + a[j] + a[j - 1]
            to[2 * j + 1] = zero + b[j]
    else:
        first = last = axis.size
    gather(axis, total, dx, 0, first)
    gather(axis, total, dx, last, axis.size)


cdef inline void mean_plane(const Axis *axes, double divisor, bint count_pad, const floating *dy, floating *dx,
                            floating *work, int64_t *held) noexcept nogil:
    """Each row of dx: the rows that read it are added up, then each element gathers from their sum."""
    cdef const Axis *w = &axes[2]
    cdef floating *total = work + <Py_ssize_t>RING * w.out
    cdef const floating *row
    cdef const floating *sum_ = total
    cdef floating *line = total + w.out
    cdef int64_t number, first = -1
    cdef int i, j, p, q, o, n, depths
    for o in range(RING):
        held[o] = -1
    for i in range(axes[0].size):
        for j in range(axes[1].size):
            n = 0
            for q in range(axes[1].start[j], axes[1].start[j + 1]):
                depths = axes[0].start[i + 1] - axes[0].start[i]
                if depths == 0:
                    break
                if n == 1:
                    number = <int64_t>axes[0].readers[axes[0].start[i]] * axes[1].out + axes[1].readers[q]
                    if depths > 1 or number != first and number % RING == first % RING:
                        memcpy(total, sum_, w.out * sizeof(floating))  # its place is taken next
                        sum_ = total
                p = axes[0].start[i]
                first = <int64_t>axes[0].readers[p] * axes[1].out + axes[1].readers[q]
                row = divided(axes, axes[0].readers[p], axes[1].readers[q], divisor, count_pad, dy, work, held)
                if depths > 1:
                    memcpy(line, row, w.out * sizeof(floating))
                    for p in range(axes[0].start[i] + 1, axes[0].start[i + 1]):
                        row = divided(axes, axes[0].readers[p], axes[1].readers[q], divisor, count_pad, dy, work,
                                      held)
                        for o in range(w.out):
                            line[o] += row[o]
                    row = line
                n += 1
                if n == 1:
                    sum_ = row
                elif n == 2:
                    for o in range(w.out):
                        total[o] = sum_[o] + row[o]
                    sum_ = total
                else:
                    for o in range(w.out):
                        total[o] += row[o]
            if n:
                gather_row(w, sum_, dx)
            dx += w.size


cdef inline double padding_of(const Axis *axes, double divisor, bint count_pad, const floating *dy) noexcept nogil:
    """What falls on the padding of a plane."""
    cdef const Axis *w = &axes[2]
    cdef int d, h, o, first = 0, last
    cdef double exists, inputs, total = 0
    # outputs first ... last - 1 see no padding along their row
    while first < w.out and w.exists[first] != w.inputs[first]:
        first += 1
    last = first
    while last < w.out and w.exists[last] == w.inputs[last]:
        last += 1
    for d in range(axes[0].out):
        for h in range(axes[1].out):
            exists, inputs = axes[0].exists[d] * axes[1].exists[h], axes[0].inputs[d] * axes[1].inputs[h]
            for o in range(first if exists == inputs else w.out):
                total += ((exists * w.exists[o] - inputs * w.inputs[o])
                          * (dy[o] / <floating>divisor_of(axes, d, h, o, divisor, count_pad)))
            for o in range(last if exists == inputs else w.out, w.out):
                total += ((exists * w.exists[o] - inputs * w.inputs[o])
                          * (dy[o] / <floating>divisor_of(axes, d, h, o, divisor, count_pad)))
            dy += w.out
    return total


def spread_means(tables, double divisor, bint count_pad, bint padded, const floating[:, ::1] dy, floating[:, ::1] dx,
                 double[::1] padding, floating[:, ::1] work, int64_t[:, ::1] held):
    """dx = the adjoint of averaging, plane by plane; padding[plane]: what falls on the padding, if `padded`.

    `tables`: for D, H and W what Axis has. For each thread `work` has room for RING rows of outputs and two
    more, `held` for RING numbers.
    """
    cdef Axis axes[3]
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
        mean_plane(axes, divisor, count_pad, &dy[plane, 0], &dx[plane, 0], &work[threadid(), 0],
                   &held[threadid(), 0])
        if padded:
            padding[plane] = padding_of(axes, divisor, count_pad, &dy[plane, 0])


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
