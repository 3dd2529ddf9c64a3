# cython: language_level=3
"""A weight gradient resolved (WeightPlan) and a call of it (Operands): what every task reads."""

from libc.stdint cimport int32_t

from kernels cimport element_kernels, gradient_winograd_kernels, load_row_function, winograd_kernels
from panel cimport PanelAxis


cdef struct WeightPlan:
    const element_kernels *kernels
    load_row_function *load_row
    int itemsize
    int batch, groups
    int channels, filters        # of one group
    int taps
    PanelAxis axis[3]
    int images                   # of a block
    int slices, n_blocks         # of a group: slices of channels, blocks of filters
    int shares                   # tasks that divide the blocks of filters of one slice
    Py_ssize_t plane             # slots of a panel in axes 1 and 2
    Py_ssize_t image_stride, channel_stride   # slots
    int32_t *offset              # [channels of a slice][taps]
    bint untouched               # no axis is windowed: a panel would be a copy of the block
    bint pixel_lanes             # few filters: lanes are pixels
    bint exchanged               # x and dy have changed places: dw is (channels, filters)
    int pitch                    # pixels of a block, in whole vectors
    bint plain                   # storage is the element type
    # Winograd
    int tile                     # outputs of a tile along H and W; 1: direct
    const winograd_kernels *inputs
    const gradient_winograd_kernels *winograd
    bint kept                    # sums are kept from block to block
    bint corrected               # panels hold 0 for the fill; what it adds to dw is added by the caller
    # elements: from one vector of channels to the next; from one position to the next; sums of one set of channels
    Py_ssize_t lane_group, input_stride, dy_stride, sum_stride, set_sums
    # byte offsets in a thread's workspace; its size
    Py_ssize_t dy_at, packed_at, sums_at, source_at, runs_at, rows_at, lines_at, inputs_at, gradients_at, workspace


cdef struct Operands:
    const int32_t *offset        # of terms from a block's first pixel, in the panel or in x itself
    bint in_place                # x needs no panel: nothing windowed, nothing padded
    const char *x                # byte strides of N, C, D, H, W
    Py_ssize_t x_stride[5]
    const char *dy
    Py_ssize_t dy_stride[5]
    const char *fill
    Py_ssize_t fill_stride
    char *dw                     # contiguous (K, C / groups, taps)
    int *suspect                 # set to 1 if dw may hold infinities or NaN; by Winograd alone
