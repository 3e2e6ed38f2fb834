"""The commands that README.md and docs/ give are run, in a small copy of this repository."""

import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.pipeline.conftest import command_in

PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
# Commands that are not run, each as a regular expression, and why.
NOT_RUN = {
    "make .*": "installs packages or takes hours",
    "source .*": "the tests have the packages",
    "torchrun .*": "tests/pipeline/test_workflows.py runs it, and two machines are needed",
    "dvc commit --force train_vit": "comes after torchrun",
    "dvc queue start.*": "leaves workers in the background",
    "dvc exp run -S (cnn|frcnn|vgg16|alexnet|seed).*": "one such experiment is enough",
    ".*OWNER.*": "names a repository of one's own",
    "dvc exp run .*\\.\\.\\.": "is not written out",
    "dvc .* quick": "comes after `make quick`; tests/pipeline/test_commands.py runs it",
}


def commands(page: str) -> list[str]:
    """The commands in the shell blocks of a page, without comments."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = "".join(re.findall(r"^ *```sh\n(.*?)^ *```", text, re.M | re.S))
    lines = re.sub(r" *\\\n *", " ", blocks).splitlines()
    return [command for line in lines if (command := re.sub(r"(^|\s+)#.*", "", line).strip())]


def not_run(command: str) -> list[str]:
    return [pattern for pattern in NOT_RUN if re.fullmatch(pattern, command)]


def to_run(page: str) -> list[str]:
    """The commands that are run here for a page; those of the README only there."""
    elsewhere = [] if page == "README.md" else commands("README.md")
    return [c for c in commands(page) if not not_run(c) and c not in elsewhere]


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if to_run(page)])
def test_the_commands_of_a_page_work(tiny_all: Path, tmp_path: Path, page: str) -> None:
    folder = tmp_path / "repository"
    shutil.copytree(tiny_all, folder, symlinks=True)
    run = command_in(folder)
    run("git", "init", "--quiet", "--bare", str(tmp_path / "origin"))
    run("git", "remote", "add", "origin", str(tmp_path / "origin"))
    for command in to_run(page):
        here = command.replace("/mnt/shared", str(tmp_path))
        assert "Traceback" not in run("bash", "-c", here)


def test_every_command_that_is_not_run_is_in_the_documentation() -> None:
    found = {name for page in PAGES for command in commands(page) for name in not_run(command)}
    assert found == NOT_RUN.keys()
