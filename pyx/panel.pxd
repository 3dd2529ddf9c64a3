# cython: language_level=3, cdivision=True
"""Panels: the input of one output block, gathered into cache with the padding written in.

A panel is dense, panel[c][slot_d][slot_h][slot_w], and each axis lays its slots out so that the taps
of neighbouring outputs are neighbours, whatever stride and dilation are:

    dense    the virtual positions of the block, split by phase (position mod stride)
    by tap   one stretch of the block's outputs for each tap; smaller when taps are far apart

In both, output i of the block and tap k sit at slot i + tap_slot(k): the micro-kernels see a
convolution with stride 1.

Winograd's tiles along an axis of dilation d are those of d interleaved axes without it: tile t makes the outputs
start, start + d, ... of start = tile_start(t), so that d tiles follow one another without a gap. Blocks count
tiles then, and their panels hold the positions start + i d of a tile `step` slots apart: d for the positions
as they are, or, where a block is a part of d tiles, side by side for each i.
"""

from libc.stdint cimport int32_t

from kernels cimport panel_run


cdef struct PanelAxis:
    int out           # outputs in all
    int kernel, stride, dilation
    int tile          # outputs of Winograd's tiles, or 0
    int tiles
    int step          # slots between positions of a tile
    int block         # outputs, or tiles, of a block; the last may have fewer
    int blocks
    int slots         # panel slots of a full block
    int phase         # slots of one phase, or 0: laid out by tap
    int32_t *source   # virtual position -> input position, or -1 for the fill
    int virtual       # length of source


cdef inline Py_ssize_t ceil_div(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    return (a + b - 1) // b


cdef inline int tile_start(const PanelAxis *axis, int t) noexcept nogil:
    return t // axis.dilation * axis.tile * axis.dilation + t % axis.dilation


cdef inline int tile_slot(const PanelAxis *axis, int t) noexcept nogil:
    """The slot of the first position of tile t of a block."""
    return t // axis.step * axis.tile * axis.step + t % axis.step


cdef inline void count_tiles(PanelAxis *axis, int tile) noexcept nogil:
    cdef int whole = tile * axis.dilation, rest = axis.out % whole
    axis.tile = tile
    axis.tiles = axis.out // whole * axis.dilation + min(rest, axis.dilation)


cdef inline int counted(const PanelAxis *axis) noexcept nogil:
    """What blocks count: outputs or tiles."""
    return axis.tiles if axis.tile else axis.out


cdef inline void lay_out(PanelAxis *axis, int block) noexcept nogil:
    """Choose the smaller of the two layouts for blocks of `block` outputs or tiles."""
    cdef int span = (block - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1
    cdef int phase = <int>ceil_div(span, axis.stride)
    axis.block = block
    axis.blocks = <int>ceil_div(counted(axis), block)
    if axis.tile:
        axis.step = axis.dilation if axis.blocks == 1 or block % axis.dilation == 0 else block
        axis.slots = tile_slot(axis, block - 1) + (axis.tile + axis.kernel - 2) * axis.step + 1
        return
    if <long long>axis.kernel * block <= <long long>phase * axis.stride:
        axis.phase = 0
        axis.slots = axis.kernel * block
    else:
        axis.phase = phase
        axis.slots = phase * axis.stride


cdef inline int tap_slot(const PanelAxis *axis, int k) noexcept nogil:
    cdef int position = k * axis.dilation
    if axis.tile:
        return k * axis.step
    if axis.phase == 0:
        return k * axis.block
    return position % axis.stride * axis.phase + position // axis.stride


cdef inline void slot_sources(const PanelAxis *axis, int first, int32_t *source) noexcept nogil:
    """The input position of every slot of the block whose first output or tile is `first`; -1: fill or unused."""
    cdef int slot, i, k, phase, _
    cdef int start = first * axis.stride, virtual
    if axis.tile:
        for slot in range(axis.slots):
            virtual = (tile_start(axis, first) + slot if axis.step == axis.dilation else
                       tile_start(axis, first + slot % axis.block) + slot // axis.block * axis.dilation)
            source[slot] = axis.source[virtual] if virtual < axis.virtual else -1
        return
    if axis.phase == 0:
        slot = 0
        for k in range(axis.kernel):
            for i in range(axis.block):
                virtual = start + i * axis.stride + k * axis.dilation
                source[slot] = axis.source[virtual] if first + i < axis.out else -1
                slot += 1
        return
    slot = 0
    for phase in range(axis.stride):
        virtual = start + phase
        for _ in range(axis.phase):
            source[slot] = axis.source[virtual] if virtual < axis.virtual else -1
            virtual += axis.stride
            slot += 1


cdef inline int runs_of(const int32_t *source, int slots, panel_run *runs) noexcept nogil:
    """Cut the slots into runs of constant step; return how many."""
    cdef int n = 0, slot = 0, end
    while slot < slots:
        runs[n].slot = slot
        runs[n].source = source[slot]
        runs[n].step = 1
        end = slot + 1
        if source[slot] < 0:
            while end < slots and source[end] < 0:
                end += 1
        elif end < slots and source[end] >= 0:
            runs[n].step = source[end] - source[slot]
            while end < slots and source[end] >= 0 and source[end] - source[end - 1] == runs[n].step:
                end += 1
        runs[n].length = end - slot
        slot = end
        n += 1
    return n
