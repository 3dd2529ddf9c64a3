"""Convolution with implicit padding: a width and a fill value, never written to memory."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._backward import Gradients, conv1d_backward, conv2d_backward, conv3d_backward
from ._conv import conv1d, conv2d, conv3d
from ._layers import Conv1d, Conv2d, Conv3d
from ._linear_operator import ConvOperator, linear_operator
from ._pool import max_pool1d, max_pool2d, max_pool3d
from ._pool_average import avg_pool1d, avg_pool2d, avg_pool3d
from ._pool_backward import (
    PoolGradients,
    avg_pool1d_backward,
    avg_pool2d_backward,
    avg_pool3d_backward,
    max_pool1d_backward,
    max_pool2d_backward,
    max_pool3d_backward,
)
from ._pool_global import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    global_avg_pool,
    global_max_pool,
)
from ._shapes import Cost, ReceptiveField, cost, output_shape, receptive_field
from ._threads import get_num_threads, set_num_threads
from ._transpose import conv_transpose1d, conv_transpose2d, conv_transpose3d
from ._windows import Windows, pad, windows
from .padded import PaddedArray, PaddedGrad

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
    "receptive_field",
    "required_padding",
    "set_num_threads",
    "windows",
]
__version__ = "0.1.0"

if TYPE_CHECKING:
    from . import nn
    from .nn import plan, required_padding


def __getattr__(name: str) -> Any:
    """Layers and their plans load when first used."""
    if name in ("nn", "plan", "required_padding"):
        layers = import_module(".nn", __name__)
        return layers if name == "nn" else getattr(layers, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
