"""PaddedArray: a core, the width of the padding around it, and what the padding holds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .._arguments import padding_widths
from .._backend import as_array, backend_of
from .fills import as_fill, bounds, merged, refuse, tiled
from .indexing import indexed, sliced
from .spans import Span, Spans, canonical, shell_count, within


class PaddedArray(np.lib.mixins.NDArrayOperatorsMixin):
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

    # Moving the border

    def extend(self, padding: Any) -> PaddedArray:
        """Continue the border by its own fill; negative widths crop. Nothing is copied.

        Parameters
        ----------
        padding : int, ints or (before, after) pairs
            As for `conv2d`.
        """
        widths = padding_widths("PaddedArray.extend", padding, self.rank)
        x = self
        for axis, (before, after) in enumerate(widths):
            if before < -self._spans[axis].total - min(after, 0):
                raise ValueError(
                    f"PaddedArray.extend: padding={padding!r} crops more than the "
                    f"{self._spans[axis].total} positions of spatial axis {axis}; crop less."
                )
            x = sliced(x, axis, -before, self._spans[axis].total + after, 1)
        return x

    def recore(self, box: Sequence[tuple[int, int]]) -> PaddedArray:
        """The same virtual array with its core on positions start to stop - 1, which hold it."""
        name = "PaddedArray.recore"
        for axis, (span, (start, stop)) in enumerate(zip(self._spans, box, strict=True)):
            if not 0 <= start <= stop <= span.total or (
                span.size and not (start <= span.before and span.stop <= stop)
            ):
                refuse(
                    name,
                    f"box must hold the core and lie in the virtual array, got {(start, stop)} on "
                    f"spatial axis {axis} with core {(span.before, span.stop)} of {span.total}",
                    "pass a larger box",
                )
        spans = [Span.of(*ends, span.total) for ends, span in zip(box, self._spans, strict=True)]
        return PaddedArray._make(self._read(box), spans, self._fill)

    def trim(self) -> PaddedArray:
        """Move what equals the fill at the rim of the core into the border.

        A face goes if every sample and channel equals the fill in every bit. Equal phases of a
        periodic fill are merged. The core is a view. Its result follows from values, so a gradient
        must not be taken through it.
        """
        box = [(span.before, span.stop) for span in self._spans]
        ends = bounds(self._core, tiled(self._fill, box), self.rank, 0)
        x = self
        for axis, (start, stop) in enumerate(ends):
            span = x._spans[axis]
            index = (..., slice(start, stop)) + (slice(None),) * (self.rank - axis - 1)
            moved = Span.of(span.before + start, span.before + stop, span.total)
            spans = (*x._spans[:axis], moved, *x._spans[axis + 1 :])
            x = PaddedArray._make(x._core[index], spans, x._fill)
        return PaddedArray._make(x._core, x._spans, merged(x._fill, self.rank), True)

    @classmethod
    def infer(
        cls, array: Any, fill: Any = None, tolerance: float = 0, *, batched: bool = True
    ) -> PaddedArray:
        """Find the constant border of an explicit array.

        Parameters
        ----------
        array : array, shape (N, C, *spatial), or (C, *spatial) with ``batched=False``
        fill : number or shape (C,), optional
            The background; the first corner of the first sample if left out.
        tolerance : number
            The border may differ by as much from the fill, and is replaced by it: no element
            changes by more. 0 means equal in every bit.
        batched : bool
            Whether `array` has a batch axis.

        Returns
        -------
        PaddedArray
            Its core is a view of `array`: the bounding box of what is not background.

        Examples
        --------
        >>> import numpy as np
        >>> import implicitpad as ip
        >>> slide = np.full((1, 1, 100, 100), 255, np.uint8)
        >>> slide[0, 0, 40:60, 30:50] = 7
        >>> ip.PaddedArray.infer(slide)
        PaddedArray(shape=(1, 1, 100, 100), core=(20, 20) at (40, 30), fill=[255], dtype=uint8)
        """
        name = "PaddedArray.infer"
        backend_of(name, array=array, fill_value=fill)
        array = as_array(name, "array", array)
        rank = array.ndim - 1 - bool(batched)
        if rank < 1 or 0 in array.shape:
            wanted = "(N, C, *spatial)" if batched else "(C, *spatial)"
            raise ValueError(
                f"{name}: array must have shape {wanted} "
                f"and no empty axis, got {array.shape}; add axes or pass batched={not batched}."
            )
        if fill is None:
            corner = array[within((slice(0, 1),) * rank)]
            value = corner[:1].copy() if batched else corner.copy()
        else:
            value = as_fill(name, fill, array, rank)
        ends = bounds(array, value, rank, tolerance)
        spans = [Span.of(*pair, size) for pair, size in zip(ends, array.shape[-rank:], strict=True)]
        core = array[within([slice(*pair) for pair in ends])]
        return cls._make(core, spans, value)

    def __getitem__(self, key: Any) -> Any:
        """Slices and integers in space; slices, and an index array, on batch and channels."""
        return indexed(self, key)

    # NumPy

    def astype(self, dtype: Any) -> PaddedArray:
        from .elementwise import elementwise

        return elementwise("astype", lambda a: a.astype(dtype), self)

    def sum(self, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
        return np.sum(self, axis=axis, dtype=dtype, keepdims=keepdims)

    def mean(self, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
        return np.mean(self, axis=axis, dtype=dtype, keepdims=keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Any:
        return np.max(self, axis=axis, keepdims=keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Any:
        return np.min(self, axis=axis, keepdims=keepdims)

    def var(self, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
        return np.var(self, axis=axis, ddof=ddof, keepdims=keepdims)

    def std(self, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
        return np.std(self, axis=axis, ddof=ddof, keepdims=keepdims)

    def all(self, axis: Any = None, keepdims: bool = False) -> Any:
        return np.all(self, axis=axis, keepdims=keepdims)

    def any(self, axis: Any = None, keepdims: bool = False) -> Any:
        return np.any(self, axis=axis, keepdims=keepdims)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        from .elementwise import apply_ufunc

        return apply_ufunc(ufunc, method, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        from .functions import FUNCTIONS

        if options.get("out") is not None:
            refuse(f"np.{function.__name__}", "out= has no rule", "drop out=")
        rule = FUNCTIONS.get(function)
        if rule is None:
            raise TypeError(
                f"np.{function.__name__}: there is no rule that keeps the border of a PaddedArray "
                "implicit; call materialize() first if an explicit copy is meant."
            )
        return rule(*args, **options)
