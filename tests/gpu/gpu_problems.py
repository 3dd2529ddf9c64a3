"""Convolution problems for a device: arrays, geometry, the expected result and its error bound."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from implicitpad import _cuda_conv, _reference
from implicitpad._activation import activation_of
from implicitpad._cuda_instances import instantiations
from implicitpad._geometry import ConvGeometry, conv_geometry

INSTANTIATIONS = instantiations()
DEFAULTS: dict[str, Any] = {
    "stride": 1,
    "padding": 0,
    "dilation": 1,
    "groups": 1,
    "fill_value": None,
    "padding_mode": "constant",
    "precision": None,
    "out": None,
}
UNIT_ROUNDOFF = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-24, "float64": 2.0**-53}
# Half of the smallest subnormal: what rounding may lose of a result near 0.
UNDERFLOW = {
    "float16": 2.0**-25,
    "bfloat16": 2.0**-134,
    "float32": 2.0**-150,
    "float64": 2.0**-1074,
}


@dataclass
class Problem:
    x: np.ndarray
    w: np.ndarray
    bias: np.ndarray | None = None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def rank(self) -> int:
        return self.w.ndim - 2

    @property
    def geometry(self) -> ConvGeometry:
        options = DEFAULTS | self.options
        return conv_geometry(f"conv{self.rank}d", self.rank, self.x, self.w, self.bias, **options)

    def run(
        self,
        device,
        family: str | None = None,
        x: Any = None,
        out: Any = None,
        activation: Any = None,
        residual: Any = None,
    ) -> np.ndarray:
        """The result on ``device``; ``x`` and ``residual`` are arrays of it."""
        geometry = self.geometry
        bias = None if self.bias is None else device.asarray(self.bias)
        limits = activation_of("conv", activation, geometry.out_dtype)
        packed = _cuda_conv.pack(device, device.asarray(self.w), bias, geometry.compute, limits)
        x = device.asarray(self.x) if x is None else x
        y = _cuda_conv.conv(device, geometry, x, packed, out, family, residual)
        assert y.shape == geometry.out_shape
        assert y.dtype == geometry.out_dtype
        for plan in packed.plans.values():
            assert plan.launch.expression in INSTANTIATIONS[plan.launch.source]
        return device.asnumpy(y)

    def expected(self) -> np.ndarray:
        return _reference.conv(self.geometry, self.x, self.w, self.bias)

    def bound(self) -> np.ndarray:
        """How far a float result may be from the exact one.

        n products and the bias are summed in any order with unit roundoff u, each operation
        rounded: gamma = (n + 1) u / (1 - (n + 1) u) times the sum of magnitudes (Higham, Accuracy
        and Stability of Numerical Algorithms, 2002, section 3.1); then rounded once for storage.
        The float64 reference is allowed the same error again.
        """
        geometry = self.geometry
        magnitude = Problem(
            np.abs(self.x), np.abs(self.w), None if self.bias is None else np.abs(self.bias),
            self.options | {"fill_value": np.abs(geometry.fill)}
            if self.options.get("fill_value") is not None else self.options,
        ).expected()  # fmt: skip
        terms = int(np.prod(self.w.shape[1:])) + 1
        gammas = (
            terms * UNIT_ROUNDOFF[kind] / (1 - terms * UNIT_ROUNDOFF[kind])
            for kind in (geometry.compute.name, "float64")
        )
        error = sum(gammas) * magnitude
        stored = geometry.out_dtype.name
        return error + UNIT_ROUNDOFF[stored] * (magnitude + error) + UNDERFLOW[stored]

    def check(self, got: np.ndarray) -> None:
        """Integers equal; floats within the bound; NaN and infinities where they are expected."""
        want = self.expected()
        if self.geometry.compute.kind != "f":
            np.testing.assert_array_equal(got, want.astype(got.dtype))
            return
        got = got.astype(np.float64)
        finite = np.isfinite(want)
        np.testing.assert_array_equal(got[~finite], want[~finite])
        with np.errstate(invalid="ignore"):
            off = np.abs(got - want)[finite]
        worst = np.max(off / self.bound()[finite], initial=0.0)
        assert worst <= 1, f"{worst:.3g} times the error bound"


def values(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Random numbers of any type; small integers, so that 8-bit sums fit in 32 bits."""
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        return rng.integers(-9 if dtype.kind == "i" else 0, 10, shape).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def problem(seed: int, x_shape, w_shape, dtype="float32", bias=True, w_dtype=None, **options):
    rng = np.random.default_rng(seed)
    x, w = values(rng, x_shape, dtype), values(rng, w_shape, w_dtype or dtype)
    found = Problem(x, w, None, options)
    if bias:
        kind = found.geometry.out_dtype if x.dtype.itemsize == 1 else x.dtype
        found.bias = values(rng, w_shape[:1], kind)
    return found
