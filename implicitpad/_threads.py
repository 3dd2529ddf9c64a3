"""How many threads a call may use."""

from __future__ import annotations

import os

from . import _conv_cpu


def _default() -> int:
    """OMP_NUM_THREADS, else the processors this process may run on."""
    if not _conv_cpu.has_openmp:
        return 1
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if first.isdigit() and int(first) > 0:
        return int(first)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_threads = _default()


def get_num_threads() -> int:
    """Return the number of threads that a call may use.

    Examples
    --------
    >>> import implicitpad as ip
    >>> ip.get_num_threads() >= 1
    True
    """
    return _threads


def set_num_threads(n: int) -> None:
    """Let each call use up to `n` threads.

    Results do not depend on it: every output is summed in the same order, by one thread. Calls too small
    to gain from a second thread use one. The default is OMP_NUM_THREADS, else the number of processors.

    Parameters
    ----------
    n : int
        At least 1. A build without OpenMP always uses one.

    Raises
    ------
    TypeError
        `n` is no int.
    ValueError
        `n` < 1.

    Examples
    --------
    >>> import implicitpad as ip
    >>> before = ip.get_num_threads()
    >>> ip.set_num_threads(1)
    >>> ip.get_num_threads()
    1
    >>> ip.set_num_threads(before)
    """
    global _threads
    if isinstance(n, bool) or not isinstance(n, int):
        raise TypeError(f"set_num_threads: n must be an int, got {n!r}; pass a whole number.")
    if n < 1:
        raise ValueError(f"set_num_threads: n must be at least 1, got {n}; pass 1 for serial calls.")
    _threads = n if _conv_cpu.has_openmp else 1
