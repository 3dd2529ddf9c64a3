# cython: language_level=3
"""A transposed convolution resolved: its panel's plan (plan.pxd), and how phases share the panel."""

from kernels cimport phase_kernels
from plan cimport Plan


cdef struct Transposed:
    Plan *phase                  # [step[0]][step[1]][step[2]]: the panel's plan, with the taps of the phase
    Py_ssize_t *weights_at       # of each phase, in the packed weights
    int step[3]                  # phases of each axis: outputs from one panel position to the next
    int length[3]                # outputs
    int group_rows               # rows of the panel computed before they are stored
    Py_ssize_t scratch_channel   # elements of scratch from one channel to the next
    # Winograd, or NULL: then phases have one tap of axis 0, and one or two of the others
    const phase_kernels *winograd
    bint odd[3]                  # along an axis, do outputs of phase 1 come before those of phase 0?
    int tap[4][4]                # [phase of axes 1 and 2][row and column]: index of the tap as it lies, or -1
    int product[4][16]           # [phase][position]: its product among those of the two phases of a row, or -1
    int position[2][32]          # [phase of axis 1][product]
    int products[2]              # of the two phases of a row
