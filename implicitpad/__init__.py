"""Convolution with implicit padding: a width and a fill value, never written to memory."""

from ._backward import Gradients, conv1d_backward, conv2d_backward, conv3d_backward
from ._conv import conv1d, conv2d, conv3d
from ._layers import Conv1d, Conv2d, Conv3d
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

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "Cost",
    "Gradients",
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
    "max_pool1d",
    "max_pool1d_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "max_pool3d",
    "max_pool3d_backward",
    "output_shape",
    "pad",
    "receptive_field",
    "set_num_threads",
    "windows",
]
__version__ = "0.1.0"
