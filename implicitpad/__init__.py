"""Convolution with implicit padding: a width and a fill value, never written to memory."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._backward import Gradients, conv1d_backward, conv2d_backward, conv3d_backward
from ._conv import conv1d, conv2d, conv3d
from ._layers import Conv1d, Conv2d, Conv3d
from ._pool import avg_pool1d, avg_pool2d, avg_pool3d, max_pool1d, max_pool2d, max_pool3d
from ._shapes import Cost, ReceptiveField, cost, output_shape, receptive_field
from ._threads import get_num_threads, set_num_threads
from ._transpose import conv_transpose1d, conv_transpose2d, conv_transpose3d
from .padded import PaddedArray, PaddedGrad

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "Cost",
    "Gradients",
    "PaddedArray",
    "PaddedGrad",
    "ReceptiveField",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
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
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "nn",
    "output_shape",
    "plan",
    "receptive_field",
    "required_padding",
    "set_num_threads",
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
