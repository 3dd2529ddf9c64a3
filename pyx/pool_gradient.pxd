# cython: language_level=3
"""pool_gradient.h for Cython: see there for what each function promises."""

from libc.stdint cimport int32_t, int64_t

cdef extern from "pool_gradient.h" nogil:
    enum:
        GRADIENT_RING

    ctypedef struct gradient_axis:
        int size, out
        const int32_t *readers
        const int32_t *start
        const double *exists
        const double *inputs
        int first, count, step

    ctypedef struct gradient_plane:
        int size[2]
        int out[2]
        int kernel[2]
        int stride[2]
        int before[2]

    ctypedef void spread_function(const gradient_axis *axes, double divisor, int count_pad, const void *dy,
                                  void *dx, void *work, int64_t *held) noexcept
    ctypedef void spread_pairs_function(Py_ssize_t rows, int n, int height, double divisor, const void *dy,
                                        void *dx) noexcept
    ctypedef void place_function(const gradient_plane *plane, const int64_t *index, const void *dy, void *dx,
                                 void *work) noexcept
    Py_ssize_t place_room(const gradient_plane *plane) noexcept

    ctypedef struct gradient_kernels:
        spread_function *spread
        spread_pairs_function *spread_pairs
        place_function *place

    ctypedef struct gradient_set:
        const char *name
        const gradient_kernels *f32
        const gradient_kernels *f64

    const gradient_set *implicitpad_gradient_avx512
    const gradient_set *implicitpad_gradient_avx2
    const gradient_set *implicitpad_gradient_baseline
