"""The NumPy backend: allocate, and hand byte strides to the compiled kernels.

Everything here runs after the geometry has checked the call; nothing here raises for bad input.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _conv_cpu, _threads
from ._activation import NOTHING, Activation
from ._geometry import Axis

if TYPE_CHECKING:
    from ._geometry import ConvGeometry
    from ._geometry_pool import PoolGeometry
    from ._geometry_transpose import TransposeGeometry

    Array = np.ndarray[Any, np.dtype[Any]]

_LAUNCHES = 32  # kept by one PackedConv: the kinds of call a layer meets in turn


def whole(size: int) -> Axis:
    """An axis that a convolution does not window."""
    return Axis(size, 1, 1, 1, 0, 0, "constant")


def conv_plan(
    geometry: ConvGeometry, axes: tuple[Any, ...], direct: bool, fast: bool, skips: bool
) -> Any:
    """The compiled plan; see `ConvPlan`."""
    return _conv_cpu.ConvPlan(
        axes,
        geometry.batch,
        geometry.in_channels,
        geometry.out_channels,
        geometry.groups,
        geometry.dtype.name,
        geometry.weight_dtype.name,
        geometry.out_dtype.name,
        direct,
        fast,
        skips,
        _threads.get_num_threads(),
    )


@dataclass(frozen=True, slots=True)
class Launch:
    """A convolution of arrays of one shape and layout: all that a call needs but the arrays."""

    shape: tuple[int, ...]  # of the output
    dtype: np.dtype[Any]
    run: Any  # None where there is nothing to compute
    fill: Array  # as kernels take it
    sums: Array | None  # of the fill over channels, if the plan is corrected by them
    viewed: bool  # kernels see the bytes under another dtype


class PackedConv:
    """Weights, bias and activation of a convolution, in the layouts that kernels have asked for.

    Holds the weights it was given (not a copy of them), at most one packed copy for each layout,
    and a launch for each kind of call.
    """

    def __init__(
        self,
        geometry: ConvGeometry,
        weight: Array,
        bias: Array | None,
        activation: Activation | None,
    ) -> None:
        # Bytes stay bytes until it is known what a plan computes with.
        kept = geometry.weight_dtype if geometry.weight_dtype.itemsize == 1 else geometry.compute
        self.terms = np.ascontiguousarray(weight, dtype=kept)
        self._stored = geometry.weight_dtype
        self.finite = kept.kind != "f" or bool(np.isfinite(self.terms).all())
        shape = (geometry.out_channels,)
        if bias is None:
            self._bias = np.zeros(shape, geometry.compute)
        else:
            self._bias = np.ascontiguousarray(bias, dtype=geometry.compute)
        self._activation = activation
        self._packed: dict[tuple[Any, ...], tuple[Any, Any]] = {}
        self.launches: dict[tuple[Any, ...], Launch] = {}

    def launch(
        self,
        key: tuple[Any, ...],
        geometry: ConvGeometry,
        input: Array,
        out: Array,
        fill: Array | None,
        residual: Array | None,
    ) -> Launch:
        """A new one for arrays like these, kept under `key`; a fill that is given may change."""
        own = fill is None
        fill = (geometry.fill if fill is None else fill).astype(geometry.compute)
        run, sums = None, None
        if out.size:
            given = [a for a in (input, out, residual) if a is not None]
            fives = [as_five(a, geometry.batched) for a in given]
            axes: tuple[Any, ...] = (whole(1),) * (3 - len(geometry.axes)) + geometry.axes
            if all(untouched(axis) for axis in axes[1:]) and (merged := merge_rows(*fives)):
                fives = merged
                axes = (axes[0], whole(1), whole(fives[0].shape[4]))
            x, y, *addend = fives
            # Finished rows go straight to memory where they lie there as kernels produce them.
            item = geometry.compute.itemsize
            direct = (
                geometry.out_dtype.itemsize == item
                and y.strides[4] == item
                and all(stride % item == 0 for stride in y.strides)
                and y.flags.aligned
            )
            fast = geometry.precision == "fast" and geometry.compute.kind == "f"
            fast = fast and bool(np.isfinite(fill).all())
            skips = self.finite and (fast or (own and not fill.any()))
            plan = None
            if fast:
                from . import _numpy_separable  # which builds on this module

                plan = _numpy_separable.plan(geometry, axes, self.terms, direct)
            if plan is None:
                plan = conv_plan(geometry, axes, direct, fast, skips)
            limits = None
            if residual is not None or self._activation is not None:
                limits = (self._activation or NOTHING).limits(geometry.compute)
            weights, bias = self._buffers(plan)
            steps = [five.strides for five in addend]
            run = _conv_cpu.ConvCall(
                plan, self.terms, weights, bias, x.strides, y.strides, limits, *steps
            )
            sums = self.fill_sums(geometry, fill) if plan.corrected else None
            if plan.interleaved:
                fill = fill.astype(geometry.dtype)
        if len(self.launches) >= _LAUNCHES:
            self.launches.clear()
        found = Launch(out.shape, out.dtype, run, fill, sums, raw(input) is not input)
        self.launches[key] = found
        return found

    def fill_sums(self, geometry: ConvGeometry, fill: Array) -> Array | None:
        """(C_out, taps): what the fill adds to an output for each tap that reads it; None for 0."""
        if not fill.any():
            return None
        channels = geometry.in_channels // geometry.groups
        weights = self.terms.reshape(geometry.groups, -1, channels, self.terms[0, 0].size)
        each = np.broadcast_to(fill, geometry.in_channels).astype(np.float64)
        sums = np.einsum("gkct,gc->gkt", weights, each.reshape(geometry.groups, channels))
        return np.ascontiguousarray(sums.reshape(geometry.out_channels, -1))

    def _buffers(self, plan: Any) -> tuple[Any, Any]:
        key = (plan.instruction_set, plan.layout, plan.blocks, plan.offset)
        packed = self._packed.get(key)
        if packed is None:
            terms, bias = self.terms, self._bias
            stored = self._stored if plan.interleaved else bias.dtype
            terms = raw(terms.astype(stored, copy=False))
            if plan.offset:
                every = tuple(range(1, terms.ndim))
                bias = bias - np.int32(plan.offset) * terms.sum(every, np.int32)
            packed = self._packed[key] = (plan.pack(terms), plan.pack_bias(bias))
        return packed


def pack_conv(
    geometry: ConvGeometry, weight: Array, bias: Array | None, activation: Activation | None = None
) -> PackedConv:
    """Prepare weights for `conv`, for any geometry with the same channels, groups and kernel."""
    return PackedConv(geometry, weight, bias, activation)


def wait(array: Array) -> None:
    """What was asked for is done."""


def conv(
    geometry: ConvGeometry,
    input: Array,
    packed: PackedConv,
    out: Array | None = None,
    fill: Array | None = None,
    residual: Array | None = None,
) -> Array:
    """Convolve `input`, into `out` if given. Workspace: a panel a thread, whatever the padding.

    `fill`, () or (C_in,), takes the place of the geometry's. `residual`, of the output's shape and
    dtype, is added before the activation.
    """
    kind: Any = "own" if fill is None else "given"
    if fill is not None and geometry.precision == "fast" and not np.isfinite(fill).all():
        kind = "given, not finite"
    if residual is not None:
        kind = (kind, residual.strides)
    # Geometries compare by identity, and the key keeps them alive.
    place = None if out is None else (out.strides, out.flags.aligned)
    threads, kernels = _threads.get_num_threads(), _conv_cpu.get_instruction_set()
    key = (geometry, input.strides, place, kind, threads, kernels)
    launch = packed.launches.get(key)
    if launch is None:
        if out is None:
            out = np.empty(geometry.out_shape, geometry.out_dtype)
        launch = packed.launch(key, geometry, input, out, fill, residual)
    elif out is None:
        out = np.empty(launch.shape, launch.dtype)
    if launch.run is None:
        return out
    values, sums = launch.fill, launch.sums
    if fill is not None:
        values = fill.astype(values.dtype, copy=False)
        sums = packed.fill_sums(geometry, values) if launch.run.plan.corrected else None
    if launch.viewed:
        addend = None if residual is None else raw(residual)
        launch.run(raw(input), raw(values), sums, raw(out), addend)
    else:
        launch.run(input, values, sums, out, residual)
    return out


def prepare(
    geometry: ConvGeometry, input: Array, packed: PackedConv, residual: Array | None = None
) -> Array:
    """An output array for `conv`, which plans by itself when it is first called."""
    return np.empty(geometry.out_shape, geometry.out_dtype)


def conv_transpose(
    geometry: TransposeGeometry,
    input: Array,
    weight: Array,
    bias: Array | None = None,
    kept: dict[Any, Any] | None = None,
) -> Array:
    """The transposed convolution of `input`; `kept`: a layer's weights as packed so far."""
    from . import _numpy_transpose  # which builds on this module

    return _numpy_transpose.conv_transpose(geometry, input, weight, bias, kept=kept)


