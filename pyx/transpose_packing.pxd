# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Weights of a transposed convolution, from the order they lie in to the register tiles' of each phase."""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, memset

from kernels cimport CHANNEL_VECTORS
from plan cimport Plan


cdef inline void pack_block(const Plan *plan, const char *weights, const Py_ssize_t *strides, int rows, int width,
                            const Py_ssize_t *tap, char **packed, const Py_ssize_t *step, char *line) noexcept nogil:
    """packed[t][c step[t] + k] = weights[k][c][tap[t]] for one block of filters; rows from `rows` on are zero.

    A channel at a time, so that its taps, which lie together in memory, are read together. With `line`, they are
    contiguous, and vectors transpose them.
    """
    cdef int c, t, k, item = plan.itemsize
    cdef const char *source
    cdef char *target
    for c in range(plan.channels):
        source = weights + c * strides[1]
        if line != NULL and plan.kernels.gradient != NULL and width == CHANNEL_VECTORS * plan.kernels.lanes:
            plan.kernels.gradient.pack(line, source, strides[0] // item, rows, plan.taps)
        elif line != NULL:
            plan.kernels.pack_weights(line, source, strides[0] // item, rows, plan.taps, width)
        for t in range(plan.taps):
            target = packed[t] + c * step[t]
            if line != NULL:
                memcpy(target, line + tap[t] * width, width * item)
                continue
            for k in range(rows):
                if item == 4:
                    (<uint32_t *>target)[k] = (<const uint32_t *>(source + tap[t] + k * strides[0]))[0]
                else:
                    (<uint64_t *>target)[k] = (<const uint64_t *>(source + tap[t] + k * strides[0]))[0]
            memset(target + rows * item, 0, (width - rows) * item)
