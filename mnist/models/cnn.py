"""A convolutional network for 28x28 images, in the line of LeNet-5 (LeCun et al., 1998).

The last feature maps are pooled over the whole image, so the classifier is one linear layer
whatever their size. Faster R-CNN has the same convolutions.
"""

from typing import Any

from torch import Tensor, nn

from mnist.models.inference import PIXEL_MEAN, PIXEL_STD
from mnist.models.weights_io import from_architecture
from mnist.params import Params


def build(params: Params) -> "CNN":
    """Build the network that params.yaml describes, with random weights."""
    architecture = {
        "convolutions": convolution_lists(params),
        "dropout": params.cnn.dropout,
        "classes": len(params.data.classes),
    }
    return from_architecture(CNN, architecture)


def convolution_lists(params: Params) -> dict[str, Any]:
    """Return the arguments of `make_convolutions` from the section `cnn` of params.yaml."""
    lists = {"widths", "kernel_sizes", "strides", "paddings", "pools"}
    return params.cnn.model_dump(include=lists)


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


class CNN(nn.Module):
    """Maps grey images (N, 1, 28, 28) in 0..1 to logits (N, classes).

    Args:
        convolutions: the arguments of `make_convolutions`.
        dropout: share of the pooled features that is dropped.
    """

    def __init__(self, *, convolutions: dict[str, Any], dropout: float, classes: int) -> None:
        super().__init__()
        self.features = make_convolutions(**convolutions)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(convolutions["widths"][-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.features((images - PIXEL_MEAN) / PIXEL_STD)  # (N, channels, height, width)
        pooled = maps.amax(dim=(2, 3))  # global max pooling: (N, channels)
        return self.head(self.dropout(pooled))
