# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The index map of one axis as the table that kernels read."""

from libc.stdint cimport int32_t

from index_map cimport Mode, source_index
from panel cimport PanelAxis


cdef inline fill_table(PanelAxis *axis, given, Mode mode, const int32_t[:] table):
    """Which element of the input each virtual position of `axis` reads, or -1: `table`, or the map of `given`."""
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
