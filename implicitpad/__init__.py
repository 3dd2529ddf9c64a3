"""Convolution with implicit padding: a width and a fill value, never written to memory."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._conv import conv1d, conv2d, conv3d
from ._layers import Conv1d, Conv2d, Conv3d
from ._precision import precision
from ._threads import get_num_threads, set_num_threads
from .padded import PaddedArray

if TYPE_CHECKING:
    from . import nn
    from ._backward import Gradients, conv1d_backward, conv2d_backward, conv3d_backward
    from ._linear_operator import ConvOperator, linear_operator
    from ._pad import pad
    from ._pool import max_pool1d, max_pool2d, max_pool3d
    from ._pool_average import avg_pool1d, avg_pool2d, avg_pool3d
    from ._pool_average_backward import (
        avg_pool1d_backward,
        avg_pool2d_backward,
        avg_pool3d_backward,
    )
    from ._pool_backward import max_pool1d_backward, max_pool2d_backward, max_pool3d_backward
    from ._pool_global import (
        adaptive_avg_pool1d,
        adaptive_avg_pool2d,
        adaptive_avg_pool3d,
        global_avg_pool,
        global_max_pool,
    )
    from ._pool_gradients import PoolGradients
    from ._shapes import Cost, ReceptiveField, cost, output_shape, receptive_field
    from ._transpose import conv_transpose1d, conv_transpose2d, conv_transpose3d
    from ._windows import Windows, windows
    from .nn import plan, required_padding
    from .padded.gradients import PaddedGrad

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvOperator",
    "Cost",
    "Gradients",
    "PaddedArray",
    "PaddedGrad",
    "PoolGradients",
    "ReceptiveField",
    "Windows",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "avg_pool1d",
    "avg_pool1d_backward",
    "avg_pool2d",
    "avg_pool2d_backward",
    "avg_pool3d",
    "avg_pool3d_backward",
    "conv1d",
    "conv1d_backward",
    "conv2d",
    "conv2d_backward",
    "conv3d",
    "conv3d_backward",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cost",
    "get_num_threads",
    "global_avg_pool",
    "global_max_pool",
    "linear_operator",
    "max_pool1d",
    "max_pool1d_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "max_pool3d",
    "max_pool3d_backward",
    "nn",
    "output_shape",
    "pad",
    "plan",
    "precision",
    "receptive_field",
    "required_padding",
    "set_num_threads",
    "windows",
]
__version__ = "0.1.0"

# What is not needed for a first convolution loads when it is first used.
_RANKS = ("1d", "2d", "3d")
_LATER = {
    "_backward": ["Gradients", *(f"conv{rank}_backward" for rank in _RANKS)],
    "_linear_operator": ["ConvOperator", "linear_operator"],
    "_pool": [f"max_pool{rank}" for rank in _RANKS],
    "_pool_average": [f"avg_pool{rank}" for rank in _RANKS],
    "_pool_average_backward": [f"avg_pool{rank}_backward" for rank in _RANKS],
    "_pool_backward": [f"max_pool{rank}_backward" for rank in _RANKS],
    "_pool_global": [
        *(f"adaptive_avg_pool{rank}" for rank in _RANKS),
        "global_avg_pool",
        "global_max_pool",
    ],
    "_pool_gradients": ["PoolGradients"],
    "_shapes": ["Cost", "ReceptiveField", "cost", "output_shape", "receptive_field"],
    "_transpose": [f"conv_transpose{rank}" for rank in _RANKS],
    "_pad": ["pad"],
    "_windows": ["Windows", "windows"],
    "nn": ["plan", "required_padding"],
    "padded.gradients": ["PaddedGrad"],
}
_HOME = {name: module for module, names in _LATER.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "nn":
        return import_module(".nn", __name__)
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module("." + _HOME[name], __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
