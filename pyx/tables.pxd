# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The index map of one axis as the table that kernels read, and what is known from it beforehand."""

from libc.stdint cimport int32_t

from index_map cimport Mode, mode_of, source_index
from panel cimport PanelAxis, ceil_div
from plan cimport Plan


cdef inline fill_table(PanelAxis *axis, given, const int32_t[:] table):
    """Which element of the input each virtual position of `axis` reads, or -1: `table`, or the map of `given`."""
    cdef Mode mode = <Mode>mode_of(given.mode)
    cdef Py_ssize_t before = given.before, size = given.size, position
    cdef Py_ssize_t kernel = given.kernel, stride = given.stride, dilation = given.dilation, limit = given.virtual
    cdef bint by_window = axis.kernel == axis.stride == kernel and axis.dilation == 1
    cdef int v
    for v in range(axis.virtual):
        position = v // kernel * stride + v % kernel * dilation if by_window else v
        # whole tiles may look one position too far; only outputs that are not stored depend on it
        axis.source[v] = -1
        if position < limit and table is not None:
            axis.source[v] = table[position]
        elif position < limit:
            axis.source[v] = <int32_t>source_index(position - before, size, mode)


cdef inline double seen_share(const Plan *plan, axes):
    """How many of all terms are computed when channel tiles leave out the taps that all their outputs find outside."""
    cdef int tile = plan.kernels.tile_pixels, columns = plan.axis[2].out, rows = 2 if 2 * columns <= tile else 1
    cdef Py_ssize_t position, last, size, out, step, i, found, reach
    cdef int t
    cdef double share = 1
    steps = (1, rows, ceil_div(columns, ceil_div(rows * columns, tile)))
    for axis, step in zip(axes, steps):
        if axis.mode != "constant":
            continue
        out, size, found = axis.out, axis.size, 0
        for t in range(axis.kernel):
            for i in range(0, out, step):
                last = min(i + step, out) - 1
                position, reach = t * axis.dilation - axis.before, axis.stride
                if position + last * reach >= 0 and position + i * reach < size:
                    found += last - i + 1
        share *= <double>found / (<double>out * axis.kernel)
    return share


cdef inline double note_outside(Plan *plan, unsigned char *outside) noexcept nogil:
    """For each output along each axis, which taps read the fill; their share of all terms."""
    cdef int a, i, t, found
    cdef double inside = 1
    for a in range(3):
        plan.outside[a] = outside
        found = 0
        for i in range(plan.axis[a].out):
            outside[i] = 0
            for t in range(plan.axis[a].kernel):
                if plan.axis[a].source[i * plan.axis[a].stride + t * plan.axis[a].dilation] < 0:
                    outside[i] |= 1 << t
                    found += 1
        inside *= 1 - <double>found / (<double>plan.axis[a].out * plan.axis[a].kernel)
        outside += plan.axis[a].out
    plan.inside[0] = 0
    while plan.inside[0] < plan.axis[2].out and plan.outside[2][plan.inside[0]]:
        plan.inside[0] += 1
    plan.inside[1] = plan.inside[0]
    while plan.inside[1] < plan.axis[2].out and not plan.outside[2][plan.inside[1]]:
        plan.inside[1] += 1
    return 1 - inside
