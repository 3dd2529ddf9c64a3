"""How exact a call must be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

PRECISIONS = ("default", "fast")
_current: ContextVar[str] = ContextVar("implicitpad.precision", default="default")


def precision_of(function: str, precision: Any) -> str:
    """The precision of a call that was given `precision`; None is the context's."""
    if precision is None:
        return _current.get()
    if not isinstance(precision, str):
        raise TypeError(
            f"{function}: precision must be None or one of {', '.join(PRECISIONS)}, "
            f"got {precision!r}; leave it out."
        )
    if precision not in PRECISIONS:
        raise ValueError(
            f"{function}: precision must be one of {', '.join(PRECISIONS)}, got {precision!r}; "
            "leave it out."
        )
    return precision


@contextmanager
def precision(kind: str) -> Iterator[None]:
    """Within the block, calls and new layers that are given no precision have this one.

    Holds for the thread or task that entered it. A layer keeps the precision it was made with.

    Parameters
    ----------
    kind : {"default", "fast"}
        ``"default"``: results are those of explicit padding, bit for bit. ``"fast"``: they may
        differ within a stated bound where that saves time; see `conv2d`.

    Raises
    ------
    TypeError, ValueError
        `kind` is not one of them.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> weight = np.ones((1, 1, 3, 3))
    >>> with ip.precision("fast"):
    ...     layer = ip.Conv2d(weight)
    >>> "precision='fast'" in repr(layer)
    True
    """
    before = _current.set(precision_of("precision", kind))
    try:
        yield
    finally:
        _current.reset(before)
