"""PaddedArray: a core, the width of the padding around it, and what the padding holds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .._arguments import padding_widths
from .._backend import as_array, backend_of
from .borders import Borders
from .fills import as_fill, tiled
from .indexing import indexed
from .numpy_methods import NumPyMethods
from .spans import Span, Spans, canonical, shell_count, within


class PaddedArray(Borders, NumPyMethods):
    """An array inside a constant border, of which only width and value are kept.

    It stands for the explicit array of shape `shape`; convolutions, pooling, NumPy's elementwise
    functions, normalisation and reductions over space give what they would give on that array.
    Memory and time follow the core, whatever the padding.

    Parameters
    ----------
    core : array, shape (N, C, *spatial) or (C, *spatial)
        NumPy or CuPy. Kept, not copied.
    pad : int, ints or (before, after) pairs
        Width of the border, at least 0: one int for all sides, or one int or pair per spatial axis.
        The number of items tells how many axes of `core` are spatial, and so whether it has a batch
        axis; an int means that it has.
    fill : number or array
        What the border holds, of a kind that `core.dtype` can represent: a number, shape (C,) or
        (N, C), or the rank of the core, (1 or N, C, P1, …), with a pattern that repeats with period
        P1, … and starts at virtual position 0. Read only where there is a border.

    Attributes
    ----------
    core, pad, fill : array, pairs, array
        As given; `fill` has the rank of the core.
    shape, ndim, dtype, size : of the virtual array
    nbytes_core, nbytes_virtual : int
        Bytes held for the core, and bytes that the explicit array would take.
    n_pad : int
        Border positions in each channel.

    Raises
    ------
    TypeError
        A kind of array or value that is not accepted.
    ValueError
        Shapes disagree, a width is negative, or `fill` does not fit the dtype.

    Notes
    -----
    An operation for which the border does not stay of this kind raises an error that says why; only
    `materialize` and `numpy.asarray` build the explicit array.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> x = ip.PaddedArray(np.ones((1, 1, 2, 2)), pad=1000, fill=0.5)
    >>> y = ip.conv2d(x, np.ones((1, 1, 3, 3)))
    >>> y
    PaddedArray(shape=(1, 1, 2000, 2000), core=(4, 4) at (998, 998), fill=[4.5], dtype=float64)
    >>> np.maximum(y - 5, 0).max()
    np.float64(1.5)
    >>> y.nbytes_core, y.nbytes_virtual
    (128, 32000000)
    """

    __slots__ = ("_core", "_fill", "_is_view", "_spans")
    _core: Any
    _fill: Any
    _spans: Spans
    _is_view: bool  # shares its core with another array, whose fill would not follow a change

    def __init__(self, core: Any, pad: Any = 0, fill: Any = 0) -> None:
        name = "PaddedArray"
        backend_of(name, core=core, fill_value=fill)
        core = as_array(name, "core", core)
        try:
            rank = len(pad)
        except TypeError:
            rank = core.ndim - 2
        lead = core.ndim - rank
        if rank < 1 or lead not in (1, 2):
            raise ValueError(
                f"{name}: core must have shape (N, C, *spatial) or (C, *spatial) with one item of "
                f"pad per spatial axis, got core.shape={core.shape} and pad={pad!r}; pass "
                "one (before, after) pair per spatial axis."
            )
        widths = padding_widths(name, pad, rank)
        if any(width < 0 for pair in widths for width in pair):
            raise ValueError(
                f"{name}: pad must be at least 0, got {pad!r}; crop with x[...] instead."
            )
        spans = [Span(b, n, a) for (b, a), n in zip(widths, core.shape[lead:], strict=True)]
        self._set(core, spans, as_fill(name, fill, core, rank))
        self._is_view = False

    @classmethod
    def _make(
        cls, core: Any, spans: Iterable[Span], fill: Any, is_view: bool = False
    ) -> PaddedArray:
        """From parts that fit; where the core is empty only its leading shape is read."""
        x = cls.__new__(cls)
        x._set(core, spans, fill)
        x._is_view = is_view
        return x

    def _set(self, core: Any, spans: Iterable[Span], fill: Any) -> None:
        self._spans = canonical(spans)
        rank = len(self._spans)
        if self._spans[0].size == 0 and any(core.shape[-rank:]):
            core = np.empty_like(core, shape=core.shape[:-rank] + (0,) * rank)
        self._core, self._fill = core, fill

    @classmethod
    def _empty(cls, like: Any, spans: Iterable[Span]) -> PaddedArray:
        """All shell: `like` is the fill, with the whole leading shape."""
        spans = [Span(span.total, 0, 0) for span in spans]
        shape = like.shape[: like.ndim - len(spans)] + (0,) * len(spans)
        return cls._make(np.empty_like(like, shape=shape), spans, like)

    @property
    def core(self) -> Any:
        return self._core

    @property
    def fill(self) -> Any:
        return self._fill

    @property
    def pad(self) -> tuple[tuple[int, int], ...]:
        return tuple([(span.before, span.after) for span in self._spans])

    @property
    def rank(self) -> int:
        """Number of spatial axes; they are the last ones."""
        return len(self._spans)

    @property
    def lead(self) -> tuple[int, ...]:
        """(N, C), or (C,) without a batch."""
        return tuple(self._core.shape[: -self.rank])

    @property
    def spans(self) -> Spans:
        return self._spans

    @property
    def period(self) -> tuple[int, ...]:
        """Period of the fill on each spatial axis; 1 for a constant."""
        return tuple(self._fill.shape[-self.rank :])

    @property
    def shape(self) -> tuple[int, ...]:
        return self.lead + tuple([span.total for span in self._spans])

    @property
    def ndim(self) -> int:
        return int(self._core.ndim)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self._core.dtype)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def n_pad(self) -> int:
        return shell_count(self._spans)

    @property
    def nbytes_core(self) -> int:
        return int(self._core.nbytes)

    @property
    def nbytes_virtual(self) -> int:
        return self.size * self.dtype.itemsize

    def __repr__(self) -> str:
        if self._fill.size <= 4:
            fill = str(self._fill.ravel().tolist())
        else:
            fill = f"{'×'.join(map(str, self._fill.shape))} values"
        core = tuple(span.size for span in self._spans)
        start = tuple(span.before for span in self._spans)
        where = f"core={core} at {start}, fill={fill}"
        return f"PaddedArray(shape={self.shape}, {where}, dtype={self.dtype})"

    def __bool__(self) -> bool:
        raise ValueError(
            "PaddedArray: the truth value of an array is ambiguous; use .all() or .any() of numpy."
        )

    # Building explicit arrays

    def materialize(self, out: Any = None) -> Any:
        """The explicit array, all of it in memory; into `out` if given."""
        return self._read([(0, span.total) for span in self._spans], out)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if copy is False:
            raise ValueError("PaddedArray: the explicit array is always a copy; drop copy=False.")
        if not isinstance(self._core, np.ndarray):
            raise TypeError(
                "PaddedArray: the core is a CuPy array, which is not copied to NumPy by itself; "
                "call materialize(), then cupy.asnumpy."
            )
        array = self.materialize()
        return array if dtype is None else array.astype(dtype, copy=False)

    def _read(self, box: Sequence[tuple[int, int]], out: Any = None) -> Any:
        """The explicit array on positions start to stop - 1 of each axis, which may lie outside.

        Where this is the core, the core itself.
        """
        if out is None:
            if all((s.before, s.stop) == ends for s, ends in zip(self._spans, box, strict=True)):
                return self._core
            shape = self.lead + tuple([stop - start for start, stop in box])
            out = np.empty_like(self._core, shape=shape)
        out[...] = tiled(self._fill, box)
        target, source = [], []
        for span, (start, stop) in zip(self._spans, box, strict=True):
            first, last = max(start, span.before), min(stop, span.stop)
            if first >= last:
                return out
            target.append(slice(first - start, last - start))
            source.append(slice(first - span.before, last - span.before))
        out[within(target)] = self._core[within(source)]
        return out

    def __getitem__(self, key: Any) -> Any:
        """Slices and integers in space; slices, and an index array, on batch and channels."""
        return indexed(self, key)
