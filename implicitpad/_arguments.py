"""Arguments that the operators share: integers per axis, padding, boundary modes, fills, dtypes.

What an argument may be is decided here; what a call may be, in `_geometry`. Each function takes the
name of the public function first, for its messages, and returns plain canonical values.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

INDEX_MAX = 2**31 - 1  # axes are indexed through int32 tables

# NumPy's, SciPy's and PyTorch's names. "reflect" has the meaning of NumPy and PyTorch (the edge is
# not repeated), which SciPy calls "mirror".
MODES = {
    "constant": "constant",
    "zeros": "constant",
    "grid-constant": "constant",
    "replicate": "replicate",
    "edge": "replicate",
    "nearest": "replicate",
    "reflect": "reflect",
    "mirror": "reflect",
    "symmetric": "symmetric",
    "grid-mirror": "symmetric",
    "circular": "circular",
    "wrap": "circular",
    "grid-wrap": "circular",
}
NAMED_PADDINGS = ("valid", "same", "same_lower", "full", "causal")

# Storage type: (type of the sums, type of the results).
_ARITHMETIC = {
    "float16": ("float32", "float16"),
    "bfloat16": ("float32", "bfloat16"),
    "float32": ("float32", "float32"),
    "float64": ("float64", "float64"),
    "int8": ("int32", "int32"),
    "uint8": ("int32", "int32"),
    **dict.fromkeys(("int16", "int32", "int64"), ("int64", "int64")),
    **dict.fromkeys(("uint16", "uint32", "uint64"), ("uint64", "uint64")),
}

Pairs = tuple[tuple[int, int], ...]


class Arithmetic(NamedTuple):
    """How the elements of a storage type are summed, and what the sums are stored as."""

    compute: np.dtype[Any]
    out: np.dtype[Any]


_known: dict[np.dtype[Any], Arithmetic] = {}
_zeros: dict[np.dtype[Any], np.ndarray[Any, Any]] = {}


def arithmetic(function: str, name: str, dtype: np.dtype[Any]) -> Arithmetic:
    """Types that go with a storage type; TypeError for a type that is not computed with."""
    found = _known.get(dtype)
    if found is None:
        names = _ARITHMETIC.get(dtype.name)
        if names is None or not dtype.isnative:
            if names:
                fix = f"convert it with {name}.astype({name}.dtype.newbyteorder('='))"
            elif dtype.kind == "c":
                fix = f"call with {name}.real and {name}.imag apart"
            else:
                fix = "convert it to one of " + ", ".join(_ARITHMETIC)
            raise TypeError(f"{function}: {name} has dtype {dtype.str!r} ({dtype}); {fix}.")
        out = dtype if names[1] == dtype.name else np.dtype(names[1])
        found = _known[dtype] = Arithmetic(np.dtype(names[0]), out)
    return found


def integer(function: str, name: str, value: Any, least: int) -> int:
    """One int, `least` or more, that fits an int32."""
    number = _as_int(value)
    if number is None:
        raise TypeError(f"{function}: {name} must be an int, got {value!r}; pass a whole number.")
    _check_range(function, name, value, number, least)
    return number


def per_axis(function: str, name: str, value: Any, rank: int, least: int = 1) -> tuple[int, ...]:
    """One int, `least` or more, for all axes, or one for each."""
    if type(value) is int:
        _check_range(function, name, value, value, least)
        return (value,) * rank
    items = _items(value)
    given = (value,) if items is None else items
    numbers = [n for item in given if (n := _as_int(item)) is not None]
    if len(numbers) != len(given):
        raise TypeError(
            f"{function}: {name} must be an int or {_ints(rank)}, got {value!r}; "
            f"pass {name}={least}."
        )
    if items is None:
        numbers *= rank
    if len(numbers) != rank:
        raise ValueError(
            f"{function}: {name} has length {len(numbers)} with {_axes(rank)}, got {value!r}; "
            f"pass an int or {_ints(rank)}."
        )
    for number in numbers:
        _check_range(function, name, value, number, least)
    return tuple(numbers)


def padding_widths(function: str, padding: Any, rank: int) -> Pairs:
    """Numeric padding as one (before, after) for each axis; negative widths crop.

    An int; a sequence of `rank` ints; or a sequence of `rank` pairs. The three cannot be confused:
    a sequence is read by whether its items are ints or pairs, never by its length.
    """
    if type(padding) is int and -INDEX_MAX <= padding <= INDEX_MAX:
        return ((padding, padding),) * rank
    number, given = _as_int(padding), _items(padding)
    forms = f"an int, {_ints(rank)}, or a (before, after) pair for each of {_axes(rank)}"
    if number is not None:
        pairs: list[Any] = [(number, number)] * rank
    elif given is None:
        raise TypeError(f"{function}: padding must be {forms}, got {padding!r}; pass padding=0.")
    else:
        pairs = [(n, n) if (n := _as_int(item)) is not None else _pair(item) for item in given]
        alike = len({_as_int(item) is None for item in given}) <= 1
        if None in pairs or not alike:
            raise TypeError(
                f"{function}: padding must be {forms}, got {padding!r}; pass one of these."
            )
        if len(pairs) != rank:
            example = f"(({given[0]}, {given[1]}),)" if rank == 1 and len(pairs) == 2 else "an int"
            raise ValueError(
                f"{function}: padding has length {len(pairs)} with {_axes(rank)}, got {padding!r}; "
                f"pass {example if rank == 1 else forms}."
            )
    for before, after in pairs:
        if not (-INDEX_MAX <= before <= INDEX_MAX and -INDEX_MAX <= after <= INDEX_MAX):
            raise ValueError(
                f"{function}: padding must lie within ±{INDEX_MAX}, got {padding!r}; "
                "pass smaller widths."
            )
    return tuple(pairs)


def named_padding(
    function: str,
    padding: str,
    sizes: Sequence[int],
    extents: Sequence[int],
    strides: Sequence[int],
) -> Pairs:
    """Padding given by name, as one (before, after) for each axis."""
    if padding == "valid":
        return ((0, 0),) * len(sizes)
    if padding == "full":
        return tuple((extent - 1, extent - 1) for extent in extents)
    if padding == "causal":
        if len(sizes) > 1:
            raise ValueError(
                f"{function}: padding='causal' is for one axis, which is time; pass a "
                f"(before, after) pair for each of {_axes(len(sizes))}."
            )
        return ((extents[0] - 1, 0),)
    if padding not in NAMED_PADDINGS:
        raise ValueError(
            f"{function}: padding must be an int, ints, pairs or one of "
            f"{', '.join(NAMED_PADDINGS)}, got {padding!r}; pass one of these."
        )
    pairs = []
    for size, extent, stride in zip(sizes, extents, strides, strict=True):
        total = max((-(-size // stride) - 1) * stride + extent - size, 0)
        less, more = total // 2, total - total // 2
        pairs.append((less, more) if padding == "same" else (more, less))
    return tuple(pairs)


def boundary_modes(function: str, padding_mode: Any, rank: int) -> tuple[str, ...]:
    """Canonical mode of each axis, from one name or one for each axis."""
    if isinstance(padding_mode, str):
        mode = MODES.get(padding_mode)
        if mode is not None:
            return (mode,) * rank
        modes: list[Any] = [padding_mode]
    else:
        given = _items(padding_mode)
        if given is None or not all(isinstance(mode, str) for mode in given):
            raise TypeError(
                f"{function}: padding_mode must be a name or one name for each of {_axes(rank)}, "
                f"got {padding_mode!r}; pass padding_mode='constant'."
            )
        modes = list(given)
        if len(modes) != rank:
            raise ValueError(
                f"{function}: padding_mode has length {len(modes)} with {_axes(rank)}, "
                f"got {padding_mode!r}; pass one name, or one for each axis."
            )
    unknown = [mode for mode in modes if mode not in MODES]
    if unknown:
        raise ValueError(
            f"{function}: padding_mode {unknown[0]!r} is unknown; pass one of {', '.join(MODES)}."
        )
    return tuple(MODES[mode] for mode in modes)


def fill_of(
    function: str, fill_value: Any, dtype: np.dtype[Any], channels: int, modes: tuple[str, ...]
) -> np.ndarray[Any, Any]:
    """The fill, read-only, in `dtype`, with shape () or (channels,).

    An array on a device stays there, so that nothing waits for it; its shape and dtype must fit.
    """
    if fill_value is None:
        zero = _zeros.get(dtype)
        if zero is None:
            zero = _zeros[dtype] = np.zeros((), dtype)
            zero.flags.writeable = False
        return zero
    if "constant" not in modes:
        raise ValueError(
            f"{function}: fill_value is for padding_mode 'constant', got fill_value={fill_value!r} "
            f"with padding_mode {modes[0]!r}; leave fill_value out or pass "
            "padding_mode='constant'."
        )
    if is_cupy(fill_value):
        return _device_fill(function, fill_value, dtype, channels)
    values = _real_numbers(fill_value)
    if values is None:
        if type(fill_value) is int:
            raise ValueError(
                f"{function}: fill_value {fill_value!r} does not fit {dtype}; pass a smaller value."
            )
        raise TypeError(
            f"{function}: fill_value must be a real number or {channels} of them, one for each "
            f"input channel, got {fill_value!r}; pass a number."
        )
    if values.shape not in ((), (channels,)):
        raise ValueError(
            f"{function}: fill_value must have shape () or ({channels},), one value for each "
            f"input channel, got shape {values.shape}; pass a number or {channels} numbers."
        )
    return _round_fill(function, fill_value, values, dtype)


def is_cupy(value: Any) -> bool:
    cupy = sys.modules.get("cupy")
    return cupy is not None and isinstance(value, cupy.ndarray)


def _device_fill(function: str, fill: Any, dtype: np.dtype[Any], channels: int) -> Any:
    if fill.dtype != dtype:
        raise TypeError(
            f"{function}: a fill_value on a device must have the input's dtype {dtype}, got "
            f"{fill.dtype}; convert with fill_value.astype({dtype.name!r})."
        )
    if fill.shape != (channels,):
        raise ValueError(
            f"{function}: a fill_value on a device must have shape ({channels},), one value for "
            f"each input channel, got shape {fill.shape}; pass a number or {channels} numbers."
        )
    return fill if fill.strides == (fill.itemsize,) else fill.copy()


def _round_fill(
    function: str, given: Any, values: np.ndarray[Any, Any], dtype: np.dtype[Any]
) -> np.ndarray[Any, Any]:
    """`values` in `dtype`: rounded as assignment does for floats, exact or refused for integers."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        fill = values.astype(dtype)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        exact = all(
            number == number // 1 and info.min <= number <= info.max
            for number in values.ravel().tolist()
        )
        rule = f"does not fit {dtype} exactly; pass an integer from {info.min} to {info.max}"
    else:
        infinite = np.isinf(fill)
        exact = not infinite.any() or bool(np.isinf(values[infinite]).all())
        rule = f"overflows {dtype}; pass a smaller value or convert the input to a wider type"
    if not exact:
        raise ValueError(f"{function}: fill_value {given!r} {rule}.")
    fill.flags.writeable = False
    return fill


