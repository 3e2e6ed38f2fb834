"""The backbones of VGG16 and AlexNet with ImageNet weights, in files.

The SHA-256 of the numbers decides whether a file is right, so that results do not depend on where
it came from.
"""

import hashlib
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from mnist.errors import SourceError

# torchvision's layer numbers of the convolutions in `features`.
LAYERS = {
    "vgg16": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
    "alexnet": (0, 3, 6, 8, 10),
}
# SHA-256 of the backbone: of each convolution the kernel (OIHW, little-endian float32), then the
# bias.
CHECKSUMS = {
    "vgg16": "40acdda7c6b05249f81637b2571671ce938507c5f986db17af374cf62a2f42a6",
    "alexnet": "2b566cc3a4d6f0a7343701af22f461f1ac3dcd03a3ac28cce10968a1d3c85fdc",
}
# Kernels (OIHW) and biases by torchvision's names, such as "0.weight" and "0.bias".
Backbone = dict[str, Tensor]


def read(path: Path, network: str) -> Backbone:
    """Read a backbone from a .safetensors file.

    Raises:
        SourceError: the file is missing or damaged, or its numbers are not the published ones.
    """
    try:
        backbone = load_file(path)
    except FileNotFoundError:
        raise SourceError(f"{path} is missing") from None
    except SafetensorError as error:
        raise SourceError(f"{path} is not a safetensors file: {error}") from None
    verify(backbone, network)
    return backbone


def verify(backbone: Backbone, network: str) -> None:
    """Raise SourceError unless the backbone has exactly the published tensors and numbers."""
    names = {f"{layer}.{part}" for layer in LAYERS[network] for part in ("weight", "bias")}
    if backbone.keys() != names:
        example = min(backbone.keys() ^ names)
        raise SourceError(f"the weights of {network} have other layers, such as {example}")
    if any(tensor.dtype != torch.float32 for tensor in backbone.values()):
        raise SourceError(f"the weights of {network} are not float32")
    found = checksum(backbone, network)
    if found != CHECKSUMS[network]:
        raise SourceError(
            f"the weights of {network} are not ImageNet's: "
            f"SHA-256 {found[:12]}..., not {CHECKSUMS[network][:12]}..."
        )


def checksum(backbone: Backbone, network: str) -> str:
    """SHA-256 of the numbers of a backbone, in the order of its layers."""
    total = hashlib.sha256()
    for layer in LAYERS[network]:
        for part in ("weight", "bias"):
            numbers = backbone[f"{layer}.{part}"].detach().cpu().numpy()
            total.update(np.ascontiguousarray(numbers, dtype="<f4").tobytes())
    return total.hexdigest()
