"""Whatever bytes stand in a file: the right result, or one line that names the file or the key.

`make test` tries some dozens of damaged files a reader, `make chaos` ten thousand.
"""

import gzip
import io
import pickle
import re
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save

from mnist.data import sources, weights
from mnist.data.arrays import load_arrays
from mnist.data.idx import read_split
from mnist.data.sources import SourceError
from mnist.errors import UserError
from mnist.models import weights_io
from mnist.params import load_params
from tests.conftest import ROOT
from tests.digits import write_data_set

pytestmark = pytest.mark.fuzz

MOST_MEMORY = 2**30
CONTENT = {name: name.encode() * 20 for name in sources.CHECKSUMS}


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """`whole` with some bytes changed, cut out or put in, or its end gone."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        match draw(st.sampled_from(["change", "cut", "insert", "truncate"])):
            case "change":
                content[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case "cut":
                del content[at : at + draw(st.integers(1, 50))]
            case "insert":
                content[at:at] = draw(st.binary(max_size=20))
            case "truncate":
                del content[at:]
    return bytes(content)


def result_or_refusal(action: Callable[[], Any], refusal: type[Exception], named: str) -> Any:
    """Run `action`: it returns, or refuses in one line that matches `named`, in little memory."""
    tracemalloc.start()
    try:
        return action()
    except refusal as error:
        assert re.search(named, str(error))
        assert len(str(error).splitlines()) == 1
        return None
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < MOST_MEMORY


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all the examples of a test."""
    return tmp_path_factory.mktemp("fuzz")


@pytest.mark.parametrize("name", ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
@given(data=st.data())
def test_idx(folder: Path, name: str, data: st.DataObject) -> None:
    write_data_set(folder, train=3, test=2)
    path = folder / name
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    pair = result_or_refusal(lambda: read_split(folder, "test"), UserError, name)
    if pair:
        images, labels = pair
        assert images.shape == (len(labels), 28, 28)
        assert images.dtype == labels.dtype == np.uint8
        assert labels.max() <= 9


def gz() -> bytes:
    return gzip.compress(CONTENT["train-labels-idx1-ubyte"], mtime=0)


@given(content=damaged(gz()))
def test_gz(folder: Path, content: bytes) -> None:
    for name in CONTENT:
        (folder / f"{name}.gz").write_bytes(gz())
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(content)
    target = folder / "target"
    target.mkdir(exist_ok=True)
    take = partial(sources.own, target, folder)
    result_or_refusal(partial(take, checksums=False), SourceError, "ubyte")
    with pytest.raises(SourceError, match="ubyte"):
        take(checksums=True)


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in CONTENT.items():
            archive.writestr(zipfile.ZipInfo(f"{name}/{name}"), content)
    return buffer.getvalue()


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in CONTENT.items():
            member = tarfile.TarInfo(f"package/data/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("read", "whole"), [(sources.from_zip, zipped()), (sources.from_tar, tarred())]
)
@given(data=st.data())
def test_archives(folder: Path, read: Any, whole: bytes, data: st.DataObject) -> None:
    archive, target = folder / "archive", folder / "inside"
    target.mkdir(exist_ok=True)
    archive.write_bytes(data.draw(damaged(whole)))
    result_or_refusal(lambda: read(archive, target), SourceError, "archive|ubyte")
    assert {path.name for path in target.iterdir()} <= CONTENT.keys()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE])
@pytest.mark.parametrize("prefix", ["/tmp/", "../../", "package/"])  # noqa: S108
def test_an_archive_cannot_lead_elsewhere(tmp_path: Path, prefix: str, kind: bytes) -> None:
    target, archive = tmp_path / "a/b/target", tmp_path / "x.tgz"
    target.mkdir(parents=True)
    for lies in (False, True):
        with tarfile.open(archive, "w:gz") as members:
            for name, content in CONTENT.items():
                member = tarfile.TarInfo(prefix + name)
                if lies:
                    member.type, member.linkname = kind, "/etc/passwd"
                else:
                    member.size = len(content)
                members.addfile(member, io.BytesIO(content))
        if lies:
            with pytest.raises(SourceError, match="is no file"):
                sources.from_tar(archive, target)
        else:  # its path is not followed: the file goes where it belongs
            sources.from_tar(archive, target)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == CONTENT
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == sorted(
        [*CONTENT, "x.tgz"]
    )


SOME = np.arange(6, dtype=np.float32)


@given(content=damaged(pickle.dumps({"a": [SOME.reshape(2, 3), {"b": SOME}]})))
def test_pickles(content: bytes) -> None:
    result_or_refusal(lambda: weights.unpickle_arrays(content), SourceError, "cannot be read")


TRUNK = {"0.weight": torch.arange(6.0).view(1, 1, 2, 3), "0.bias": torch.ones(1)}


@given(content=damaged(save(TRUNK)))
def test_trunks(folder: Path, content: bytes) -> None:
    path = folder / "alexnet.safetensors"
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(weights.LAYERS, "alexnet", (0,))
        patch.setitem(weights.CHECKSUMS, "alexnet", weights.checksum(TRUNK, "alexnet"))
        found = result_or_refusal(lambda: weights.read(path, "alexnet"), SourceError, "alexnet")
    if found:
        assert all(torch.equal(found[name], tensor) for name, tensor in TRUNK.items())


@given(content=damaged(save({"weight": torch.ones(2, 3), "bias": torch.ones(2)}, {"a": "{}"})))
def test_models(folder: Path, content: bytes) -> None:
    path = folder / "cnn.safetensors"
    path.write_bytes(content)
    model = torch.nn.Linear(3, 2)
    result_or_refusal(lambda: weights_io.read_architecture(path), UserError, "cnn.safetensors")
    result_or_refusal(lambda: weights_io.load_weights(path, model), UserError, "cnn.safetensors")


def arrays() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, images=np.zeros((2, 28, 28), np.uint8), labels=np.zeros(2, np.uint8))
    return buffer.getvalue()


@given(content=damaged(arrays()))
def test_arrays(folder: Path, content: bytes) -> None:
    path = folder / "train.npz"
    path.write_bytes(content)
    result_or_refusal(lambda: load_arrays(path, torch.device("cpu")), UserError, "train.npz")


PARAMS = (ROOT / "params.yaml").read_text(encoding="utf-8")


@given(content=damaged(PARAMS.encode()))
def test_the_text_of_params(folder: Path, content: bytes) -> None:
    path = folder / "params.yaml"
    path.write_bytes(content)
    result_or_refusal(lambda: load_params(path), UserError, "params.yaml")


def keys(values: Any, before: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The paths to all values of a tree."""
    paths = [before] if before else []
    if isinstance(values, dict):
        for key, value in values.items():
            paths += keys(value, (*before, key))
    return paths


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(key=st.sampled_from(keys(yaml.safe_load(PARAMS))), value=anything)
def test_every_key_of_params(folder: Path, key: tuple[str, ...], value: Any) -> None:
    values = yaml.safe_load(PARAMS)
    inner = values
    for part in key[:-1]:
        inner = inner[part]
    inner[key[-1]] = value
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    result_or_refusal(lambda: load_params(path), UserError, str(key[-1]))