def _real_numbers(value: Any) -> np.ndarray[Any, Any] | None:
    """`value` as an array of real numbers; None for anything else, booleans included."""
    if isinstance(value, np.ma.MaskedArray) or (
        isinstance(value, tuple | list) and any(isinstance(item, bool) for item in value)
    ):
        return None
    try:
        values = np.asarray(value)
    except (TypeError, ValueError):
        return None
    return values if values.dtype.kind in "iuf" or values.dtype.name == "bfloat16" else None


def _as_int(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def _items(value: Any) -> tuple[Any, ...] | None:
    """The items of a tuple, list or array; None for anything else."""
    if isinstance(value, np.ndarray) and value.ndim:
        value = value.tolist()
    return tuple(value) if isinstance(value, tuple | list) else None


def _pair(value: Any) -> tuple[int, int] | None:
    items = _items(value)
    if items is None or len(items) != 2:
        return None
    before, after = _as_int(items[0]), _as_int(items[1])
    return None if before is None or after is None else (before, after)


def _check_range(function: str, name: str, given: Any, number: int, least: int) -> None:
    if not least <= number <= INDEX_MAX:
        raise ValueError(
            f"{function}: {name} must be at least {least} and at most {INDEX_MAX}, got {given!r}; "
            f"pass {name}={least}."
        )


def _axes(rank: int) -> str:
    return "1 spatial axis" if rank == 1 else f"{rank} spatial axes"


def _ints(rank: int) -> str:
    return "a sequence of 1 int" if rank == 1 else f"a sequence of {rank} ints"