def conv_backward(
    geometry: ConvGeometry, grad_output: Array, input: Array, weight: Array, needs: Collection[str]
) -> tuple[Any, Any, Any, Any]:
    """Gradients for input, weight, bias and fill; None for those that `needs` does not name."""
    from . import _numpy_gradient  # which builds on this module

    return _numpy_gradient.conv_backward(geometry, grad_output, input, weight, needs)


def pool(geometry: PoolGeometry, input: Array, indices: bool) -> tuple[Array, Array | None]:
    """Pool `input`: values, and int64 indices of the maxima if wanted."""
    from . import _numpy_pool  # which builds on this module

    return _numpy_pool.pool(geometry, input, indices)


def max_pool_backward(
    geometry: PoolGeometry, grad_output: Array, input: Array, indices: Array | None
) -> tuple[Array, Array | None]:
    """Gradients for input and fill; `indices` of the maxima, or None to find them."""
    from . import _numpy_pool_gradient

    return _numpy_pool_gradient.max_pool_backward(geometry, grad_output, input, indices)


def avg_pool_backward(
    geometry: PoolGeometry, grad_output: Array, input: Array
) -> tuple[Array, Array | None]:
    """Gradients for input and fill."""
    from . import _numpy_pool_gradient

    return _numpy_pool_gradient.avg_pool_backward(geometry, grad_output, input)


