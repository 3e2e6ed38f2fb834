"""VGG16 (Simonyan & Zisserman, 2015) and AlexNet (Krizhevsky, 2014) with a head for ten digits.

The convolutional backbone is torchvision's, so ImageNet weights fit it; of the 1000-class classifier
behind it, most of both networks' parameters, nothing is kept.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import alexnet, vgg16

NETWORKS = {"vgg16": vgg16, "alexnet": alexnet}
# ImageNet's mean and standard deviation by colour channel, for pixels in 0..1.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class FineTunedNetwork(nn.Module):
    """Maps grey images (N, 1, H, W) in 0..1 to logits (N, classes).

    Args:
        network: whose backbone.
        input_size: images are resized to this side in pixels.
        last_pool: whether the backbone ends in its max pooling; without it the head sees 4 times as
            many places, which small images need.
        hidden: width of a hidden layer in the head; 0 for none.
        dropout: share of the head's inputs that is dropped.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        *,
        network: Literal["vgg16", "alexnet"],
        input_size: int,
        last_pool: bool,
        hidden: int,
        dropout: float,
        classes: int = 10,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)
        self.backbone = make_backbone(network)
        if not last_pool:
            self.backbone = self.backbone[:-1]
        with torch.no_grad():
            features = self.backbone(torch.zeros(1, 3, input_size, input_size)).numel()
        layers: list[nn.Module] = [nn.Flatten(), nn.Dropout(dropout)]
        if hidden:
            layers += [nn.Linear(features, hidden), nn.ReLU(inplace=True), nn.Dropout(dropout)]
        self.head = nn.Sequential(*layers, nn.Linear(hidden or features, classes))

    def forward(self, images: Tensor) -> Tensor:
        size = (self.input_size, self.input_size)
        if images.shape[-2:] != size:
            images = F.interpolate(images, size, mode="bilinear", align_corners=False)
        # A grey image in colour: three equal channels, each normalised as ImageNet's was.
        return self.head(self.backbone((images - self.mean) / self.std))

    def freeze(self, blocks: int) -> None:
        """Keep the first `blocks` blocks of the backbone as they are; a block ends in a max pooling.

        Their outputs need no gradient, so they cost a forward pass alone.
        """
        for layer in self.backbone:
            if blocks == 0:
                break
            layer.requires_grad_(False)
            blocks -= isinstance(layer, nn.MaxPool2d)


def make_backbone(network: str) -> nn.Sequential:
    """Build the convolutional layers of `network`, (N, 3, H, W) to feature maps.

    Their weights are random, in the way that suits ReLUs (He et al., 2015).
    """
    with torch.device("meta"):  # spares us the large classifier, which is dropped unused
        backbone = NETWORKS[network]().features
    backbone = backbone.to_empty(device="cpu")
    for layer in backbone:
        if isinstance(layer, nn.Conv2d) and layer.bias is not None:
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    return backbone
