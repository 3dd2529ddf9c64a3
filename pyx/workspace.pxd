# cython: language_level=3
"""Memory for the duration of a call (workspace.h): every `workspace_for` is followed by one `give_workspace`."""

cdef extern from "workspace.h" nogil:
    char *take_workspace(size_t size) noexcept
    void give_workspace(char *workspace) noexcept


cdef inline char *workspace_for(size_t size) except NULL:
    """So many bytes, at the start of a line of cache."""
    cdef char *workspace = take_workspace(size)
    if workspace == NULL:
        raise MemoryError(f"implicitpad: {size} bytes of workspace")
    return workspace
