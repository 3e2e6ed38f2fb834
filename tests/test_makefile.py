"""Each target of the Makefile runs its command, and says first what git lacks."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT


def make(*arguments: str, folder: Path = ROOT) -> str:
    command = ["make", "--no-print-directory", *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return result.stdout + result.stderr


def test_the_main_targets_run_what_they_promise() -> None:
    assert "python -m mnist parallel --jobs 4\ndvc repro" in make("--dry-run", "repro", "JOBS=4")
    assert "parallel" not in make("--dry-run", "repro")
    assert 'pytest -m "not slow"' in make("--dry-run", "test")
    assert "\npytest --hypothesis-profile thorough" in make("--dry-run", "test-all")
    assert "\nrepro " in make("help")


def test_without_git_one_line_comes_before_the_installation(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for target in ("quick", "repro"):
        line, end = make(target, folder=tmp_path).splitlines()
        assert "Clone the project, or run `git init`" in line
        assert end.endswith("Error 1")
    assert not (tmp_path / ".venv").exists()


def test_uv_installs_where_python_lacks_ensurepip(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    scripts = {
        "python": f'test "$1 $2 $#" != "-m venv 3" && exec {sys.executable} "$@"',
        "uv": 'echo "uv $@" >&2',
    }
    for name, script in scripts.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    for name in ("Makefile", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path)
    path = f"PATH={tmp_path}/bin:{os.environ['PATH']}"
    output = make(".venv/runtime", f"PYTHON={tmp_path}/bin/python", path, folder=tmp_path)
    assert "uv pip install --python .venv/bin/python" in output
    assert (tmp_path / ".venv/runtime").exists()
