"""IDX files are read exactly; a file that does not hold what its name says is refused."""

import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mnist.data.idx import NAMES, read_images, read_labels, read_split
from mnist.errors import UserError
from tests.digits import write_data_set, write_idx


@given(images=arrays(np.uint8, st.tuples(st.integers(1, 5), st.just(28), st.just(28))))
def test_images_are_read_as_written(tmp_path: Path, images: np.ndarray) -> None:
    write_idx(tmp_path / "images", images)
    np.testing.assert_array_equal(read_images(tmp_path / "images"), images)


@given(labels=arrays(np.uint8, st.integers(1, 50), elements=st.integers(0, 9)))
def test_labels_are_read_as_written(tmp_path: Path, labels: np.ndarray) -> None:
    write_idx(tmp_path / "labels", labels)
    np.testing.assert_array_equal(read_labels(tmp_path / "labels", 10), labels)


@given(content=st.binary(max_size=200))
def test_any_other_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "images"
    path.write_bytes(content)
    with pytest.raises(UserError, match="images"):
        read_images(path)


@given(
    header=st.tuples(st.sampled_from([0, 8]), st.integers(0, 4), st.integers(0, 2**32 - 1)),
    body=st.binary(max_size=100),
)
def test_a_wrong_header_is_refused_before_memory_is_allocated(
    tmp_path: Path, header: tuple[int, int, int], body: bytes
) -> None:
    kind, dimensions, size = header
    path = tmp_path / "images"
    path.write_bytes(struct.pack(">BBBB3I", 0, 0, kind, dimensions, size, 28, 28) + body)
    tracemalloc.start()
    with pytest.raises(UserError, match="images"):
        read_images(path)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


@pytest.mark.parametrize("cut", [3, 7, 20, 1000])
def test_a_truncated_file_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "images"
    write_idx(path, np.zeros((4, 28, 28)))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(UserError, match=r"is truncated|ends inside its header|is not an IDX file"):
        read_images(path)


def test_swapped_files_are_recognised(tmp_path: Path) -> None:
    write_idx(tmp_path / "labels", np.zeros(10))
    write_idx(tmp_path / "images", np.zeros((10, 28, 28)))
    with pytest.raises(UserError, match="holds labels, not images.*swapped"):
        read_images(tmp_path / "labels")
    with pytest.raises(UserError, match="holds images, not labels.*swapped"):
        read_labels(tmp_path / "images", 10)


def test_other_contents_are_refused(tmp_path: Path) -> None:
    write_idx(tmp_path / "small", np.zeros((3, 8, 8)))
    with pytest.raises(UserError, match="8x8"):
        read_images(tmp_path / "small")
    write_idx(tmp_path / "letters", np.arange(26))
    with pytest.raises(
        UserError, match=r"label number 10 is 10; allowed are 0 to 9.*data\.classes"
    ):
        read_labels(tmp_path / "letters", 10)
    assert read_labels(tmp_path / "letters", 26).max() == 25
    with pytest.raises(UserError, match="label number 25 is 25; allowed are 0 to 24"):
        read_labels(tmp_path / "letters", 25)
    write_idx(tmp_path / "none", np.zeros((0, 28, 28)))
    with pytest.raises(UserError, match="is empty"):
        read_images(tmp_path / "none")
    (tmp_path / "zipped").write_bytes(gzip.compress(b"anything"))
    with pytest.raises(UserError, match="gzip-compressed"):
        read_images(tmp_path / "zipped")
    (tmp_path / "ints").write_bytes(struct.pack(">BBBBI", 0, 0, 0x0C, 1, 1) + b"1234")
    with pytest.raises(UserError, match="type 0x0c"):
        read_labels(tmp_path / "ints", 10)
    with pytest.raises(UserError, match="is missing"):
        read_labels(tmp_path / "nowhere", 10)


def test_a_split_needs_as_many_labels_as_images(tmp_path: Path) -> None:
    write_data_set(tmp_path, train=20, test=10)
    images, labels = read_split(tmp_path, "train", 10)
    assert len(images) == len(labels) == 20
    write_idx(tmp_path / NAMES["train"][1], np.zeros(19))
    with pytest.raises(UserError, match=r"20 images but .* 19 labels"):
        read_split(tmp_path, "train", 10)
