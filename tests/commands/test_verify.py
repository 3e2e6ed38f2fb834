"""Every file is held against dvc.lock by its bytes, and each fault comes with its mend."""

import hashlib
import json
from pathlib import Path

import pytest

from mnist.commands.integrity import Entry, check, entries, md5
from mnist.errors import UserError

LOCK = """\
stages:
  train:
    outs:
    - {path: model, md5: aa}
    deps:
    - {path: data, md5: bb}
    - {path: code.py, md5: cc}
  fetch:
    outs:
    - {path: data, md5: bb}
"""


def test_the_lock_names_what_is_made_and_what_is_given(tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").write_text(LOCK)
    assert entries(tmp_path / "dvc.lock") == [
        Entry("train", "model", "aa", True),
        Entry("train", "code.py", "cc", False),
        Entry("fetch", "data", "bb", True),
    ]


@pytest.mark.parametrize("content", ["", "stages: 3", "{", "stages: {train: {outs: [{path: x}]}}"])
def test_a_damaged_lock_is_named(tmp_path: Path, content: str) -> None:
    with pytest.raises(UserError, match="is missing"):
        entries(tmp_path / "dvc.lock")
    (tmp_path / "dvc.lock").write_text(content)
    with pytest.raises(UserError, match=r"dvc\.lock is damaged"):
        entries(tmp_path / "dvc.lock")


def put(cache: Path, content: bytes, suffix: str = "") -> str:
    name = hashlib.md5(content, usedforsecurity=False).hexdigest() + suffix
    path = cache / "files/md5" / name[:2] / name[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return name


def test_a_folder_is_checked_file_by_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cache = tmp_path / "cache"
    Path("data/sub").mkdir(parents=True)
    files = {"a": b"first", "sub/b": b"second"}
    for name, content in files.items():
        Path("data", name).write_bytes(content)
    listing = [{"md5": put(cache, content), "relpath": name} for name, content in files.items()]
    whole = put(cache, json.dumps(listing, sort_keys=True).encode(), ".dir")
    assert md5(Path("data")) == whole
    entry = Entry("fetch", "data", whole, True)
    assert list(check(entry, set(), cache)) == []

    Path("data/sub/b").write_bytes(b"SECOND")
    (fault,) = check(entry, set(), cache)
    assert fault.mend == "`rm -r data`, then `dvc checkout data`"

    part = listing[1]["md5"]
    (cache / "files/md5" / part[:2] / part[2:]).write_bytes(b"SECOND")
    damaged, wrong = check(entry, set(), cache)
    assert "is damaged" in damaged.what
    assert wrong.mend == "`dvc repro --force --single-item fetch`"  # the cache cannot help


def test_what_is_not_here_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert list(check(Entry("train", "model", "0" * 32, True), set(), tmp_path)) == []


def test_changed_code_is_to_be_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("code.py").write_text("new")
    (fault,) = check(Entry("train", "code.py", "0" * 32, False), {"code.py"}, tmp_path)
    assert str(fault) == "code.py has changed since train ran: `dvc repro`"
