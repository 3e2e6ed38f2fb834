"""A file is complete or not there at all."""

import math
from pathlib import Path

import pytest

from mnist.atomic_io import new_file, new_folder, round_numbers, write_json


def test_an_error_half_way_leaves_the_old_file_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    path.write_text("old")
    with pytest.raises(RuntimeError), new_file(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_finished_file_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "figures.json"
    for text in ("old", "new"):
        with new_file(path) as partial:
            partial.write_text(text)
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_half_way_leaves_the_old_folder_unchanged(tmp_path: Path) -> None:
    folder = tmp_path / "arrays"
    folder.mkdir()
    (folder / "old").touch()
    with pytest.raises(RuntimeError), new_folder(folder) as partial:
        (partial / "half").touch()
        raise RuntimeError
    assert [path.name for path in folder.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [folder]


def test_a_finished_folder_replaces_all_of_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "arrays"
    for name in ("old", "new"):
        with new_folder(folder) as partial:
            (partial / name).touch()
    assert [path.name for path in folder.iterdir()] == ["new"]


def test_what_a_killed_process_left_is_replaced(tmp_path: Path) -> None:
    left = tmp_path / "arrays.tmp"
    left.mkdir()
    (left / "half").touch()
    with new_folder(tmp_path / "arrays") as partial:
        (partial / "whole").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["arrays", "whole"]


def test_nan_is_not_written_as_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "figures.json", {"loss": math.nan})
    assert not list(tmp_path.iterdir())


def test_numbers_are_rounded_at_any_depth() -> None:
    value = {"a": [1 / 3, (2, 1e-9)], "b": "1.23456789"}
    assert round_numbers(value) == {"a": [0.333333, [2, 0.0]], "b": "1.23456789"}
