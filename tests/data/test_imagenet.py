"""ImageNet weights: verified to the last byte, from any source, without running a pickle."""

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mnist.data import imagenet
from mnist.errors import SourceError, UserError
from mnist.models.fine_tuned import make_backbone
from stages import fetch_weights


@pytest.fixture(autouse=True)
def random_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the published backbones by random ones."""
    sums = {name: imagenet.checksum(backbone(name), name) for name in ("alexnet", "vgg16")}
    monkeypatch.setattr(imagenet, "CHECKSUMS", sums)


def backbone(network: str = "alexnet") -> imagenet.Backbone:
    torch.manual_seed(0)
    return make_backbone(network).state_dict()


def test_the_pypi_layout_gives_the_same_backbone() -> None:
    tree = {
        f"Conv_{i}": {
            "kernel": backbone()[f"{layer}.weight"].numpy().transpose(2, 3, 1, 0),
            "bias": backbone()[f"{layer}.bias"].numpy(),
        }
        for i, layer in enumerate(imagenet.LAYERS["alexnet"])
    }
    # As in the package, NumPy's core has the name that it had before NumPy 2.
    content = pickle.dumps({"AlexNet_0": tree}, protocol=3).replace(b"numpy._core", b"numpy.core")
    ours = imagenet.from_flax(content, "alexnet")
    assert ours.keys() == backbone().keys()
    imagenet.verify(ours, "alexnet")


def test_own_files_of_either_format_are_verified_and_loaded(tmp_path: Path) -> None:
    own, pth = tmp_path / "own", tmp_path / "own/alexnet-owt-7be5be79.pth"
    own.mkdir()
    with pytest.raises(SourceError, match=r"vgg16-397923af\.pth is missing"):
        fetch_weights.own(tmp_path, own)
    save_file(backbone("vgg16"), own / "vgg16.safetensors")
    whole = {f"features.{name}": tensor for name, tensor in backbone().items()}
    torch.save(whole | {"classifier.1.weight": torch.zeros(3, 3)}, pth)
    fetch_weights.own(tmp_path, own)
    assert {path.stem for path in tmp_path.glob("*.safetensors")} == {"vgg16", "alexnet"}

    path = tmp_path / "alexnet.safetensors"
    model = nn.ModuleDict({"backbone": make_backbone("alexnet")})
    imagenet.load_imagenet_weights(model, "alexnet", path)
    for name, tensor in model["backbone"].state_dict().items():
        assert torch.equal(tensor, backbone()[name]), name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # in the last number
    path.write_bytes(content)
    with pytest.raises(UserError, match="are not ImageNet's.*fetch_weights"):
        imagenet.load_imagenet_weights(model, "alexnet", path)
    path.unlink()
    with pytest.raises(UserError, match="is missing .*run `dvc repro -f fetch_weights`"):
        imagenet.load_imagenet_weights(model, "alexnet", path)


class Attack:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


def test_a_pickle_that_calls_anything_is_refused_before_the_call(tmp_path: Path) -> None:
    trap, path = tmp_path / "trap", tmp_path / "alexnet.pth"
    with pytest.raises(pickle.UnpicklingError, match="is not allowed in it"):
        imagenet.from_flax(pickle.dumps(Attack(trap)), "alexnet")
    torch.save({"features.0.weight": Attack(trap)}, path)
    with pytest.raises(SourceError, match="damaged"):
        imagenet.read(path)
    assert not trap.exists()
