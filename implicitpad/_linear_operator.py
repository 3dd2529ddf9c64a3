"""Convolution as the matrix it is: the function linear_operator."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _conv_cpu
from ._arguments import integer
from ._backend import as_array, backend_of
from ._geometry import conv_geometry

if TYPE_CHECKING:
    from ._geometry import ConvGeometry

    Array = np.ndarray[Any, np.dtype[Any]]


def linear_operator(
    weight: Any,
    input_shape: Sequence[int],
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    *,
    fill_value: Any = None,
    padding_mode: Any = "constant",
) -> ConvOperator:
    """Convolution of arrays of one shape, as a linear operator on their elements.

    A convolution is an affine map: ``conv(x).ravel() == A @ x.ravel() + offset``. The matrix A
    holds the filters, wrapped or folded as the boundary mode says; the offset is what windows see
    of the fill value, and 0 without one. Nothing of A is stored.

    Parameters
    ----------
    weight : array, shape (C_out, C_in / groups, *kernel)
        Filters with 1 to 3 spatial axes; a NumPy array of floats.
    input_shape : sequence of int
        (C_in, *spatial), or (N, C_in, *spatial).
    stride, padding, dilation, groups, fill_value, padding_mode
        As for `conv2d`.

    Returns
    -------
    ConvOperator
        With `shape`, `matvec`, `rmatvec`, `matmat`, `rmatmat`, `offset`, `to_dense`, `to_sparse`
        and `to_scipy`.

    Raises
    ------
    TypeError
        A kind of array, dtype or argument that is not accepted.
    ValueError
        Shapes disagree, a value is out of range, or no window fits.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> A = ip.linear_operator(np.array([[[1.0, 2.0, 3.0]]]), (1, 4), padding=1, fill_value=10.0)
    >>> A.to_dense()
    array([[2., 3., 0., 0.],
           [1., 2., 3., 0.],
           [0., 1., 2., 3.],
           [0., 0., 1., 2.]])
    >>> A.offset
    array([10.,  0.,  0., 30.])
    """
    function = "linear_operator"
    backend_of(function, weight=weight, fill_value=fill_value)
    weight = as_array(function, "weight", weight)
    if not isinstance(weight, np.ndarray):
        raise TypeError(
            f"{function}: weight must be a NumPy array, got {type(weight).__name__}; "
            "convert with cupy.asnumpy(weight)."
        )
    if weight.ndim not in (3, 4, 5):
        raise ValueError(
            f"{function}: weight must have 1 to 3 spatial axes after (C_out, C_in/groups), got "
            f"weight.shape={weight.shape}; add or remove axes."
        )
    try:
        sizes = tuple(input_shape)
    except TypeError:
        raise TypeError(
            f"{function}: input_shape must be a sequence of ints, got {input_shape!r}; "
            "pass (C_in, *spatial)."
        ) from None
    sizes = tuple([integer(function, "input_shape", size, 0) for size in sizes])
    geometry = conv_geometry(
        function,
        weight.ndim - 2,
        np.broadcast_to(np.zeros((), weight.dtype), sizes),
        weight,
        None,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        fill_value=fill_value,
        padding_mode=padding_mode,
        precision=None,
        out=None,
    )
    if geometry.compute.kind != "f":
        raise TypeError(
            f"{function}: weight must hold floats, got dtype {weight.dtype}; "
            "convert with weight.astype('float64')."
        )
    return ConvOperator(geometry, weight)


class ConvOperator:
    """A convolution as a linear operator; made by `linear_operator`.

    Attributes
    ----------
    shape : (int, int)
        Elements of the output, elements of the input.
    dtype : numpy.dtype
        Of the weights, and of everything computed.
    input_shape, output_shape : tuple of int
    """

    def __init__(self, geometry: ConvGeometry, weight: Array) -> None:
        self._geometry = geometry
        self._weight = weight
        self._backend = backend_of(geometry.function, weight=weight)
        self.dtype = geometry.dtype
        self.input_shape = geometry.in_shape
        self.output_shape = geometry.out_shape
        self.shape = (int(np.prod(self.output_shape)), int(np.prod(self.input_shape)))

    def __repr__(self) -> str:
        return f"<{self.shape[0]}x{self.shape[1]} ConvOperator of {self.dtype}>"

    def __matmul__(self, x: Any) -> Array:
        x = np.asarray(x)
        return self.matvec(x) if x.ndim == 1 else self.matmat(x)

    @functools.cached_property
    def offset(self) -> Array:
        """What the fill value adds to every output, shape (shape[0],)."""
        zeros = np.broadcast_to(np.zeros((), self.dtype), self.input_shape)
        packed = self._backend.pack_conv(self._geometry, self._weight, None)
        result: Array = self._backend.conv(self._geometry, zeros, packed).reshape(-1)
        return result

    def matvec(self, x: Any) -> Array:
        """A @ x for x of shape (shape[1],) or (shape[1], 1)."""
        x = np.asarray(x, self.dtype)
        self._check("matvec", x, self.shape[1], columns=False)
        return self.matmat(x.reshape(-1, 1)).reshape(self.shape[0], *x.shape[1:])

    def rmatvec(self, y: Any) -> Array:
        """A.T @ y for y of shape (shape[0],) or (shape[0], 1)."""
        y = np.asarray(y, self.dtype)
        self._check("rmatvec", y, self.shape[0], columns=False)
        return self.rmatmat(y.reshape(-1, 1)).reshape(self.shape[1], *y.shape[1:])

    def matmat(self, x: Any) -> Array:
        """A @ x for x of shape (shape[1], k); one convolution of k arrays."""
        x = np.asarray(x, self.dtype)
        self._check("matmat", x, self.shape[1], columns=True)
        geometry = self._of(x.shape[1])
        packed = self._backend.pack_conv(geometry, self._weight, None)
        y = self._backend.conv(geometry, x.T.reshape(geometry.in_shape), packed)
        return np.ascontiguousarray(y.reshape(x.shape[1], self.shape[0]).T)

    def rmatmat(self, y: Any) -> Array:
        """A.T @ y for y of shape (shape[0], k)."""
        y = np.asarray(y, self.dtype)
        self._check("rmatmat", y, self.shape[0], columns=True)
        geometry = self._of(y.shape[1])
        input = np.broadcast_to(np.zeros((), self.dtype), geometry.in_shape)
        grad = y.T.reshape(geometry.out_shape)
        x, *_ = self._backend.conv_backward(geometry, grad, input, self._weight, ("input",))
        return np.ascontiguousarray(x.reshape(y.shape[1], self.shape[1]).T)

    def to_dense(self) -> Array:
        """The matrix, shape[0] x shape[1]."""
        return self.matmat(np.eye(self.shape[1], dtype=self.dtype))

    def to_sparse(self) -> Any:
        """The matrix as a scipy.sparse.csr_array, made from the index tables; needs SciPy."""
        from scipy import sparse

        geometry = self._geometry
        source = np.zeros((1, 1), np.int64)  # [window, tap] -> input position, or -1
        for axis in geometry.axes:
            virtual = (axis.out - 1) * axis.stride + axis.extent
            table = np.asarray(_conv_cpu.index_table(axis.size, axis.before, virtual, axis.mode))
            at = np.arange(axis.out)[:, None] * axis.stride
            index = table[at + np.arange(axis.kernel) * axis.dilation].astype(np.int64)
            whole = source[:, None, :, None] * axis.size + index[:, None, :]
            whole[(source[:, None, :, None] < 0) | (index[:, None, :] < 0)] = -1
            source = whole.reshape(source.shape[0] * axis.out, -1)
        windows, taps = np.nonzero(source >= 0)
        positions, plane = source[windows, taps], int(np.prod([a.size for a in geometry.axes]))
        filters = np.arange(geometry.out_channels)[:, None, None]
        per_group = geometry.in_channels // geometry.groups
        group = filters // (geometry.out_channels // geometry.groups)
        channels = group * per_group + np.arange(per_group)[:, None]
        rows = np.broadcast_to(
            filters * source.shape[0] + windows, (geometry.out_channels, per_group, len(windows))
        )
        columns = channels * plane + positions
        values = self._weight.reshape(*self._weight.shape[:2], -1)[:, :, taps]
        shape = (self.shape[0] // geometry.batch, self.shape[1] // geometry.batch)
        one = sparse.coo_array((values.ravel(), (rows.ravel(), columns.ravel())), shape)
        return sparse.block_diag([one] * geometry.batch, format="csr")

    def to_scipy(self) -> Any:
        """This operator as a scipy.sparse.linalg.LinearOperator; needs SciPy."""
        from scipy.sparse.linalg import aslinearoperator

        return aslinearoperator(self)

    def _of(self, columns: int) -> ConvGeometry:
        """The geometry for so many inputs, without the fill."""
        zero = np.zeros((), self.dtype)
        batch = columns * self._geometry.batch
        return replace(self._geometry, batched=True, batch=batch, fill=zero)

    def _check(self, method: str, array: Array, rows: int, columns: bool) -> None:
        want = f"({rows}, k)" if columns else f"({rows},) or ({rows}, 1)"
        right = array.ndim == 2 if columns else array.ndim == 1 or array.shape[1:] == (1,)
        if not right or array.shape[0] != rows:
            raise ValueError(
                f"ConvOperator.{method}: the operand must have shape {want} for an operator "
                f"of shape {self.shape}, got {array.shape}; flatten it with reshape."
            )
