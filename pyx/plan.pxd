# cython: language_level=3, cdivision=True
"""A convolution resolved (Plan) and a call of it (Call): what every task reads."""

from libc.stdint cimport int32_t

from kernels cimport (
    dot_kernels, element_kernels, finish_function, fourier_kernels, load_channels_function, load_row_function,
    plane_kernels, store_row_function, tap, winograd_kernels)
from panel cimport PanelAxis


cdef enum:
    MOST_TAPS = 8    # of an axis: a bit each in Plan.outside


cdef struct Call:
    const char *x               # input, byte strides of N, C, D, H, W
    Py_ssize_t x_stride[5]
    char *y                     # output, the same
    Py_ssize_t y_stride[5]
    const char *weights         # packed
    const char *bias            # packed
    const char *terms           # weights as they came: (K, C, taps), contiguous
    const char *no_bias         # zeros, one packed width
    const double *fill_sums     # (K, taps): what the fill adds to an output for each tap that reads it
    const char *fill
    Py_ssize_t fill_stride      # bytes from one channel's fill to the next, or 0
    const void *limits          # of the activation, or NULL: sums are stored as they are
    const char *residual        # of the output's type and shape, or NULL; only with limits
    Py_ssize_t residual_stride[5]


cdef struct Plan:
    const element_kernels *kernels
    load_row_function *load_row
    store_row_function *store_row
    finish_function *finish
    int itemsize                # of an element
    int batch, groups
    int channels, filters       # of one group; channels counts elements
    int interleaved             # input channels in an element: 0 for plain elements, else, dot_kernels and:
    int in_channels             # of one group
    const dot_kernels *dot
    load_channels_function *load_channels   # instead of load_row
    int taps
    tap *tap                    # all of them
    bint skips                  # taps that read padding alone are left out
    PanelAxis axis[3]
    int images                  # of a block; more than one only with tiles
    const winograd_kernels *winograd   # or NULL: direct
    int tile                    # outputs of a tile along W: 1, or Winograd's m
    int positions               # of a tile's transform
    bint corrected              # panels hold 0 for the fill; what the fill adds is added to the outputs
    unsigned char *outside[3]   # of each output along an axis: bit t, tap t reads the fill
    int inside[2]               # outputs along W from, to which no tap reads the fill
    Py_ssize_t plane            # slots of a panel in axes 1 and 2
    Py_ssize_t channel_stride   # slots from one channel of a panel to the next
    bint channel_lanes          # which register tile
    bint flat                   # the rows of a block are computed as one
    int group_tasks             # tasks that divide the groups of one block
    int n_blocks                # blocks of output channels in a group
    int32_t *first              # first channel of each block
    int32_t *width              # its channels: the packed width
    Py_ssize_t group_weights    # elements
    int group_bias
    int shares                  # tasks that divide the output channels of one panel
    int threads
    bint direct                 # results are stored as they leave the registers
    # Winograd, elements: from one vector of transformed channels to the next; from one position to the next
    Py_ssize_t lane_group, transformed_stride, weight_stride, product_stride
    # Planes, or NULL
    const plane_kernels *planes
    int x_item                  # bytes of an element of the input, and of a gathered strip
    bint tall                   # kernels of many rows
    bint stream                 # the output outgrows the caches
    int phases                  # of output rows: those a multiple of the dilation apart
    int row_stride, row_step    # input rows listed for an output row; virtual rows between them
    int run_from, run_to, run_source    # virtual columns that follow the input; where it is at the first
    bint fill_outside           # all other columns are the fill
    int panel_pitch             # elements from row to row of a gathered strip
    # Large filters by Fourier transforms, or NULL: tiles along H and W, outputs of one
    const fourier_kernels *fourier
    int tiles[2]
    int tile_size[2]
    Py_ssize_t tile_at, strip_at, line_at, line_runs_at
    # Filters of rank 1, or NULL: the pass along the rows; the rows of the band between: elements from one to
    # the next, elements before the input's columns, which column each element stands for
    const Plan *second
    int band_pitch, band_before
    const int32_t *band_source
    Py_ssize_t second_at, band_at
    # byte offsets in a thread's workspace; its size
    Py_ssize_t scratch_at, source_at, runs_at, fill_at, transformed_at, products_at, workspace


cdef inline int even_start(int index, int parts, int total) noexcept nogil:
    """Where part `index` begins when `total` is cut into `parts` as evenly as possible."""
    return <int>(<long long>index * total // parts)
