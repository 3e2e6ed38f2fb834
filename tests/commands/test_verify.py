"""`verify` reads every byte, and the commands that it names fix each fault."""

import argparse
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mnist.commands import verify
from mnist.commands.verify import find_faults, read_lock
from mnist.errors import UserError

PIPELINE = """\
stages:
  make:
    cmd: mkdir -p data && echo 1 > data/one && echo 2 > data/two && cat code/a.py > model
    deps: [code]
    outs: [data, model]
  measure:
    cmd: mkdir -p metrics && cat data/one model > metrics/x.json
    deps: [data, model]
    metrics:
    - metrics/x.json: {cache: false}
  report:
    cmd: cat metrics/x.json > page
    deps: [metrics]
    metrics:
    - page: {cache: false}
"""


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", "")  # restored after `find_faults` has set it


def run(command: str) -> None:
    """Run a line of bash, with this environment's DVC as `dvc`."""
    line = command.replace("dvc ", f"{sys.executable} -m dvc ")
    subprocess.run(["bash", "-ec", line], check=True, capture_output=True)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small repository that is the current folder, with all stages run and committed."""
    folder, before = tmp_path_factory.mktemp("repository"), Path.cwd()
    os.chdir(folder)
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "code").mkdir()
    (folder / "code/a.py").write_text("pass\n")
    run("git init --quiet; dvc init --quiet; dvc repro --quiet; git add --all")
    run("git -c user.name=Test -c user.email=test@example.org commit --quiet --message first")
    yield folder
    os.chdir(before)


def damage(path: Path) -> None:
    """Change one byte of a file and keep its size, its time and its mode, as a bad disk would."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[0] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    path.chmod(before.st_mode)


def faults() -> list[str]:
    return list(find_faults(read_lock()))


def stored(path: str) -> Path:
    """The cache's object of an output or of a file in an output."""
    md5 = hashlib.md5(Path(path).read_bytes(), usedforsecurity=False).hexdigest()
    return Path(f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}").resolve()


def commands(fault: str) -> list[str]:
    return re.findall("`([^`]*)`", fault)


def fix(*faults: str) -> None:
    for fault in faults:
        for command in commands(fault):
            run(command)


def test_damaged_outputs_are_restored(repository: Path) -> None:
    paths = [Path("data/two"), Path("model"), Path("metrics/x.json")]
    whole = [path.read_bytes() for path in paths]
    for path in paths:
        damage(path)
    data, model, metrics = found = faults()
    assert data.startswith("data is not what dvc.lock says: ")
    assert commands(data) == ["rm -r data", "dvc checkout data"]
    assert commands(model) == ["rm -r model", "dvc checkout model"]
    assert commands(metrics) == ["git checkout metrics/x.json"]
    fix(*found)
    assert [path.read_bytes() for path in paths] == whole
    assert faults() == []


def test_the_command_prints_the_faults_and_fails(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verify.main(argparse.Namespace())
    assert "outputs are what dvc.lock says" in capsys.readouterr().out
    damage(Path("metrics/x.json"))
    with pytest.raises(SystemExit) as stop:
        verify.main(argparse.Namespace())
    assert stop.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("verify: metrics/x.json")
    run("git checkout metrics/x.json")


@pytest.mark.parametrize("protected", [True, False])  # DVC reads again what is not
def test_damaged_cache_objects_are_made_again(repository: Path, protected: bool) -> None:
    whole, cached = Path("model").read_bytes(), stored("model")
    part = stored("data/two")
    older = part.parent.parent / "00" / ("0" * 30)
    older.parent.mkdir()
    older.write_text("other")
    for path in (cached, part, Path("model")):
        damage(path)
        if not protected:
            path.chmod(0o644)
    found = faults()
    make = "dvc repro --force --single-item make"
    assert {fault.split(": ")[0]: commands(fault) for fault in found} == {
        f"{cached} in DVC's cache is damaged (model)": [f"rm -f {cached}", make],
        f"{part} in DVC's cache is damaged (data)": [f"rm -f {part}", make],
        f"{older} in DVC's cache is damaged (of an older run)": [f"rm -f {older}"],
    }
    fix(*found)
    assert Path("model").read_bytes() == cached.read_bytes() == whole
    assert not older.exists()
    older.parent.rmdir()
    assert faults() == []


def test_changed_code_is_to_be_run(repository: Path) -> None:
    Path("code/a.py").write_text("new\n")
    assert faults() == ["code has changed since make ran: `dvc repro`"]
    Path("code/a.py").write_text("pass\n")


def test_in_a_fresh_clone_nothing_is_wrong(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(f"git clone --quiet . {tmp_path / 'clone'}")
    monkeypatch.chdir(tmp_path / "clone")
    assert faults() == []


@pytest.mark.parametrize("content", ["", "stages: 3", "{", "stages: {train: {outs: [{path: x}]}}"])
def test_a_damaged_lock_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="is missing"):
        read_lock()
    Path("dvc.lock").write_text(content)
    with pytest.raises(UserError, match=r"dvc\.lock is damaged"):
        read_lock()
