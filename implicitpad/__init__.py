"""Convolution with implicit padding: a width and a fill value, never written to memory."""

from ._conv import conv1d, conv2d, conv3d
from ._layers import Conv1d, Conv2d, Conv3d
from ._threads import get_num_threads, set_num_threads

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "conv1d",
    "conv2d",
    "conv3d",
    "get_num_threads",
    "set_num_threads",
]
__version__ = "0.1.0"
