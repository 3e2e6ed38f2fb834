"""Stage `convert` verifies what it reads and never leaves a half-written folder."""

import multiprocessing
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from mnist.atomic_io import sha256
from mnist.data import sources
from mnist.data.arrays import load_arrays
from mnist.errors import UserError, run
from stages import convert
from tests.conftest import ROOT
from tests.digits import digits, write_data_set

CPU = torch.device("cpu")
NOBODY = 65534


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that every user may enter, with the four IDX files."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    write_data_set(folder / "data/raw")
    write_params(folder, checksums=True)
    monkeypatch.chdir(folder)
    sums = {name: sha256(f"data/raw/{name}") for name in sources.CHECKSUMS}
    monkeypatch.setattr(sources, "CHECKSUMS", sums)
    yield folder
    shutil.rmtree(folder)


def write_params(folder: Path, **data: Any) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["data"] |= {"validation_size": 200} | data
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


def change_last_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_every_image_keeps_its_label(folder: Path) -> None:
    convert.main()
    images, labels = digits()
    expected = {(i.tobytes(), int(n)) for i, n in zip(images[:1200], labels[:1200], strict=True)}
    found = set()
    for name, size in (("train", 1000), ("validation", 200)):
        part_images, part_labels = load_arrays(folder / f"data/mnist/{name}.npz", CPU)
        assert part_images.dtype == torch.uint8
        assert part_labels.dtype == torch.int64
        assert len(part_images) == len(part_labels) == size
        pairs = zip(part_images.numpy(), part_labels, strict=True)
        found |= {(i.tobytes(), int(n)) for i, n in pairs}
    assert found == expected
    test_images, test_labels = load_arrays(folder / "data/mnist/test.npz", CPU)
    np.testing.assert_array_equal(test_images, images[1200:1600])
    np.testing.assert_array_equal(test_labels, labels[1200:1600])


def test_the_seed_decides_which_images_are_put_aside_for_validation(folder: Path) -> None:
    drawn = []
    for seed in (0, 1):
        write_params(folder, seed=seed)
        convert.main()
        drawn.append(load_arrays(folder / "data/mnist/validation.npz", CPU)[0])
    assert not torch.equal(*drawn)


def test_the_idx_files_are_verified_again(folder: Path) -> None:
    # The image stays valid, but it is not the one that was fetched.
    change_last_byte(folder / "data/raw/train-images-idx3-ubyte")
    with pytest.raises(UserError, match=r"data/raw: train-images.* is not MNIST's.*fetch"):
        convert.main()
    assert not (folder / "data/mnist").exists()
    write_params(folder, checksums=False)
    convert.main()


def test_a_label_without_a_class_is_refused(folder: Path) -> None:
    write_params(folder, classes=["zero", "one", "two"])
    with pytest.raises(UserError, match=r"allowed are 0 to 2.*data\.classes"):
        convert.main()


def test_damaged_arrays_are_refused(folder: Path) -> None:
    path = folder / "data/mnist/test.npz"
    with pytest.raises(UserError, match=r"test\.npz is missing; run `dvc repro convert`"):
        load_arrays(path, CPU)
    convert.main()
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 1
    np.savez(folder / "other.npz", images=np.zeros(1))
    other = (folder / "other.npz").read_bytes()
    for content in (b"", b"garbage", whole[:-1], whole[: len(whole) // 2], bytes(changed), other):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"test\.npz is damaged"):
            load_arrays(path, CPU)


def convert_as_nobody(folder: Path) -> None:
    sys.stderr = open(folder / "stderr", "w")  # noqa: SIM115
    os.chdir(folder)
    if os.geteuid() == 0:  # root may write anywhere
        os.seteuid(NOBODY)
    run(convert.main)


def test_a_read_only_folder_is_named(folder: Path) -> None:
    write_params(folder, checksums=False)
    (folder / "data").chmod(0o555)
    # There is one fork server for all tests; tests/training/processes.py decides what it imports.
    context: Any = multiprocessing.get_context("spawn")
    child = context.Process(target=convert_as_nobody, args=(folder,))
    child.start()
    child.join(60)
    assert child.exitcode == 1
    (line,) = (folder / "stderr").read_text().splitlines()
    assert "data/mnist.tmp: Permission denied" in line
    assert [path.name for path in (folder / "data").iterdir()] == ["raw"]
