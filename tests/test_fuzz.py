"""Files that users provide may be damaged: the reader works, or refuses in one line that names it.

Hypothesis damages IDX files, archives, pictures and params.yaml.
"""

import gzip
import io
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
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mnist.data import sources
from mnist.data.idx import read_split
from mnist.errors import SourceError, UserError
from mnist.params import load_params
from mnist.recognition.pictures import open_picture
from tests.conftest import ROOT
from tests.digits import digits, write_data_set

pytestmark = pytest.mark.fuzz

MAX_MEMORY = 2**30
CONTENT = {name: name.encode() * 20 for name in sources.CHECKSUMS}


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """`whole` with some bytes changed, deleted or inserted, or truncated."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        match draw(st.sampled_from(["change", "delete", "insert", "truncate"])):
            case "change":
                content[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case "delete":
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
        assert peak < MAX_MEMORY


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
    pair = result_or_refusal(lambda: read_split(folder, "test", 10), UserError, name)
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
    for links in (False, True):
        with tarfile.open(archive, "w:gz") as members:
            for name, content in CONTENT.items():
                member = tarfile.TarInfo(prefix + name)
                if links:
                    member.type, member.linkname = kind, "/etc/passwd"
                else:
                    member.size = len(content)
                members.addfile(member, io.BytesIO(content))
        if links:
            with pytest.raises(SourceError, match="is not a file"):
                sources.from_tar(archive, target)
        else:  # the path inside the archive is ignored
            sources.from_tar(archive, target)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == CONTENT
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == sorted(
        [*CONTENT, "x.tgz"]
    )


def png() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(255 - digits()[0][0]).save(buffer, "PNG")
    return buffer.getvalue()


@given(content=damaged(png()))
def test_pictures(content: bytes) -> None:
    found = result_or_refusal(lambda: open_picture(content, "note.png"), UserError, "note.png")
    if found:
        grey, _ = found
        assert grey.min() >= 0
        assert grey.max() <= 1


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
