"""The general convolutional operator: windows of an array, and the explicit padding."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np

from ._arguments import INDEX_MAX, arithmetic, fill_of, integer, per_axis
from ._backend import as_array, backend_of
from ._conv_cpu import index_table
from ._geometry import Axis, check_size, window_axes

Array = np.ndarray[Any, np.dtype[Any]]

BLOCK_ELEMENTS = 2**19  # elements of the windows that `Windows.map` hands over at a time
ARRAY_BYTES = 2**28  # `numpy.asarray(windows)` refuses to make more


def pad(x: Any, padding: Any, *, fill_value: Any = None, padding_mode: Any = "constant") -> Any:
    """Pad an array explicitly: the copy that the rest of the library never makes.

    For comparison, and for leaving the library. Equals `numpy.pad` where that has the mode, also
    for widths beyond the size of the array, and crops where a width is negative.

    Parameters
    ----------
    x : array, shape (..., C, *spatial)
        Any number of axes before the spatial ones. Read only; any strides. float16, bfloat16,
        float32, float64 or any integer type.
    padding : int, ints or (before, after) pairs
        One item for each spatial axis, which are the last ones. An int is for arrays (N, C,
        *spatial): it pads all axes but the first two.
    fill_value : number or shape (C,), optional
        What padding holds under mode "constant"; 0 if left out. Where an element lies outside on
        several axes, "constant" wins over the other modes.
    padding_mode : str or one for each spatial axis
        See `conv2d`.

    Returns
    -------
    array, dtype of `x`
        A new array; each spatial axis is longer by before + after.

    Raises
    ------
    TypeError
        A kind of array, dtype or argument that is not accepted.
    ValueError
        A value is out of range.

    Notes
    -----
    Costs time and memory in proportion to the result.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> ip.pad(np.arange(4), ((2, 3),), padding_mode="reflect")
    array([2, 1, 0, 1, 2, 3, 2, 1, 0])
    >>> ip.pad(np.arange(6).reshape(2, 3), ((0, 1), (-1, 1)), fill_value=9)
    array([[1, 2, 9],
           [4, 5, 9],
           [9, 9, 9]])
    """
    x = _host_array("pad", "x", x)
    rank = _rank("pad", "padding", padding, x)
    sizes = x.shape[x.ndim - rank :]
    axes = window_axes("pad", "window", sizes, (1,) * rank, 1, padding, 1, padding_mode)
    fill = _fill("pad", fill_value, x, axes)
    check_size("pad", (*x.shape[: x.ndim - rank], *(axis.virtual for axis in axes)), x.dtype)
    tables = [_table(axis, 0, axis.virtual) for axis in axes]
    return _gather(x, tables, fill)


def windows(
    x: Any,
    kernel_size: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    *,
    fill_value: Any = None,
    padding_mode: Any = "constant",
) -> Windows:
    """The windows of an array, without building the padded one: the general convolutional operator.

    For filters that are not linear: medians, ranks, local variances, any function of a window.

    Parameters
    ----------
    x : array, shape (..., C, *spatial)
        Any number of axes before the spatial ones. Read only; any strides. float16, bfloat16,
        float32, float64 or any integer type.
    kernel_size : int or one for each spatial axis
        Size of a window. An int is for arrays (N, C, *spatial): all axes but the first two are
        spatial. A sequence says which are: the last ones.
    stride, dilation : int or one for each spatial axis
        Steps between windows and between their elements, at least 1.
    padding : int, ints, (before, after) pairs or str
        Imagined elements, see `conv2d`.
    fill_value : number or shape (C,), optional
        What padding holds under mode "constant"; 0 if left out.
    padding_mode : str or one for each spatial axis
        See `conv2d`.

    Returns
    -------
    Windows
        An object of `shape` (..., C, *out, *kernel), `dtype` of `x`; see `Windows.map`.

    Raises
    ------
    TypeError
        A kind of array, dtype or argument that is not accepted.
    ValueError
        A value is out of range, or no window fits.

    Examples
    --------
    A median filter that mirrors the image at its edges:

    >>> import numpy as np
    >>> import implicitpad as ip
    >>> x = np.array([[1.0, 2.0, 90.0], [4.0, 5.0, 6.0]])
    >>> w = ip.windows(x, (3, 3), padding=1, padding_mode="symmetric")
    >>> w.shape
    (2, 3, 3, 3)
    >>> w.map(lambda block: np.median(block, axis=(-2, -1)))
    array([[2., 4., 6.],
           [4., 5., 6.]])
    """
    x = _host_array("windows", "x", x)
    rank = _rank("windows", "kernel_size", kernel_size, x)
    kernel = per_axis("windows", "kernel_size", kernel_size, rank)
    sizes = x.shape[x.ndim - rank :]
    axes = window_axes(
        "windows", "kernel_size", sizes, kernel, stride, padding, dilation, padding_mode
    )
    return Windows(x, axes, _fill("windows", fill_value, x, axes))


class Windows:
    """Windows of an array, made by `windows`; they exist a block at a time.

    Iterating yields each window, an array of the kernel's shape, in row-major order.
    `numpy.asarray` builds all of them, up to 256 MiB.
    """

    def __init__(self, x: Array, axes: tuple[Axis, ...], fill: Array) -> None:
        self._lead = x.shape[: x.ndim - len(axes)]
        self._x = x if self._lead else x[None]
        self._axes = axes
        self._fill = fill
        self.dtype = x.dtype

    @property
    def kernel_shape(self) -> tuple[int, ...]:
        return tuple(axis.kernel for axis in self._axes)

    @property
    def out_shape(self) -> tuple[int, ...]:
        """Shape of a result that has one value for each window."""
        return (*self._lead, *(axis.out for axis in self._axes))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.out_shape + self.kernel_shape

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __repr__(self) -> str:
        return f"<implicitpad.Windows of shape {self.shape}, {self.dtype}>"

    def __len__(self) -> int:
        return math.prod(self.out_shape)

    def __iter__(self) -> Iterator[Array]:
        kernel = self.kernel_shape
        rows = (1,) * (len(self._axes) - 1) + (self._axes[-1].out,)
        for at in np.ndindex(self._x.shape[: -len(self._axes)]):
            for part in self._parts(rows):
                yield from self._block(self._x[at][None], part).reshape(-1, *kernel)

    def map(
        self,
        f: Callable[[Array], Any],
        dtype: Any = None,
        block: int | None = None,
        *,
        each: bool = False,
    ) -> Array:
        """Apply a function to all windows; return one value for each.

        Parameters
        ----------
        f : callable
            Takes an array of windows (..., *kernel), read only, and returns one value for each, an
            array (...): a NumPy function over the last axes. Blocks come in row-major order, once.
        dtype : dtype, optional
            Of the result; left out, that of the first block's values.
        block : int, optional
            Most windows to hand over at a time; left out, as many as have 2**19 elements.
        each : bool
            `f` takes one window of the kernel's shape and returns a number.

        Returns
        -------
        array, shape `out_shape`

        Raises
        ------
        TypeError
            `f` cannot be called, or `block` is no int.
        ValueError
            `block` < 1, or `f` returns another shape than one value for each window.

        Notes
        -----
        Beyond the result, holds a block of the padded array and what `f` makes of its windows.

        Examples
        --------
        >>> import numpy as np
        >>> import implicitpad as ip
        >>> w = ip.windows(np.array([[3, 1, 2]]), (2,), padding=1, padding_mode="circular")
        >>> w.map(lambda block: np.ptp(block, axis=-1))
        array([[1, 2, 1, 1]])
        >>> w.map(lambda window: sorted(window.tolist())[0], each=True)
        array([[2, 1, 1, 2]])
        """
        if not callable(f):
            raise TypeError(f"Windows.map: f must be a function, got {f!r}; pass a callable.")
        if block is None:
            block = max(1, BLOCK_ELEMENTS // math.prod(self.kernel_shape))
        block = integer("Windows.map", "block", block, 1)
        out: Array | None = None
        spatial = len(self._axes)
        channels, sizes = self._block_shape(block)
        lead = self._x.shape[:-spatial]
        for at in np.ndindex(lead[:-1]):
            for first in range(0, lead[-1], channels):
                planes = slice(first, min(first + channels, lead[-1]))
                for part in self._parts(sizes):
                    seen = self._block(self._x[at][planes], part, planes)
                    values = self._values(f, seen, each)
                    if out is None:
                        out = np.empty((*lead, *self.out_shape[-spatial:]), dtype or values.dtype)
                    where = (*at, planes, *(slice(start, stop) for start, stop in part))
                    out[where] = values
        if out is None:
            out = np.empty(self.out_shape, dtype or self.dtype)
        return out.reshape(self.out_shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        size = math.prod(self.shape) * self.dtype.itemsize
        if size > ARRAY_BYTES:
            raise ValueError(
                f"windows: an array of all windows would have shape {self.shape} and {size} bytes, "
                f"more than {ARRAY_BYTES}; call .map(f) with a function of a block of windows."
            )
        if copy is False:
            raise ValueError("windows: windows have no array without a copy; pass copy=None.")
        whole = tuple((0, axis.out) for axis in self._axes)
        lead = self._x.shape[: -len(self._axes)]
        found = np.empty((*lead, *self.shape[len(self._lead) :]), self.dtype)
        for at in np.ndindex(lead[:-1]):
            found[at] = self._block(self._x[at], whole)
        return found.reshape(self.shape).astype(dtype or self.dtype, copy=False)

    def _values(self, f: Callable[[Array], Any], seen: Array, each: bool) -> Array:
        kernel = len(self._axes)
        wanted = seen.shape[:-kernel]
        if each:
            flat = seen.reshape(-1, *seen.shape[-kernel:])
            values = np.asarray([f(window) for window in flat])
            shape, rule = values.shape, (math.prod(wanted),)
        else:
            values = np.asarray(f(seen))
            shape, rule = values.shape, wanted
        if shape != rule:
            raise ValueError(
                f"Windows.map: f must return one value for each window, got shape {shape} instead "
                f"of {rule} for windows {seen.shape}; reduce the last {kernel} axes, or pass "
                "each=True."
            )
        return values.reshape(wanted)

    def _block_shape(self, block: int) -> tuple[int, tuple[int, ...]]:
        """(channels, outputs along each axis) of a block of at most `block` windows."""
        sizes = []
        for axis in reversed(self._axes):
            sizes.append(max(1, min(axis.out, block)))
            block //= sizes[-1]
        return max(1, block), tuple(reversed(sizes))

    def _parts(self, sizes: tuple[int, ...]) -> Iterator[tuple[tuple[int, int], ...]]:
        """The outputs in blocks of `sizes`, as (start, stop) on each axis."""
        cuts = [
            [(start, min(start + size, axis.out)) for start in range(0, axis.out, size)]
            for axis, size in zip(self._axes, sizes, strict=True)
        ]
        return product(*cuts)

    def _block(
        self, planes: Array, part: tuple[tuple[int, int], ...], channels: slice = slice(None)
    ) -> Array:
        """Windows (C, *out, *kernel) of some outputs of some planes (C, *spatial)."""
        tables, steps, taps = [], [], []
        for axis, (start, stop) in zip(self._axes, part, strict=True):
            length = (stop - start - 1) * axis.stride + axis.extent
            tables.append(_table(axis, start * axis.stride, length))
            steps.append(slice(None, None, axis.stride))
            taps.append(slice(None, None, axis.dilation))
        fill = self._fill[channels] if self._fill.ndim else self._fill
        panel = _gather(planes, tables, fill)
        extents = tuple(axis.extent for axis in self._axes)
        over = tuple(range(1, panel.ndim))
        view = np.lib.stride_tricks.sliding_window_view(panel, extents, axis=over)
        chosen: tuple[Any, ...] = (slice(None), *steps, *taps)
        return view[chosen]


def _gather(x: Array, tables: list[Array], fill: Array) -> Array:
    """Elements of the last axes through one index table each, in which -1 stands for the fill."""
    lead = x.shape[: x.ndim - len(tables)]
    shape = (*lead, *map(len, tables))
    inside = []
    for at, table in enumerate(tables, len(lead)):
        real = np.flatnonzero(table >= 0)
        inside.append(slice(real[0], real[-1] + 1) if real.size else slice(0, 0))
        table = table[inside[-1]]
        if len(table) and table[-1] - table[0] == len(table) - 1 and (np.diff(table) == 1).all():
            x = x[(slice(None),) * at + (slice(table[0], table[-1] + 1),)]
        else:
            x = np.take(x, table, axis=at)
    if x.shape == shape:
        return x.copy() if x.base is not None else x
    padded = np.empty(shape, x.dtype)
    padded[...] = fill.reshape(*fill.shape, *(1,) * len(tables))
    core: tuple[Any, ...] = (..., *inside)
    padded[core] = x
    return padded


def _table(axis: Axis, start: int, length: int) -> Array:
    """The input position of `length` virtual positions from `start` on."""
    return np.asarray(index_table(axis.size, axis.before - start, length, axis.mode))


def _host_array(function: str, name: str, x: Any) -> Array:
    backend = backend_of(function, **{name: x})
    if not backend.__name__.endswith("._numpy"):
        raise TypeError(
            f"{function}: {name} is a CuPy array, which this function does not take; "
            f"convert with cupy.asnumpy({name})."
        )
    x = as_array(function, name, x)
    arithmetic(function, name, x.dtype)
    if x.size and max(x.shape) > INDEX_MAX:
        raise ValueError(
            f"{function}: no axis of {name} may be longer than {INDEX_MAX}, got shape {x.shape}; "
            "split the array."
        )
    return x


def _rank(function: str, name: str, value: Any, x: Array) -> int:
    """How many of the last axes are spatial, as `value` tells."""
    if isinstance(value, tuple | list) or (isinstance(value, np.ndarray) and value.ndim):
        rank = len(value)
        if not 1 <= rank <= x.ndim:
            raise ValueError(
                f"{function}: {name} must have one item for each spatial axis, got {value!r} for "
                f"an array of shape {x.shape}; pass 1 to {x.ndim} items."
            )
        return rank
    if x.ndim < 3:
        raise ValueError(
            f"{function}: an int {name} is for arrays (N, C, *spatial), got {value!r} for an array "
            f"of shape {x.shape}; pass one item for each spatial axis."
        )
    return x.ndim - 2


def _fill(function: str, fill_value: Any, x: Array, axes: tuple[Axis, ...]) -> Array:
    lead = x.shape[: x.ndim - len(axes)]
    modes = tuple(axis.mode for axis in axes)
    return fill_of(function, fill_value, x.dtype, lead[-1] if lead else 1, modes)
