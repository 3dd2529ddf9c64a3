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


cdef inline real mean_of(const real *line, Py_ssize_t first, Py_ssize_t last, Py_ssize_t count) noexcept nogil:
    cdef real total = 0
    cdef Py_ssize_t w
    for w in range(first, last):
        total += line[w]
    return total / <real>(count * (last - first))


cdef inline Py_ssize_t part_end(Py_ssize_t part, Py_ssize_t parts, Py_ssize_t size) noexcept nogil:
    """Part i of m along an axis of n: floor(i n / m) ... ceil((i + 1) n / m) - 1."""
    return ((part + 1) * size + parts - 1) // parts


cdef inline void part_means(const Planes *planes, Py_ssize_t plane, const Py_ssize_t *parts, char *out,
                            char *lines, Py_ssize_t line_bytes) noexcept nogil:
    """Means of the parts of a plane, in elements of float; lines: three of them."""
    cdef const void *rows[2]
    cdef char *spare
    cdef char *sums = lines + line_bytes
    cdef Py_ssize_t i, j, k, d, h, first_d, first_h, count, from_, to
    cdef const char *row
    for i in range(parts[0]):
        first_d = i * planes.depth // parts[0]
        for j in range(parts[1]):
            first_h = j * planes.height // parts[1]
            count = 0
            for d in range(first_d, part_end(i, parts[0], planes.depth)):
                for h in range(first_h, part_end(j, parts[1], planes.height)):
                    row = plane_at(planes, plane) + d * planes.stride[2] + h * planes.stride[3]
                    rows[1] = elements_of(planes, row, 0, planes.length, lines)
                    spare = lines + 2 * line_bytes if sums == lines + line_bytes else lines + line_bytes
                    if count == 0:
                        memcpy(spare, rows[1], planes.length * planes.item)
                    else:
                        rows[0] = sums
                        planes.kernels.columns[POOL_SUM](spare, rows, NULL, 2, True, <int>planes.length)
                    sums = spare
                    count += 1
            for k in range(parts[2]):
                from_, to = k * planes.length // parts[2], part_end(k, parts[2], planes.length)
                if planes.item == 4:
                    (<float *>out)[0] = mean_of(<const float *>sums, from_, to, count)
                else:
                    (<double *>out)[0] = mean_of(<const double *>sums, from_, to, count)
                out += planes.item
