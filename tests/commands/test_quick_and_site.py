"""`python -m mnist quick` and `site`: what they need of the repository, and what they leave."""

import argparse
import subprocess
from pathlib import Path

import pytest
import yaml

from mnist.commands import experiment, quick, site
from mnist.errors import UserError
from mnist.params import load_params
from tests.conftest import ROOT


def git(*command: str) -> None:
    subprocess.run(["git", *command], check=True)


def test_the_settings_of_quick_are_possible_and_change_every_training(tmp_path: Path) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    for key, value in quick.SETTINGS.items():
        *sections, last = key.split(".")
        section = params
        for name in sections:
            section = section[name]
        assert last in section, key
        assert section[last] != value, key
        section[last] = value
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    models = load_params(tmp_path / "params.yaml").models
    assert {f"{name}.epochs" for name in models} <= quick.SETTINGS.keys()


def test_a_shallow_clone_cannot_run_experiments_and_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("init", "--quiet", str(tmp_path / "full"))
    monkeypatch.chdir(tmp_path / "full")
    Path("dvc.yaml").touch()
    git("add", "--all")
    for text in ("one", "two"):
        user = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
        git(*user, "commit", "--quiet", "--allow-empty", "--message", text)
    git("clone", "--quiet", "--depth", "1", f"file://{tmp_path}/full", str(tmp_path / "shallow"))
    monkeypatch.chdir(tmp_path / "shallow")
    with pytest.raises(UserError, match="git fetch --unshallow"):
        experiment.run_experiment("quick", {})


def test_outside_of_git_there_is_no_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="clone the project, or run `git init`"):
        site.main(argparse.Namespace())
    assert not Path("public").exists()
