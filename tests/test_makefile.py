"""`make` lists the commands; it installs the packages once, and again where that went wrong."""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

# Without uv, whatever this machine has.
PATH = "/usr/local/bin:/usr/bin:/bin"


def write_package(folder: Path, name: str) -> None:
    """Write a wheel with nothing in it, and the requirements file that names it."""
    wheel = folder / f"{name}-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{name}.py", "")
        metadata = {
            "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n",
            "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "RECORD": "",
        }
        for file, text in metadata.items():
            archive.writestr(f"{name}-1.dist-info/{file}", text)
    checksum = hashlib.sha256(wheel.read_bytes()).hexdigest()
    text = f"./{wheel.name} --hash=sha256:{checksum}\n"
    (folder / {"small": "requirements.txt", "extra": "requirements-dev.txt"}[name]).write_text(text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the Makefile and requirements of next to nothing."""
    folder = tmp_path / "project"
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    write_package(folder, "small")
    write_package(folder, "extra")
    return folder


def make(folder: Path, *arguments: str, path: str = PATH, fails: bool = False) -> str:
    environment = {"PATH": path, "HOME": str(folder), "UV_CACHE_DIR": str(folder / "cache")}
    result = subprocess.run(
        ["make", f"PYTHON={sys.executable}", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert (result.returncode != 0) == fails, result.stdout + result.stderr
    return result.stdout


def path_with_uv(folder: Path) -> str:
    tools = folder / "tools"
    tools.mkdir()
    (tools / "uv").symlink_to(Path(sys.executable).with_name("uv"))
    return f"{tools}:{PATH}"


def is_complete(folder: Path, installer: str) -> bool:
    """Whether `installer` has installed both packages, and `make` sees nothing left to do."""
    found = folder.glob(".venv/lib/python*/site-packages/*-1.dist-info/INSTALLER")
    installed = {path.parent.name: path.read_text().strip() for path in found}
    expected = {f"{name}-1.dist-info": installer for name in ("small", "extra")}
    return installed == expected and "up to date" in make(folder, ".venv/dev")


def test_make_lists_the_commands(folder: Path) -> None:
    listing = make(folder)
    assert listing == make(folder, "help")
    for target in ("repro", "test", "clean"):
        assert f"\n{target} " in listing
    assert not (folder / ".venv").exists()


@pytest.mark.parametrize(
    "command", sorted({"quick", "seeds", "timing", "bench", "verify", "site", "readme"})
)
def test_a_target_runs_the_command_of_its_name(folder: Path, command: str) -> None:
    assert f"\npython -m mnist {command}" in make(folder, "--dry-run", command)


def test_repro_runs_as_many_jobs_as_are_asked_for(folder: Path) -> None:
    parallel = "python -m mnist parallel --jobs 4\ndvc repro"
    assert parallel in make(folder, "--dry-run", "repro", "JOBS=4")
    assert "parallel" not in make(folder, "--dry-run", "repro")


def test_an_installation_that_broke_off_or_broke_later_is_made_anew(folder: Path) -> None:
    half = folder / ".venv/half-installed"
    for requirements in ("requirements.txt", "requirements-dev.txt"):
        whole = (folder / requirements).read_text()
        (folder / requirements).write_text("./missing.whl\n")
        make(folder, ".venv/dev", fails=True)
        half.touch()
        (folder / requirements).write_text(whole)
        make(folder, ".venv/runtime")
        assert not half.exists()
    make(folder, ".venv/dev")
    assert is_complete(folder, "pip")

    program = folder / ".venv/bin/python"
    program.unlink()
    program.symlink_to("/removed/python3")
    make(folder, ".venv/dev", path=path_with_uv(folder))
    assert is_complete(folder, "uv")

    moved = folder.rename(folder.with_name("moved"))
    make(moved, ".venv/dev")
    assert os.fspath(moved) in (moved / ".venv/bin/activate").read_text()
    assert is_complete(moved, "pip")

    later = (moved / ".venv/dev").stat().st_mtime + 10
    os.utime(moved / "requirements-dev.txt", (later, later))
    (moved / ".venv/own").touch()
    make(moved, ".venv/dev")
    assert (moved / ".venv/own").exists()  # other requirements come into the same environment
