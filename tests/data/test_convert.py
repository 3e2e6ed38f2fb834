"""Stage `convert` verifies what it reads, splits it, and never leaves a half-written folder."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mnist.data import checksums, sources
from mnist.data.arrays import load_arrays
from mnist.errors import UserError
from mnist.files import sha256
from mnist.params import load_params
from stages import convert
from tests.conftest import ROOT
from tests.digits import digits, write_data_set

CPU = torch.device("cpu")
LABELS = np.repeat(np.arange(10), np.arange(40, 140, 10))  # classes of 40 to 130 images


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the four IDX files and params.yaml."""
    write_data_set(tmp_path / "data/raw")
    write_params(tmp_path, checksums=True)
    monkeypatch.chdir(tmp_path)
    for name in sources.CHECKSUMS:
        monkeypatch.setitem(sources.CHECKSUMS, name, sha256(f"data/raw/{name}"))
    return tmp_path


def write_params(folder: Path, **data: Any) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["data"] |= {"validation_size": 200} | data
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


def split(
    labels: np.ndarray,
    size: int,
    seed: int = 0,
    writers: np.ndarray | None = None,
    **changes: Any,
) -> tuple[np.ndarray, np.ndarray]:
    data = load_params(ROOT / "params.yaml").data
    data = data.model_copy(update={"validation_size": size, "seed": seed, **changes})
    return convert.split(labels, data, writers)


def test_every_image_keeps_its_label(folder: Path) -> None:
    convert.main()
    images, labels = digits()
    expected = {(i.tobytes(), int(n)) for i, n in zip(images[:1200], labels[:1200], strict=True)}
    found = set()
    for name, size in (("train", 1000), ("validation", 200)):
        part_images, part_labels = load_arrays(folder / f"data/mnist/{name}.npz", CPU)
        assert len(part_images) == len(part_labels) == size
        pairs = zip(part_images.numpy(), part_labels, strict=True)
        found |= {(i.tobytes(), int(n)) for i, n in pairs}
    assert found == expected
    test_images, test_labels = load_arrays(folder / "data/mnist/test.npz", CPU)
    np.testing.assert_array_equal(test_images, images[1200:1600])
    np.testing.assert_array_equal(test_labels, labels[1200:1600])
    assert checksums.is_mnist(test_labels.numpy())
    assert not checksums.is_mnist(test_labels.numpy()[::-1])


def test_the_writers_of_mnist_are_known(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writers = np.arange(1200) // 24
    monkeypatch.setattr(convert, "load_writers", {"train": writers}.__getitem__)
    convert.main()
    writer = {image.tobytes(): w for image, w in zip(digits()[0], writers, strict=False)}
    parts = [load_arrays(folder / f"data/mnist/{x}.npz", CPU)[0] for x in ("train", "validation")]
    training, validation = ({writer[i.numpy().tobytes()] for i in images} for images in parts)
    assert len(training & validation) < 3  # but for pictures that two have
    assert len(training) + len(validation) >= 50


@given(size=st.integers(10, 800), seed=st.integers(0, 2**32 - 1))
def test_the_split_is_complete_disjoint_and_stratified(size: int, seed: int) -> None:
    training, validation = split(LABELS, size, seed)
    assert len(validation) == size
    np.testing.assert_array_equal(np.sort([*training, *validation]), np.arange(len(LABELS)))
    expected = np.bincount(LABELS) * size / len(LABELS)
    np.testing.assert_allclose(np.bincount(LABELS[validation], minlength=10), expected, atol=1)


@pytest.mark.parametrize("size", [1, 9, 841, 10**6])
def test_an_impossible_split_is_refused(size: int) -> None:
    with pytest.raises(UserError, match=rf"^data\.validation_size = {size}: .*$"):
        split(LABELS, size)
    one = np.array([*np.repeat(np.arange(9), 50), 9])
    with pytest.raises(UserError, match="least populated class.* only 1 member"):
        split(one, 20)
    with pytest.raises(UserError, match="class 9 of data.classes has no training images"):
        split(one[:-1], 20)


@given(size=st.integers(30, 400), seed=st.integers(0, 2**32 - 1))
def test_no_writer_is_in_both_parts(size: int, seed: int) -> None:
    """17 digits a writer in the order of the classes; two in five writers are students."""
    labels = np.tile(np.arange(10), 85)
    writers = np.where(np.arange(50) < 30, np.arange(50), 2100 + np.arange(50)).repeat(17)
    training, validation = split(labels, size, seed, writers)
    np.testing.assert_array_equal(np.sort([*training, *validation]), np.arange(850))
    assert not {*writers[training]} & {*writers[validation]}
    assert abs(len(validation) - size) <= max(40, size / 3)
    if size > 100:
        assert (writers[validation] >= 2100).mean() == pytest.approx(0.4, abs=0.15)
        assert np.bincount(labels[validation], minlength=10).min() > 0.6 * len(validation) / 10


def test_a_smaller_training_set_is_part_of_a_larger_one_and_has_the_same_proportions() -> None:
    """No more digits validate than train."""
    whole = split(LABELS, 200)
    before: list[set[int]] = [set(), set()]
    for size in (10, 65, 130, 649, 650):
        for i, part in enumerate(split(LABELS, 200, training_size=size)):
            assert len(part) == min(size, len(whole[i]))
            assert before[i] <= {*part} <= {*whole[i]}
            expected = np.bincount(LABELS[whole[i]]) * len(part) / len(whole[i])
            np.testing.assert_allclose(np.bincount(LABELS[part], minlength=10), expected, atol=1)
            before[i] = {*part}
    assert {*split(LABELS, 200, seed=1, training_size=65)[0]} != {*split(LABELS, 200)[0]}
    for size in (9, 651):
        with pytest.raises(UserError, match=rf"^data.training_size = {size} is not in 10 .* 650"):
            split(LABELS, 200, training_size=size)


def test_the_smallest_training_set_has_an_image_of_each_class() -> None:
    labels = np.repeat(np.arange(10), [1000, *[20] * 9])
    training, _ = split(labels, 200, training_size=10)
    assert sorted(labels[training]) == [*range(10)]


def test_more_than_half_cannot_be_by_other_writers() -> None:
    with pytest.raises(UserError, match=r"validation_size = 700: is more than half of the 850"):
        split(LABELS, 700, writers=np.arange(850) // 17)


def test_the_idx_files_are_verified_again(folder: Path) -> None:
    # The image stays valid, but it is not the one that was fetched.
    path = folder / "data/raw/train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    with pytest.raises(UserError, match=r"data/raw: train-images.* is not MNIST's.*fetch"):
        convert.main()
    assert not (folder / "data/mnist").exists()
    write_params(folder, checksums=False)
    convert.main()
    write_params(folder, checksums=True)
    path.unlink()
    with pytest.raises(UserError, match=r"data/raw: train-images-idx3-ubyte is missing.*fetch"):
        convert.main()


def test_damaged_arrays_are_refused(folder: Path) -> None:
    path = folder / "data/mnist/test.npz"
    with pytest.raises(UserError, match="test.npz: .*No such file"):
        load_arrays(path, CPU)
    convert.main()
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 1
    for content in (b"", b"garbage", whole[:-1], bytes(changed)):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"test\.npz: .*dvc repro convert"):
            load_arrays(path, CPU)
