"""A file or folder is complete or not there at all."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mnist.files import new_file, new_folder


def fill_file(partial: Path) -> None:
    partial.write_text("new")


def fill_folder(partial: Path) -> None:
    (partial / "new").touch()


@pytest.mark.parametrize(("new", "fill"), [(new_file, fill_file), (new_folder, fill_folder)])
def test_the_new_replaces_the_old_when_it_is_complete(
    tmp_path: Path, new: Any, fill: Callable[[Path], None]
) -> None:
    path = tmp_path / "deep/out"
    with pytest.raises(RuntimeError), new(path) as partial:
        fill(partial)
        raise RuntimeError
    assert not list(path.parent.iterdir())
    with new(path) as partial:
        fill(partial)
    with pytest.raises(RuntimeError), new(path) as partial:
        raise RuntimeError
    assert list(path.parent.iterdir()) == [path]
    assert path.read_text() == "new" if path.is_file() else (path / "new").exists()


def test_what_a_killed_process_left_is_replaced(tmp_path: Path) -> None:
    for left in ("out", "out.tmp"):
        (tmp_path / left).mkdir()
        (tmp_path / left / "old").touch()
    with new_folder(tmp_path / "out") as partial:
        fill_folder(partial)
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "new"]
