# cython: language_level=3
"""kernels.h for Cython: see there for what each function promises."""

from libc.stdint cimport int32_t

cdef extern from "kernels.h" nogil:
    enum:
        MAX_TILE_PIXELS
        MAX_PIXEL_VECTORS
        CHANNEL_VECTORS
        PANEL_SLACK
        F32
        F64
        I32
        I64

    ctypedef struct panel_run:
        int32_t slot, length, source, step

    ctypedef void load_row_function(void *row, const char *source, Py_ssize_t stride, const panel_run *runs,
                                    int n_runs, const void *fill) noexcept
    ctypedef void load_channels_function(void *row, const char *source, Py_ssize_t channel_stride, int channels,
                                         Py_ssize_t stride, const panel_run *runs, int n_runs, const void *fill,
                                         Py_ssize_t fill_stride) noexcept
    ctypedef void store_row_function(char *target, Py_ssize_t stride, const void *values,
                                     Py_ssize_t length) noexcept
    ctypedef struct tap:
        int32_t slot, index

    ctypedef void channel_tile_function(const void *panel, Py_ssize_t channel_stride, Py_ssize_t row_stride,
                                        const tap *used, int n_used, int channels, int taps, const void *weights,
                                        const void *bias, void *out, Py_ssize_t out_channel, Py_ssize_t out_row,
                                        int out_channels) noexcept
    ctypedef void pixel_tile_function(const void *panel, Py_ssize_t channel_stride, const tap *used, int n_used,
                                      int channels, int taps, const void *weights, const void *bias, void *out,
                                      Py_ssize_t out_channel, int pixels) noexcept
    ctypedef void pack_weights_function(void *packed, const void *weights, Py_ssize_t row_stride, int rows,
                                        Py_ssize_t terms, int width) noexcept

    ctypedef void product_tile_function(const void *x, Py_ssize_t group_stride, int channels, int depth,
                                        const void *weights, void *out) noexcept

    ctypedef struct winograd_kernels:
        int tile
        void (*input)(const void *panel, Py_ssize_t channel_stride, int channels, int row, int tile_rows,
                      int tile_columns, void *lines, void *transformed, Py_ssize_t stride) noexcept nogil
        void (*weights)(const void *packed, void *transformed, Py_ssize_t stride, Py_ssize_t channels,
                        int width) noexcept nogil
        int (*output)(const void *products, Py_ssize_t stride, int tiles, const void *bias, void *out,
                      Py_ssize_t out_channel, Py_ssize_t out_row, int channels, int rows, int pixels) noexcept nogil

    ctypedef void interleave_function(void *row, const void *values, Py_ssize_t pitch, int n, int pixels) noexcept
    ctypedef void weight_tile_function(const void *dy, const void *panel, const int32_t *row_slot, int rows, int pixels,
                                       const int32_t *offset, double *sums) noexcept

    ctypedef struct gradient_kernels:
        weight_tile_function *weight_tile[15]
        void (*unpack_sums)(const double *sums, int terms, int rows, void *gradient,
                            Py_ssize_t row_stride) noexcept nogil

    ctypedef struct element_kernels:
        int lanes
        int tile_pixels
        int pixel_vectors[4]
        channel_tile_function *channel_tile[3][15]
        pixel_tile_function *pixel_tile[4][9]
        product_tile_function *product_tile[15]
        pack_weights_function *pack_weights
        const winograd_kernels *winograd[2]
        const gradient_kernels *gradient
        interleave_function *interleave_rows

    ctypedef struct dot_kernels:
        int (*usable)() noexcept
        const element_kernels *element
        load_channels_function *load_signed
        load_channels_function *load_unsigned

    ctypedef struct kernel_set:
        const char *name
        int (*usable)() noexcept
        const element_kernels *element[4]
        load_row_function *load_row[12]
        store_row_function *store_row[6]
        const dot_kernels *dot

    const kernel_set *implicitpad_avx512
    const kernel_set *implicitpad_avx2
    const kernel_set *implicitpad_baseline
