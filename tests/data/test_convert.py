"""The stage `convert` trusts no file that it has not checked, and leaves none half-written."""

import multiprocessing
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mnist.atomic_io import sha256
from mnist.data import sources
from mnist.errors import UserError, run
from stages import convert
from tests.conftest import ROOT, Faults
from tests.digits import write_data_set

NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may enter, with params.yaml and the four raw files."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    write_data_set(folder / "data/raw")
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["data"] |= {"validation_size": 200}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    yield folder
    shutil.rmtree(folder)


def test_the_raw_files_are_checked_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    sums = {name: sha256(f"data/raw/{name}") for name in sources.CHECKSUMS}
    monkeypatch.setattr(sources, "CHECKSUMS", sums)
    convert.main()
    assert sorted(path.name for path in Path("data/mnist").iterdir()) == [
        "test.npz",
        "train.npz",
        "validation.npz",
    ]
    shutil.rmtree("data/mnist")

    path = Path("data/raw/train-images-idx3-ubyte")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # a valid image still, but not the one that was fetched
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"in data/raw, train-images.* is not MNIST's.*fetch"):
        convert.main()
    assert not Path("data/mnist").exists()


def convert_as_nobody(folder: Path) -> None:
    sys.stderr = open(folder / "stderr", "w")  # noqa: SIM115
    os.chdir(folder)
    if os.geteuid() == 0:  # root may write anywhere
        os.seteuid(NOBODY)
    sources.verify = lambda *_: None
    run(convert.main)


@pytest.mark.faults
def test_a_folder_that_cannot_be_written_to_is_named(folder: Path, faults: Faults) -> None:
    (folder / "data").chmod(0o555)
    with faults("read-only data folder"):
        context: Any = multiprocessing.get_context("forkserver")
        child = context.Process(target=convert_as_nobody, args=(folder,))
        child.start()
        child.join(60)
        assert child.exitcode == 1
        (line,) = (folder / "stderr").read_text().splitlines()
        assert "data/mnist.tmp: Permission denied: give yourself the right" in line
        assert [path.name for path in (folder / "data").iterdir()] == ["raw"]
