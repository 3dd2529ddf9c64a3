"""Planned layers: convolutions whose weights are packed once and whose geometry is kept."""

from __future__ import annotations

import copy
import threading
from typing import Any, ClassVar

import numpy as np

from ._activation import activation_of
from ._arguments import arithmetic
from ._backend import as_array, backend_of
from ._geometry import ConvGeometry, check_out, check_residual, conv_geometry, layer_options
from .padded.array import PaddedArray

_PLANS = 16  # shapes that a layer remembers


class _Conv:
    """What the three layers share; they differ in rank alone."""

    _rank: ClassVar[int]

    def __init__(
        self,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        *,
        fill_value: Any = None,
        padding_mode: Any = "constant",
        precision: str | None = None,
        activation: Any = None,
    ) -> None:
        name = type(self).__name__
        self._backend = backend_of(name, weight=weight, bias=bias, fill_value=fill_value)
        weight = as_array(name, "weight", weight)
        bias = None if bias is None else as_array(name, "bias", bias)
        self._options = layer_options(
            name,
            self._rank,
            weight,
            bias,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            padding_mode=padding_mode,
            precision=precision,
        )
        self._activation = activation_of(
            name, activation, arithmetic(name, "weight", weight.dtype).out
        )
        self._shown = tuple(activation) if isinstance(activation, list) else activation
        self._options["fill_value"] = copy.deepcopy(fill_value)
        self._weight = weight.copy()
        self._bias = bias if bias is None else bias.copy()
        self._backend.wait(self._weight)
        self._start()

    def _start(self) -> None:
        self._plans: dict[Any, Any] = {}  # by what a call's checks read of its input
        self._packed: Any = None
        self._lock = threading.Lock()

    def __call__(self, input: Any, out: Any = None, residual: Any = None) -> Any:
        """Convolve `input`, (N, C_in, *spatial) or (C_in, *spatial); into `out` if given.

        `residual`, of the shape and dtype of the result, is added before the activation. It may not
        share memory with `out`. For a PaddedArray it is one, too, aligned as ``+`` aligns.
        """
        if isinstance(input, PaddedArray):
            return self._padded(input, out, residual)
        input, geometry = self._resolve(input, out, residual)
        if residual is not None:
            residual = self._addend(geometry, residual)
        if out is not None:
            name, read = type(self).__name__, {"input": input, "residual": residual}
            check_out(name, out, geometry.out_shape, geometry.out_dtype, **read)
        return self._backend.conv(geometry, input, self._packed, out, None, residual)

    def prepare(self, input: Any, residual: Any = None) -> Any:
        """Plan for arrays like these, and return an array to pass as `out`; nothing is computed.

        On a GPU the kernel is compiled and its tables are made, so that ``layer(input, out)`` is
        one launch, which a CUDA graph can capture.
        """
        if isinstance(input, PaddedArray):
            raise TypeError(
                f"{type(self).__name__}: prepare takes an array, got a PaddedArray of shape "
                f"{input.shape}, whose result has no array to prepare; call the layer."
            )
        input, geometry = self._resolve(input, None, residual)
        if residual is not None:
            residual = self._addend(geometry, residual)
        return self._backend.prepare(geometry, input, self._packed, residual)

    def _addend(self, geometry: ConvGeometry, residual: Any) -> Any:
        residual = as_array(type(self).__name__, "residual", residual)
        check_residual(type(self).__name__, residual, geometry.out_shape, geometry.out_dtype)
        return residual

    def _resolve(self, input: Any, out: Any, residual: Any) -> tuple[Any, ConvGeometry]:
        plain = type(input) is type(self._weight) is np.ndarray
        if not plain or out is not None or residual is not None:
            name = type(self).__name__
            backend_of(name, input=input, weight=self._weight, out=out, residual=residual)
            input = as_array(name, "input", input)
        key = (input.shape, input.dtype)
        plan = self._plans.get(key)
        return input, self._plan(conv_geometry, key, input) if plan is None else plan

    def _padded(self, input: PaddedArray, out: Any, residual: Any) -> PaddedArray:
        more = {} if residual is None else {"residual": residual}
        if not type(input.core) is type(self._weight) is np.ndarray or more:
            cores = {name: getattr(array, "core", array) for name, array in more.items()}
            backend_of(type(self).__name__, input=input.core, weight=self._weight, **cores)
        key: Any = (input.spans, input.lead, input.fill.shape, input.dtype)
        if isinstance(residual, PaddedArray):
            key = (*key, residual.spans, residual.lead, residual.fill.shape, residual.dtype)
        steps = self._plans.get(key) if out is None else None
        if steps is None:
            from .padded.windows import conv_steps

            steps = self._plan(conv_steps, key, input, out, **more)
        return steps(input, self._backend, self._packed, residual)

    def _plan(self, resolve: Any, key: Any, input: Any, out: Any = None, **more: Any) -> Any:
        name, options = type(self).__name__, self._options | more
        plan = resolve(name, self._rank, input, self._weight, self._bias, out=out, **options)
        with self._lock:
            if self._packed is None:
                whole = plan if isinstance(plan, ConvGeometry) else plan.whole
                pack = self._backend.pack_conv
                self._packed = pack(whole, self._weight, self._bias, self._activation)
                self._backend.wait(self._weight)
            if len(self._plans) >= _PLANS:
                self._plans.clear()
            return self._plans.setdefault(key, plan)

    def __repr__(self) -> str:
        given = f"weight {self._weight.shape} {self._weight.dtype}"
        if self._bias is not None:
            given += f", bias {self._bias.shape}"
        shown = self._options | ({} if self._shown is None else {"activation": self._shown})
        options = ", ".join(f"{name}={value!r}" for name, value in shown.items())
        return f"{type(self).__name__}({given}, {options})"

    def __getstate__(self) -> dict[str, Any]:
        kept = ("_weight", "_bias", "_options", "_activation", "_shown")
        return {name: getattr(self, name) for name in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._backend = backend_of(type(self).__name__, weight=self._weight)
        self._start()


class Conv1d(_Conv):
    """A one-dimensional convolution with its weights packed once, for many calls.

    ``Conv1d(weight, bias, ...)(input)`` is ``conv1d(input, weight, bias, ...)``. See `Conv2d`.

    Parameters
    ----------
    weight : array, shape (C_out, C_in / groups, f)
        Copied; changing the array later does not change the layer.
    bias : array, shape (C_out,), optional
    stride, padding, dilation, groups, fill_value, padding_mode, precision
        As for `conv1d`.
    activation : None, "relu", ("leaky_relu", slope) or ("clamp", low, high)
        Of the results, see `Conv2d`.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> difference = ip.Conv1d(np.array([[[-1.0, 1.0]]]), padding="causal", padding_mode="edge")
    >>> difference(np.array([[5.0, 7.0, 4.0]]))
    array([[ 0.,  2., -3.]])
    """

    _rank = 1


class Conv2d(_Conv):
    """A two-dimensional convolution with its weights packed once, for many calls.

    ``Conv2d(weight, bias, ...)(input)`` is ``conv2d(input, weight, bias, ...)``. The first call
    packs the weights, and the first call with a shape and dtype checks and plans; later calls do
    neither. Layers may be called from several threads at once and can be pickled.

    Parameters
    ----------
    weight : array, shape (C_out, C_in / groups, f_H, f_W)
        NumPy or CuPy. Copied; changing the array later does not change the layer.
    bias : array, shape (C_out,), optional
        Copied.
    stride, padding, dilation, groups, fill_value, padding_mode, precision
        As for `conv2d`.
    activation : None, "relu", ("leaky_relu", slope) or ("clamp", low, high)
        Of the results: max(z, 0); z where it is not negative and slope z elsewhere; min(max(z,
        low), high). NaN stays NaN. Integers have no leaky one, and whole bounds.

    Raises
    ------
    TypeError, ValueError
        As `conv2d`: when the layer is made for what can be told from the weights, when it is called
        for what depends on the input.

    Notes
    -----
    ``layer(x, residual=r)`` is activation(conv2d(x, ...) + r); r has the shape and dtype of the
    result, and any strides. Both steps are made while results lie in a cache (on a GPU, in
    registers), before they are rounded to 16 bits; other bits are those of the steps one after the
    other. They save writing and reading results again for each.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> blur = ip.Conv2d(np.full((1, 1, 3, 3), 1 / 9), padding="same", padding_mode="reflect")
    >>> blur(np.eye(4)[None]).round(2)
    array([[[0.56, 0.33, 0.22, 0.  ],
            [0.33, 0.33, 0.22, 0.22],
            [0.22, 0.22, 0.33, 0.33],
            [0.  , 0.22, 0.33, 0.56]]])
    >>> blur
    Conv2d(weight (1, 1, 3, 3) float64, stride=(1, 1), padding='same', dilation=(1, 1), groups=1, \
padding_mode=('reflect', 'reflect'), precision='default', fill_value=None)

    The end of a block of a residual network:

    >>> x = np.array([[[-3.0, 1.0]]])
    >>> ip.Conv2d(np.full((1, 1, 1, 1), 2.0), activation="relu")(x, residual=x)
    array([[[0., 3.]]])
    """

    _rank = 2


class Conv3d(_Conv):
    """A three-dimensional convolution with its weights packed once, for many calls.

    ``Conv3d(weight, bias, ...)(input)`` is ``conv3d(input, weight, bias, ...)``. See `Conv2d`.

    Parameters
    ----------
    weight : array, shape (C_out, C_in / groups, f_D, f_H, f_W)
        Copied; changing the array later does not change the layer.
    bias : array, shape (C_out,), optional
    stride, padding, dilation, groups, fill_value, padding_mode, precision
        As for `conv3d`.
    activation : None, "relu", ("leaky_relu", slope) or ("clamp", low, high)
        Of the results, see `Conv2d`.

    Examples
    --------
    >>> import numpy as np
    >>> import implicitpad as ip
    >>> total = ip.Conv3d(np.ones((1, 1, 2, 2, 2), np.int32), padding="full", fill_value=1)
    >>> total(np.zeros((1, 1, 1, 1), np.int32)).ravel()
    array([7, 7, 7, 7, 7, 7, 7, 7])
    """

    _rank = 3
