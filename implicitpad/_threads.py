"""How many threads a call may use."""

from __future__ import annotations

import os

from . import _conv_cpu

_all = _conv_cpu.openmp_threads()  # OMP_NUM_THREADS, else the processors this process may use
_limit = _all


def _serial_after_fork() -> None:
    # GNU OpenMP's threads do not survive a fork, and waiting for them would never end.
    global _limit, _all
    _limit = _all = 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_serial_after_fork)


def get_num_threads() -> int:
    """Return the number of threads that a call may use.

    Examples
    --------
    >>> import implicitpad as ip
    >>> ip.get_num_threads() >= 1
    True
    """
    pool = _conv_cpu.openmp_threads()
    return _limit if pool >= _all else min(_limit, pool)  # threadpoolctl has lowered the pool's own


def set_num_threads(n: int) -> None:
    """Let each call use up to `n` threads.

    Results do not depend on it: every output is summed in the same order, by one thread. Calls too
    small to gain from a second thread use one. The default is OMP_NUM_THREADS, else the number of
    processors; limits that threadpoolctl sets hold as well. A forked process uses one thread.

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
    global _limit
    if isinstance(n, bool) or not isinstance(n, int):
        raise TypeError(f"set_num_threads: n must be an int, got {n!r}; pass a whole number.")
    if n < 1:
        raise ValueError(
            f"set_num_threads: n must be at least 1, got {n}; pass 1 for serial calls."
        )
    _limit = n if _conv_cpu.has_openmp else 1
