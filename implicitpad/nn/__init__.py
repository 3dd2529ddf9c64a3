"""Layers that carry padding through a network: enough for a VGG, a ResNet or a U-Net."""

from .branches import Residual, Skip
from .convolutions import Conv1d, Conv2d, Conv3d
from .layer import Layer, Pointwise, Sequential
from .pointwise import (
    GELU,
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)
from .resampling import GlobalAvgPool, GlobalMaxPool, PixelShuffle, Upsample

__all__ = [
    "GELU",
    "BatchNorm",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "GroupNorm",
    "InstanceNorm",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "PixelShuffle",
    "Pointwise",
    "ReLU",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Skip",
    "Softmax",
    "Tanh",
    "Upsample",
]
