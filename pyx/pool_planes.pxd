# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What becomes of whole planes: one value, or means of their parts."""

from libc.string cimport memcpy

from kernels cimport load_row_function, panel_run
from pool cimport *

# Planes of the input: byte strides of N, C, D, H, W; a row has `length` elements, a plane depth * height rows.
cdef struct Planes:
    const pool_kernels *kernels
    load_row_function *load_row     # NULL: rows hold elements side by side
    int operation, item
    const char *x
    Py_ssize_t stride[5]
    Py_ssize_t channels, depth, height, length


cdef inline const char *plane_at(const Planes *planes, Py_ssize_t plane) noexcept nogil:
    if plane < planes.channels:     # a division costs as much as a small plane
        return planes.x + plane * planes.stride[1]
    return planes.x + plane // planes.channels * planes.stride[0] + plane % planes.channels * planes.stride[1]


cdef inline const void *elements_of(const Planes *planes, const char *row, Py_ssize_t first, Py_ssize_t n,
                                    void *line) noexcept nogil:
    """Elements of a row, in `line` if they have to be converted."""
    cdef panel_run whole
    row += first * planes.stride[4]
    if planes.load_row == NULL:
        return row
    whole.slot, whole.length, whole.source, whole.step = 0, <int>n, 0, 1
    planes.load_row(line, row, planes.stride[4], &whole, 1, line)
    return line


cdef inline void reduce_plane(const Planes *planes, Py_ssize_t plane, char *out) noexcept nogil:
    """out: a double, the mean; or an element, the maximum."""
    cdef double line[POOL_BLOCK]
    cdef double total = 0
    cdef const char *row
    cdef const void *part
    cdef Py_ssize_t d, h, first, n, most = POOL_BLOCK if planes.load_row != NULL else planes.length
    cdef bint begun = planes.operation == POOL_SUM
    for d in range(planes.depth):
        for h in range(planes.height):
            row = plane_at(planes, plane) + d * planes.stride[2] + h * planes.stride[3]
            first = 0
            while first < planes.length:
                n = min(most, planes.length - first)
                part = elements_of(planes, row, first, n, line)
                if not begun:
                    memcpy(&total, part, 4)
                    if planes.item == 8:
                        memcpy(&total, part, 8)
                    begun = True
                planes.kernels.reduce[planes.operation](&total, part, n)
                first += n
    if planes.operation == POOL_SUM:
        (<double *>out)[0] = total / (planes.depth * planes.height * planes.length)
    elif planes.item == 8:
        (<double *>out)[0] = total
    else:
        memcpy(out, &total, 4)


cdef fused real:
    float
    double


cdef inline void add(real *to, const real *row, Py_ssize_t n, bint first) noexcept nogil:
    cdef Py_ssize_t w
    if first:
        memcpy(to, row, n * sizeof(real))
    else:
        for w in range(n):
            to[w] += row[w]


cdef inline void divide(real *line, Py_ssize_t n, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t w
    if count > 1:
        for w in range(n):
            line[w] /= <real>count


cdef inline Py_ssize_t part_end(Py_ssize_t part, Py_ssize_t parts, Py_ssize_t size) noexcept nogil:
    """Part i of m along an axis of n: floor(i n / m) ... ceil((i + 1) n / m) - 1."""
    return ((part + 1) * size + parts - 1) // parts


cdef inline void part_means(const Planes *planes, Py_ssize_t plane, const Py_ssize_t *parts, real *out,
                            char *lines, Py_ssize_t line_bytes) noexcept nogil:
    """Means of the parts of a plane, one axis after the other; lines: three of them."""
    cdef real *inner = <real *>(lines + line_bytes)
    cdef real *sums = <real *>(lines + 2 * line_bytes)
    cdef Py_ssize_t i, j, k, d, h, w, n = planes.length
    cdef Py_ssize_t first[3]
    cdef Py_ssize_t end[3]
    cdef const char *row
    cdef real total
    for i in range(parts[0]):
        first[0], end[0] = i * planes.depth // parts[0], part_end(i, parts[0], planes.depth)
        for j in range(parts[1]):
            first[1], end[1] = j * planes.height // parts[1], part_end(j, parts[1], planes.height)
            for h in range(first[1], end[1]):
                for d in range(first[0], end[0]):
                    row = plane_at(planes, plane) + d * planes.stride[2] + h * planes.stride[3]
                    add(inner, <const real *>elements_of(planes, row, 0, n, lines), n, d == first[0])
                divide(inner, n, end[0] - first[0])
                add(sums, inner, n, h == first[1])
            divide(sums, n, end[1] - first[1])
            for k in range(parts[2]):
                first[2], end[2] = k * n // parts[2], part_end(k, parts[2], n)
                total = sums[first[2]]
                for w in range(first[2] + 1, end[2]):
                    total += sums[w]
                out[0] = total / <real>(end[2] - first[2])
                out += 1
