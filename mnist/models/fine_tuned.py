"""ImageNet networks with a new, small head for the classes at hand.

The convolutional backbone is torchvision's, so ImageNet weights fit it. The 1000-class classifier
behind it, which holds most of the parameters of VGG16 and AlexNet, is dropped.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import alexnet, vgg16

from mnist.models.weights_io import from_architecture
from mnist.params import FineTunedParams

NETWORKS = {"vgg16": vgg16, "alexnet": alexnet}
# ImageNet's mean and standard deviation by colour channel, for pixels in 0..1.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def build_fine_tuned(network: str, section: FineTunedParams, classes: int) -> "FineTunedNetwork":
    """Build the network that a section of params.yaml describes, with random weights.

    Its first blocks are frozen: they learn nothing, so they cost a forward pass only.
    """
    architecture = {
        "network": network,
        "input_size": section.input_size,
        "dropout": section.dropout,
        "classes": classes,
    }
    model = from_architecture(FineTunedNetwork, architecture)
    blocks = section.frozen_blocks
    for layer in model.backbone:
        if blocks == 0:
            break
        layer.requires_grad_(False)
        blocks -= isinstance(layer, nn.MaxPool2d)  # a block ends in a max pooling
    return model


class FineTunedNetwork(nn.Module):
    """Maps grey images (N, 1, H, W) in 0..1 to logits (N, classes).

    The backbone's last max pooling is left out: the head sees more positions, which small images
    need.

    Args:
        network: a key of `NETWORKS`.
        input_size: images are resized to this side in pixels.
        dropout: share of the head's inputs that is dropped.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, *, network: str, input_size: int, dropout: float, classes: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)
        self.backbone = make_backbone(network)[:-1]
        with torch.no_grad():
            features = self.backbone(torch.zeros(1, 3, input_size, input_size)).numel()
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(features, classes))

    def forward(self, images: Tensor) -> Tensor:
        images = F.interpolate(images, self.input_size, mode="bilinear")
        # A grey image in colour: three equal channels, each normalised as ImageNet's was.
        return self.head(self.backbone((images - self.mean) / self.std))


def make_backbone(network: str) -> nn.Sequential:
    """Build the convolutional layers of `network`, (N, 3, H, W) to feature maps.

    The weights are random, by He initialisation (He et al., 2015).
    """
    with torch.device("meta"):  # allocates no memory for the large classifier, which is dropped
        backbone = NETWORKS[network]().features
    backbone = backbone.to_empty(device="cpu")
    for layer in backbone:
        if isinstance(layer, nn.Conv2d) and layer.bias is not None:
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    return backbone
