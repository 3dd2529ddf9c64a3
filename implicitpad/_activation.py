"""Activations that the output stage of a layer applies: one formula for all of them."""

from __future__ import annotations

import math
import numbers
from typing import Any, NamedTuple

import numpy as np

_FORMS = "None, 'relu', ('leaky_relu', slope) or ('clamp', low, high)"


class Activation(NamedTuple):
    """slope z where z < 0, else z; then held between low and high. NaN stays NaN."""

    slope: Any
    low: Any
    high: Any

    def limits(self, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
        """The three as kernels take them; no integer exceeds the ends of its range."""
        if dtype.kind == "f":
            with np.errstate(over="ignore"):
                return np.array(self, dtype)
        ends = np.iinfo(dtype)
        held = [int(min(max(bound, ends.min), ends.max)) for bound in self[1:]]
        return np.array([1, *held], dtype)


NOTHING = Activation(1, -math.inf, math.inf)


def activation_of(function: str, activation: Any, dtype: np.dtype[Any]) -> Activation | None:
    """The activation of results of `dtype`, checked; None for none."""
    if activation is None:
        return None
    given = activation if isinstance(activation, tuple | list) else (activation,)
    if not given or not isinstance(given[0], str):
        raise TypeError(
            f"{function}: activation must be {_FORMS}, got {activation!r}; pass one of these."
        )
    name, *values = given
    if len(values) != {"relu": 0, "leaky_relu": 1, "clamp": 2}.get(name):
        raise ValueError(
            f"{function}: activation must be {_FORMS}, got {activation!r}; pass one of these."
        )
    if not all(isinstance(v, numbers.Real) and not isinstance(v, bool) for v in values):
        raise TypeError(
            f"{function}: activation must have real numbers after its name, got {activation!r}; "
            f"pass {_FORMS}."
        )
    if any(math.isnan(v) for v in values):
        raise ValueError(f"{function}: activation may not hold NaN, got {activation!r}; drop it.")
    if name == "relu":
        return NOTHING._replace(low=0)
    whole = dtype.kind in "iu"
    if name == "leaky_relu":
        if whole:
            raise TypeError(
                f"{function}: activation 'leaky_relu' is for floating-point results, got results "
                f"of {dtype}; pass 'relu' or ('clamp', low, high)."
            )
        if math.isinf(values[0]):
            raise ValueError(
                f"{function}: the slope of activation must be finite, got {activation!r}; "
                "pass ('leaky_relu', 0.01)."
            )
        return NOTHING._replace(slope=values[0])
    low, high = values
    if low > high:
        raise ValueError(
            f"{function}: activation must have low <= high, got {activation!r}; "
            f"pass ('clamp', {high!r}, {low!r})."
        )
    if whole and any(math.isfinite(v) and v != int(v) for v in values):
        raise ValueError(
            f"{function}: bounds of activation must be whole with results of {dtype}, got "
            f"{activation!r}; pass whole numbers."
        )
    return NOTHING._replace(low=low, high=high)
