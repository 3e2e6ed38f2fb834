"""The convolutional layers of the CNN, which Faster R-CNN uses too."""

import math
from typing import Any

from torch import nn

from mnist.params import CNNParams

LISTS = ("widths", "kernel_sizes", "strides", "paddings", "pools")


def convolution_lists(section: CNNParams) -> dict[str, Any]:
    """Return the arguments of `make_convolutions` from the section `cnn` of params.yaml."""
    return section.model_dump(include=set(LISTS))


def make_convolutions(
    *,
    widths: list[int],
    kernel_sizes: list[int],
    strides: list[int],
    paddings: list[int],
    pools: list[int],
) -> nn.Sequential:
    """Stack convolution, batch normalisation (Ioffe & Szegedy, 2015), ReLU and max pooling.

    The lists have one entry per convolution: its output channels, kernel side, stride and padding
    in pixels, and the side of the max pooling after it (1: none).

    Returns:
        A module that maps images (N, 1, H, W) to feature maps (N, widths[-1], H', W').
    """
    layers: list[nn.Module] = []
    channels = 1
    for width, kernel, stride, padding, pool in zip(
        widths, kernel_sizes, strides, paddings, pools, strict=True
    ):
        # Batch normalisation subtracts the mean, so a bias before it would have no effect.
        layers += [
            nn.Conv2d(channels, width, kernel, stride, padding, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        ]
        if pool > 1:
            layers.append(nn.MaxPool2d(pool))
        channels = width
    return nn.Sequential(*layers)


def total_stride(lists: dict[str, Any]) -> int:
    """Return how many pixels of the image lie between neighbours in the feature maps."""
    return math.prod(lists["strides"]) * math.prod(lists["pools"])
