# cython: language_level=3, cdivision=True
"""A convolution resolved (Plan) and a call of it (Call): what every task reads."""

from libc.stdint cimport int32_t

from kernels cimport (dot_kernels, element_kernels, load_channels_function, load_row_function, store_row_function,
                      tap, winograd_kernels)
from panel cimport PanelAxis


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


cdef struct Plan:
    const element_kernels *kernels
    load_row_function *load_row
    store_row_function *store_row
    int itemsize                # of an element
    int batch, groups
    int channels, filters       # of one group; channels counts elements
    int interleaved             # input channels in an element: 0 for plain elements, else 4, and then:
    int in_channels             # of one group
    const dot_kernels *dot
    load_channels_function *load_channels   # instead of load_row
    int taps
    tap *tap                    # all of them
    bint skips                  # taps that read padding alone are left out
    PanelAxis axis[3]
    int images                  # of a block; more than one only with tiles
    const winograd_kernels *winograd   # or NULL: direct
    int tile                    # outputs of a tile along H and W: 1, or Winograd's m
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
    # byte offsets in a thread's workspace; its size
    Py_ssize_t scratch_at, source_at, runs_at, transformed_at, products_at, workspace


cdef inline int even_start(int index, int parts, int total) noexcept nogil:
    """Where part `index` begins when `total` is cut into `parts` as evenly as possible."""
    return <int>(<long long>index * total // parts)
