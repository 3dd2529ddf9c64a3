"""What makes a padded array an array to NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .fills import refuse

if TYPE_CHECKING:
    from .array import PaddedArray


class NumPyMethods(np.lib.mixins.NDArrayOperatorsMixin):
    """Methods of `PaddedArray` with NumPy's names, and NumPy's two protocols.

    The rules are imported when first used, as they are built on arrays.
    """

    __slots__ = ()

    def astype(self: Any, dtype: Any) -> PaddedArray:
        from .elementwise import elementwise

        return elementwise("astype", lambda a: a.astype(dtype), self)

    def sum(self: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
        return np.sum(self, axis=axis, dtype=dtype, keepdims=keepdims)

    def mean(self: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
        return np.mean(self, axis=axis, dtype=dtype, keepdims=keepdims)

    def max(self: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return np.max(self, axis=axis, keepdims=keepdims)

    def min(self: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return np.min(self, axis=axis, keepdims=keepdims)

    def var(self: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
        return np.var(self, axis=axis, ddof=ddof, keepdims=keepdims)

    def std(self: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
        return np.std(self, axis=axis, ddof=ddof, keepdims=keepdims)

    def all(self: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return np.all(self, axis=axis, keepdims=keepdims)

    def any(self: Any, axis: Any = None, keepdims: bool = False) -> Any:
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
