# cython: language_level=3
"""The index map: padding as a function from virtual to real indices.

    e(i, n, mode) = i                                   0 <= i < n
                  = FILL                                 constant
                  = 0 or n - 1                           replicate
                  = i mod n                              circular
                  = r, or 2n - 2 - r,  r = i mod 2n - 2  reflect    (the edge is not repeated)
                  = r, or 2n - 1 - r,  r = i mod 2n      symmetric  (the edge is repeated)

This is the only place of the compiled code that knows boundary modes; everything else reads the
int32 tables made from it. Twins: spec/index_map.py, cuda/index_map.cuh; a test holds them equal.
"""

cdef enum Mode:
    CONSTANT
    REPLICATE
    REFLECT
    SYMMETRIC
    CIRCULAR

cdef enum:
    FILL = -1


cdef inline int mode_of(str name) except -1:
    """The Mode of that canonical name."""
    return ("constant", "replicate", "reflect", "symmetric", "circular").index(name)


cdef inline Py_ssize_t floor_mod(Py_ssize_t i, Py_ssize_t period) noexcept nogil:
    """i mod period in 0 ... period - 1, whatever the sign rule of C's remainder."""
    cdef Py_ssize_t r = i % period
    return r + period if r < 0 else r


cdef inline Py_ssize_t source_index(Py_ssize_t i, Py_ssize_t n, Mode mode) noexcept nogil:
    cdef Py_ssize_t r
    if 0 <= i < n:
        return i
    if mode == CONSTANT or n <= 0:
        return FILL
    if mode == REPLICATE:
        return 0 if i < 0 else n - 1
    if mode == CIRCULAR:
        return floor_mod(i, n)
    if mode == SYMMETRIC:
        r = floor_mod(i, 2 * n)
        return r if r < n else 2 * n - 1 - r
    if n == 1:  # reflect: the period 2n - 2 would be 0
        return 0
    r = floor_mod(i, 2 * n - 2)
    return r if r < n else 2 * n - 2 - r
