"""Three well-known networks that pad nothing in their layers: pad the input once instead."""

from __future__ import annotations

from typing import Any

from .branches import Residual, Skip
from .convolutions import Conv2d
from .layer import Layer, Sequential
from .pointwise import BatchNorm, ReLU
from .pooling import MaxPool2d
from .transposed import ConvTranspose2d


def vgg16(in_channels: int = 3, *, rng: Any = None) -> Sequential:
    """The thirteen convolutions and five pools of VGG-16.

    References
    ----------
    K. Simonyan, A. Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition,
    2015, arXiv:1409.1556, table 1, column D.
    """
    layers: list[Layer] = []
    for count, channels in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
        for _ in range(count):
            layers += [Conv2d(in_channels, channels, 3, rng=rng), ReLU()]
            in_channels = channels
        layers.append(MaxPool2d(2))
    return Sequential(*layers)


def resnet50(in_channels: int = 3, *, rng: Any = None) -> Sequential:
    """The convolutions of ResNet-50, with the strides on the first 1×1 layers as published.

    References
    ----------
    K. He, X. Zhang, S. Ren, J. Sun, Deep Residual Learning for Image Recognition, 2016,
    arXiv:1512.03385, table 1.
    """
    layers: list[Layer] = [
        Conv2d(in_channels, 64, 7, 2, bias=False, rng=rng), BatchNorm(64), ReLU(), MaxPool2d(3, 2)
    ]  # fmt: skip
    channels = 64
    for count, width, stride in ((3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2)):
        for index in range(count):
            step = stride if index == 0 else 1
            layers += [_bottleneck(channels, width, step, rng), ReLU()]
            channels = 4 * width
    return Sequential(*layers)


def unet(
    in_channels: int = 1,
    out_channels: int = 2,
    width: int = 64,
    depth: int = 4,
    *,
    padding: int = 0,
    rng: Any = None,
) -> Sequential:
    """The U-Net, whose convolutions are unpadded from the start: 572 pixels in, 388 out.

    With ``padding=1`` it is the usual variant that pads in every layer and crops nothing.

    References
    ----------
    O. Ronneberger, P. Fischer, T. Brox, U-Net: Convolutional Networks for Biomedical Image
    Segmentation, 2015, arXiv:1505.04597, figure 1.
    """
    return Sequential(
        *_level(in_channels, width, depth, padding, rng), Conv2d(width, out_channels, 1, rng=rng)
    )


def _bottleneck(channels: int, width: int, stride: int, rng: Any) -> Residual:
    out = 4 * width
    shortcut = None
    if channels != out or stride > 1:
        conv = Conv2d(channels, out, 1, stride, bias=False, rng=rng)
        shortcut = Sequential(conv, BatchNorm(out))
    return Residual(
        Conv2d(channels, width, 1, stride, bias=False, rng=rng), BatchNorm(width), ReLU(),
        Conv2d(width, width, 3, bias=False, rng=rng), BatchNorm(width), ReLU(),
        Conv2d(width, out, 1, bias=False, rng=rng), BatchNorm(out),
        shortcut=shortcut,
    )  # fmt: skip


def _level(in_channels: int, width: int, depth: int, padding: int, rng: Any) -> list[Layer]:
    """One resolution of a U-Net and all below it."""
    layers = _twice(in_channels, width, padding, rng)
    if depth:
        below = _level(width, 2 * width, depth - 1, padding, rng)
        up = ConvTranspose2d(2 * width, width, 2, 2, rng=rng)
        layers += [Skip(MaxPool2d(2), *below, up), *_twice(2 * width, width, padding, rng)]
    return layers


def _twice(in_channels: int, width: int, padding: int, rng: Any) -> list[Layer]:
    return [
        Conv2d(in_channels, width, 3, padding=padding, rng=rng), ReLU(),
        Conv2d(width, width, 3, padding=padding, rng=rng), ReLU(),
    ]  # fmt: skip
