"""The general convolutional operator: windows of an array."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np

from ._arguments import integer, is_cupy, per_axis
from ._geometry import Axis, window_axes
from ._pad import array_of, fill_for, panel, rank_of

Array = np.ndarray[Any, np.dtype[Any]]

BLOCK_ELEMENTS = 2**19  # elements of the windows that `Windows.map` hands over at a time
DEVICE_ELEMENTS = 2**24  # the same on a device, which is waited for between blocks
ARRAY_BYTES = 2**28  # `numpy.asarray(windows)` refuses to make more


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
    x = array_of("windows", x, fill_value)
    rank = rank_of("windows", "kernel_size", kernel_size, x)
    kernel = per_axis("windows", "kernel_size", kernel_size, rank)
    sizes = x.shape[x.ndim - rank :]
    axes = window_axes(
        "windows", "kernel_size", sizes, kernel, stride, padding, dilation, padding_mode
    )
    return Windows(x, axes, fill_for("windows", fill_value, x, axes))


class Windows:
    """Windows of an array, made by `windows`; they exist a block at a time.

    Iterating yields each window, an array of the kernel's shape, in row-major order.
    `numpy.asarray` builds all of them, up to 256 MiB; not of a CuPy array, whose windows are on its
    device.
    """

    def __init__(self, x: Any, axes: tuple[Axis, ...], fill: Any) -> None:
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
            Most windows to hand over at a time; left out, as many as have 2**19 elements, on a
            GPU 2**24.
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
            most = DEVICE_ELEMENTS if is_cupy(self._x) else BLOCK_ELEMENTS
            block = max(1, most // math.prod(self.kernel_shape))
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
                        shape = (*lead, *self.out_shape[-spatial:])
                        out = np.empty_like(values, dtype, shape=shape)
                    where = (*at, planes, *(slice(start, stop) for start, stop in part))
                    out[where] = values
        if out is None:
            out = np.empty_like(self._x, dtype, shape=self.out_shape)
        return out.reshape(self.out_shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if is_cupy(self._x):
            raise TypeError(
                "windows: windows of a CuPy array are not copied to NumPy by themselves; call "
                ".map(f), or windows of cupy.asnumpy(x)."
            )
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

    def _values(self, f: Callable[[Any], Any], seen: Any, each: bool) -> Any:
        kernel = len(self._axes)
        wanted = seen.shape[:-kernel]
        if each:
            flat = seen.reshape(-1, *seen.shape[-kernel:])
            values = np.asarray([f(window) for window in flat], like=self._x)
            shape, rule = values.shape, (math.prod(wanted),)
        else:
            values = np.asarray(f(seen), like=self._x)
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
        parts, steps, taps = [], [], []
        for axis, (start, stop) in zip(self._axes, part, strict=True):
            length = (stop - start - 1) * axis.stride + axis.extent
            parts.append((axis, start * axis.stride, length))
            steps.append(slice(None, None, axis.stride))
            taps.append(slice(None, None, axis.dilation))
        fill = self._fill[channels] if self._fill.ndim else self._fill
        found = panel(planes, parts, fill)
        extents = tuple(axis.extent for axis in self._axes)
        over = tuple(range(1, found.ndim))
        view = np.lib.stride_tricks.sliding_window_view(found, extents, axis=over)
        chosen: tuple[Any, ...] = (slice(None), *steps, *taps)
        return view[chosen]
