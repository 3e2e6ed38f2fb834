"""Each target of the Makefile runs its command, and says first what git lacks."""

import shutil
import subprocess
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
