# cython: language_level=3
"""pool.h for Cython: see there for what each function promises."""

from libc.stdint cimport int32_t, int64_t

from kernels cimport load_row_function, store_row_function

cdef extern from "pool.h" nogil:
    enum:
        POOL_MAX
        POOL_SUM
        POOL_F32
        POOL_F64
        POOL_I32
        POOL_I64
        POOL_U64
        POOL_SLACK

    ctypedef void pool_columns_function(void *line, const void *const *rows, const Py_ssize_t *steps,
                                        int n_rows, int unit, int n) noexcept
    ctypedef void pool_windows_function(void *out, const void *line, int n, int stride,
                                        const int32_t *tap_offset, int taps, const void *count,
                                        double scale) noexcept
    ctypedef void pool_arg_function(void *out, void *index, const void *const *rows,
                                    const int64_t *row_index, int n_rows, const void *columns, int n,
                                    int stride, int dense, const int32_t *tap_offset, int taps,
                                    const void *first, int64_t first_row, const void *lowest) noexcept
    ctypedef void pool_fill_function(void *out, void *index, const char *padded, int n,
                                     const void *fill) noexcept

    ctypedef struct pool_band:
        const void *const *slices
        int n_slices
        const int32_t *source
        int kernel, stride, dilation, first, last
        Py_ssize_t x_row, y_row, index_row
        Py_ssize_t width
        int far
        int before, out
        const void *fill
        void *y
        double divisor, slice_count
        const double *row_count
        const void *count
        double uniform
        int64_t *index
        const int64_t *slice_index
        Py_ssize_t index_of_row
        const void *first_column
        const void **rows
        int64_t *row_index
    ctypedef void pool_strips_function(const pool_band *band, int stride, int taps) noexcept

    ctypedef struct pool_kernels:
        pool_columns_function *columns[2]
        pool_windows_function *windows[2]
        pool_strips_function *strips[2]
        pool_arg_function *arg
        pool_strips_function *strips_arg
        pool_fill_function *fill

    ctypedef struct pool_set:
        const char *name
        const pool_kernels *element[5]
        load_row_function *load_row[2][12]
        store_row_function *store_row[2][12]
        store_row_function *store_index[2]

    const pool_set *implicitpad_pool_avx512
    const pool_set *implicitpad_pool_avx2
    const pool_set *implicitpad_pool_baseline
