# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Weights of a transposed convolution, from the order they lie in to the register tiles' of each phase."""

from libc.string cimport memcpy

from kernels cimport CHANNEL_VECTORS
from plan cimport Plan
from transpose_plan cimport Transposed


cdef inline void gather_taps(const Plan *plan, const char *weights, Py_ssize_t row_stride, int rows, int width,
                             char *line) noexcept nogil:
    """line[t][k] = weights[k][t] of one input channel; rows from `rows` on are zero."""
    if plan.kernels.gradient != NULL and width == CHANNEL_VECTORS * plan.kernels.lanes:
        plan.kernels.gradient.pack(line, weights, row_stride, rows, plan.taps)
    else:
        plan.kernels.pack_weights(line, weights, row_stride, rows, plan.taps, width)


cdef inline void pack_block(const Plan *plan, const char *weights, Py_ssize_t row_stride, Py_ssize_t channel_stride,
                            int rows, int width, const Py_ssize_t *tap, char **packed, const Py_ssize_t *step,
                            char *line) noexcept nogil:
    """packed[t][c step[t] + k] = weights[k][c][tap[t]] for one block of filters.

    A channel at a time, so that its taps, which lie together in memory, are read together.
    """
    cdef int c, t, item = plan.itemsize
    for c in range(plan.channels):
        gather_taps(plan, weights + c * channel_stride, row_stride, rows, width, line)
        for t in range(plan.taps):
            memcpy(packed[t] + c * step[t], line + tap[t] * width * item, width * item)


cdef inline void pack_products(const Plan *plan, const Transposed *t, const char *weights, Py_ssize_t row_stride,
                               Py_ssize_t channel_stride, int rows, char *line, char *packed) noexcept nogil:
    """Transform the weights of one block of filters for the phases' products."""
    cdef int c, p, width = plan.width[0]
    cdef char *target
    for c in range(plan.channels):
        gather_taps(plan, weights + c * channel_stride, row_stride, rows, width, line)
        target = packed + <Py_ssize_t>c * width * plan.itemsize
        for p in range(4):
            t.winograd.weights(line, t.tap[p], t.product[p],
                               target + (t.products[0] if p >= 2 else 0) * plan.weight_stride * plan.itemsize,
                               plan.weight_stride, width)
