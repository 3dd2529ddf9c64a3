# cython: language_level=3
"""kernels.h for Cython: see there for what each function promises."""

from libc.stdint cimport int32_t

cdef extern from "kernels.h" nogil:
    enum:
        PARTIAL_TERMS
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
    ctypedef void finish_function(void *values, Py_ssize_t pitch, int rows, Py_ssize_t n, const char *residual,
                                  Py_ssize_t residual_pitch, Py_ssize_t step, const void *limits) noexcept
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

    enum:
        WINOGRAD_DILATION

    ctypedef struct winograd_kernels:
        int tile, rows
        void (*input)(const void *panel, Py_ssize_t channel_stride, int channels, int row, int tile_rows,
                      int row_step, int tile_columns, int step, void *lines, void *transformed,
                      Py_ssize_t stride) noexcept nogil
        void (*weights)(const void *packed, void *transformed, Py_ssize_t stride, Py_ssize_t channels,
                        int width) noexcept nogil
        int (*output)(const void *products, Py_ssize_t stride, int tiles, const void *bias, void *out,
                      Py_ssize_t out_channel, Py_ssize_t out_row, int channels, int rows, int pixels,
                      int step) noexcept nogil

    ctypedef struct phase_kernels:
        void (*input)(const void *panel, Py_ssize_t channel_stride, int channels, int row, int tile_rows,
                      int tile_columns, void *lines, void *transformed, Py_ssize_t stride) noexcept nogil
        void (*weights)(const void *taps, const int *tap, const int *product, void *transformed, Py_ssize_t stride,
                        int width) noexcept nogil
        int (*output)(const void *products, Py_ssize_t stride, const int *product, int tiles, const void *bias,
                      void *out, Py_ssize_t out_channel, Py_ssize_t out_row, int channels, int first, int last,
                      int odd, int skip, int pixels) noexcept nogil

    ctypedef void interleave_function(void *row, const void *values, Py_ssize_t pitch, int n, int pixels) noexcept
    ctypedef void weight_tile_function(const void *dy, const void *panel, const int32_t *row_slot, int rows, int pixels,
                                       const int32_t *offset, void *sums, int add) noexcept
    ctypedef void store_sums_function(const void *sums, int terms, int rows, void *gradient, Py_ssize_t row_stride,
                                      int add) noexcept

    ctypedef struct gradient_winograd_kernels:
        void (*gradients)(const void *dy, Py_ssize_t row_stride, int rows, int pixels, void *transformed,
                          Py_ssize_t stride, int tiles) noexcept nogil
        int (*sums)(const void *sums, Py_ssize_t stride, int channels, int rows, void *gradient,
                    Py_ssize_t row_stride, int add) noexcept nogil

    ctypedef struct gradient_kernels:
        weight_tile_function *weight_tile[15]
        int terms
        void (*products)(const void *dy, const void *x, int tiles, void *sums, int add) noexcept nogil
        void (*pack)(void *packed, const void *dy, Py_ssize_t row_stride, int rows, int pixels) noexcept nogil
        store_sums_function *unpack_sums
        store_sums_function *copy_sums
        void (*lane_sums)(const void *dy, Py_ssize_t dy_row, const void *panel, const int32_t *row_slot, int rows,
                          int pixels, const int32_t *offset, int taps, double *sums) noexcept nogil
        const gradient_winograd_kernels *winograd[2]

    enum:
        PLANE_ROLLING
        PLANE_TALL_ROWS
    const Py_ssize_t NO_ROW

    ctypedef struct plane_strip:
        const char *x
        const Py_ssize_t *rows
        const void *fill_row
        const void *weights
        const void *bias
        char *y
        Py_ssize_t y_row, y_plane, x_plane, fill_plane, weights_plane
        int depth, height, width, dilation
        int n, count
        int from_ "from"
        int to
        int stream
        unsigned int flip
    ctypedef void plane_function(const plane_strip *strip) noexcept
    ctypedef struct plane_products:
        const char *x
        const Py_ssize_t *rows
        const void *fill_row
        const char *dy
        void *sums
        Py_ssize_t x_ahead, dy_ahead, dy_row, x_image, dy_image
        int rows_step, width, dilation
        int images, n, count
        int from_ "from"
        int to
    ctypedef void plane_products_function(const plane_products *products) noexcept
    ctypedef struct plane_kernels:
        int masks
        int vectors[8]
        plane_function *rolling[8][3][3][2]
        plane_function *tall[2][2]
        plane_products_function *products[8][3][2]
        void (*add_lanes)(void *sums, int taps, double *total) noexcept nogil
        void (*fence)() noexcept nogil

    enum:
        PLANE_BYTES
    ctypedef struct byte_planes:
        int (*usable)() noexcept
        plane_kernels strips
        load_row_function *load_row

    enum:
        FOURIER_SIZE
    ctypedef struct fourier_kernels:
        int tile
        void (*columns)(void *tile, const void *twiddles, int columns, int is_inverse) noexcept nogil
        void (*multiply)(void *tile, const void *twiddles, const void *spectrum, void *strip) noexcept nogil
        void (*spectrum)(void *tile, const void *twiddles, void *spectrum) noexcept nogil
        void (*put)(void *tile, int row, int part, const void *values) noexcept nogil
        int (*get)(const void *tile, int row, int part, const void *bias, void *values, int n) noexcept nogil

    ctypedef struct element_kernels:
        int lanes
        int tile_pixels
        int pixel_vectors[4]
        channel_tile_function *channel_tile[3][15]
        pixel_tile_function *pixel_tile[4][9]
        product_tile_function *product_tile[15]
        pack_weights_function *pack_weights
        const winograd_kernels *winograd[2][2]
        const phase_kernels *phases
        const gradient_kernels *gradient
        const plane_kernels *planes
        const fourier_kernels *fourier
        interleave_function *interleave_rows

    ctypedef struct dot_kernels:
        int (*usable)() noexcept
        int channels, offset, weights
        const element_kernels *element
        load_channels_function *load
        load_channels_function *load_weights
        const byte_planes *planes

    ctypedef struct kernel_set:
        const char *name
        int (*usable)() noexcept
        const element_kernels *element[4]
        load_row_function *load_row[12]
        store_row_function *store_row[7]
        finish_function *finish[7]
        const dot_kernels *dot[12]

    const kernel_set *implicitpad_avx512
    const kernel_set *implicitpad_avx2
    const kernel_set *implicitpad_baseline
