"""A convolutional network for 28x28 images, in the line of LeNet-5 (LeCun et al., 1998).

The last feature maps are pooled over the whole image, so the classifier is one linear layer
whatever their size.
"""

from typing import Any

from torch import Tensor, nn

from mnist.models.convolutions import convolution_lists, make_convolutions
from mnist.models.inference import PIXEL_MEAN, PIXEL_STD
from mnist.models.weights_io import from_architecture
from mnist.params import Params


def build(params: Params) -> "CNN":
    """Build the network that params.yaml describes, with random weights."""
    architecture = {
        "convolutions": convolution_lists(params.cnn),
        "dropout": params.cnn.dropout,
        "classes": len(params.data.classes),
    }
    return from_architecture(CNN, architecture)


class CNN(nn.Module):
    """Maps grey images (N, 1, 28, 28) in 0..1 to logits (N, classes).

    Args:
        convolutions: the arguments of `make_convolutions`.
        dropout: fraction of the pooled features that is dropped.
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
