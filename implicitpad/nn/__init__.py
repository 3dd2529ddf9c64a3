"""Layers that carry padding through a network: enough for a VGG, a ResNet or a U-Net."""

from . import networks
from .branches import Residual, Skip
from .convolutions import Conv1d, Conv2d, Conv3d
from .layer import Layer, Pointwise, Sequential
from .planning import Plan, plan, required_padding
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
from .pooling import AvgPool1d, AvgPool2d, AvgPool3d, MaxPool1d, MaxPool2d, MaxPool3d
from .resampling import GlobalAvgPool, GlobalMaxPool, PixelShuffle, PixelUnshuffle, Upsample
from .transposed import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d

__all__ = [
    "GELU",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "BatchNorm",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "GroupNorm",
    "InstanceNorm",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "PixelShuffle",
    "PixelUnshuffle",
    "Plan",
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
    "networks",
    "plan",
    "required_padding",
]
