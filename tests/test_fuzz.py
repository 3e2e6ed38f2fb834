"""Files that users provide may be damaged: the reader works, or refuses in one line that names it.

Hypothesis damages IDX files and pictures.
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mnist.data.idx import read_split
from mnist.errors import UserError
from mnist.recognition.pictures import open_picture
from tests.digits import digits, write_data_set


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
    """Run `action`: it returns, or refuses in one line that contains `named`."""
    try:
        return action()
    except refusal as error:
        assert named in str(error)
        assert len(str(error).splitlines()) == 1
        return None


@pytest.mark.parametrize("name", ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
@given(data=st.data())
def test_idx(tmp_path: Path, name: str, data: st.DataObject) -> None:
    write_data_set(tmp_path, train=3, test=2)
    path = tmp_path / name
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    pair = result_or_refusal(lambda: read_split(tmp_path, "test", 10), UserError, name)
    if pair:
        images, labels = pair
        assert images.shape == (len(labels), 28, 28)
        assert images.dtype == labels.dtype == np.uint8
        assert labels.max() <= 9


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
