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


cdef inline double seen_share(axes):
    """How many of all terms multiply elements of the input, by the axes' own maps; at most 1."""
    cdef Py_ssize_t low, stride, first, last, out, found
    cdef int t
    cdef double share = 1
    for axis in axes:
        if axis.mode == "constant":
            stride, out, found = axis.stride, axis.out, 0
            for t in range(axis.kernel):
                low = axis.before - t * axis.dilation
                first, last = ceil_div(low, stride), ceil_div(low + axis.size, stride)
                found += max(0, min(out, last) - max(0, first))
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
