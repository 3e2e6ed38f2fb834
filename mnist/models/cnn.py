"""A convolutional network for 28x28 images, in the line of LeNet-5 (LeCun et al., 1998).

Each layer is convolution, batch normalisation (Ioffe & Szegedy, 2015), ReLU and max pooling. The
last feature maps are pooled over the whole image, so the classifier is one linear layer whatever
the sizes before it.
"""

from collections.abc import Sequence

from torch import Tensor, nn

# Mean and standard deviation of MNIST's training pixels in 0..1: inputs start out centred.
PIXEL_MEAN, PIXEL_STD = 0.1307, 0.3081


class CNN(nn.Module):
    """Maps grey images (N, 1, 28, 28) in 0..1 to logits (N, classes).

    The five lists have one entry a convolution: its output channels, kernel side, stride and
    padding in pixels, and the side of the max pooling after it (1: none).
    """

    def __init__(
        self,
        *,
        widths: Sequence[int],
        kernel_sizes: Sequence[int],
        strides: Sequence[int],
        paddings: Sequence[int],
        pools: Sequence[int],
        dropout: float,
        classes: int = 10,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for width, kernel, stride, padding, pool in zip(
            widths, kernel_sizes, strides, paddings, pools, strict=True
        ):
            # The normalisation subtracts the mean, so a bias before it would do nothing.
            layers += [
                nn.Conv2d(channels, width, kernel, stride, padding, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            if pool > 1:
                layers.append(nn.MaxPool2d(pool))
            channels = width
        self.features = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.features((images - PIXEL_MEAN) / PIXEL_STD)  # (N, channels, height, width)
        strongest = maps.amax(dim=(2, 3))  # where a stroke lies matters less than that it is there
        return self.classifier(self.dropout(strongest))
