"""An IDX file that does not hold what its name says is refused."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist.data.idx import read_split
from mnist.errors import UserError
from tests.digits import write_data_set, write_idx

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (IMAGES, None, "is missing"),
        (IMAGES, b"", "damaged"),
        (IMAGES, b"PK\3\4 a zip file", "not an IDX file: .*magic number"),
        (IMAGES, struct.pack(">4B3I", 0, 0, 8, 3, 3, 28, 28), "damaged"),
        # announces more bytes than any memory has
        (IMAGES, struct.pack(">4B3I", 0, 0, 8, 3, *[2**32 - 1] * 3), "damaged"),
        (IMAGES, np.zeros((3, 8, 9)), r"shape \(3, 8, 9\), not uint8 of shape \(.N., 28, 28\)"),
        (IMAGES, np.zeros((4, 28, 28)), "holds 4 images but .* 3 labels"),
        (LABELS, np.zeros((3, 28, 28)), "not uint8 of shape .*swapped"),
        (LABELS, struct.pack(">4BI", 0, 0, 12, 1, 3) + b"1234" * 3, "holds >i4"),
        (LABELS, struct.pack(">4BI", 0, 0, 8, 1, 3) + b"1234", "Superfluous"),
        (LABELS, np.array([0, 10, 9]), r"label number 1 is 10; allowed are 0 to 9.*data\.classes"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, name: str, content: Any, message: str) -> None:
    write_data_set(tmp_path, train=3)
    if content is None:
        (tmp_path / name).unlink()
    elif isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    else:
        write_idx(tmp_path / name, content)
    with pytest.raises(UserError, match=f"{name}.*{message}") as error:
        read_split(tmp_path, "train", 10)
    assert len(str(error.value).splitlines()) == 1