def global_pool(operation: str, x: Array) -> Array:
    """The mean or maximum over the spatial axes of (N, C, *spatial), as (N, C)."""
    from . import _numpy_planes

    return _numpy_planes.global_pool(operation, x)


def adaptive_mean(x: Array, sizes: tuple[int, ...]) -> Array:
    """Means of the parts that `sizes` divide the last axes into."""
    from . import _numpy_planes

    return _numpy_planes.adaptive_mean(x, sizes)


def as_five(array: Array, batched: bool) -> Array:
    """View (N, C, spatial...) as (N, C, D, H, W)."""
    if not batched:
        array = array[None]
    spatial = array.ndim - 2
    return array[(slice(None), slice(None)) + (None,) * (3 - spatial)]


def raw(array: Array) -> Array:
    """The same bytes under a dtype that exports the buffer protocol (bfloat16 does not)."""
    return array.view(np.uint16) if array.dtype.kind == "V" or array.dtype.itemsize == 2 else array


def untouched(axis: Axis) -> bool:
    return axis.kernel == axis.stride == 1 and axis.before == 0 and axis.out == axis.size


def merge_rows(*arrays: Array) -> list[Array] | None:
    """H and W as one long row, where all arrays have their rows one behind the other."""
    flat = []
    for array in arrays:
        if array.shape[3] > 1 and array.strides[3] != array.shape[4] * array.strides[4]:
            return None
        shape = (*array.shape[:3], 1, array.shape[3] * array.shape[4])
        strides = (*array.strides[:3], array.strides[3], array.strides[4])
        flat.append(np.lib.stride_tricks.as_strided(array, shape, strides))
    return flat
