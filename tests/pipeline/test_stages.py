"""`dvc repro`, `dvc exp run`, `dvc metrics diff`: what they write, what reruns, what stops."""

import re
import shutil
from pathlib import Path

import pytest

from tests.pipeline.conftest import Command, command_in, ran


def test_a_second_run_does_nothing(run: Command) -> None:
    assert ran(run("dvc", "repro")) == []


def test_an_experiment_reruns_only_what_it_must_and_going_back_costs_nothing(
    run: Command, tiny: Path
) -> None:
    before = (tiny / "models/cnn.safetensors").read_bytes()
    output = run("dvc", "exp", "run", "-S", "cnn.epochs=9")
    assert ran(output) == ["train_cnn", "evaluate@cnn", "report"]
    assert (tiny / "models/cnn.safetensors").read_bytes() != before
    lines = run("dvc", "metrics", "diff").splitlines()[1:]
    assert 1 <= len(lines) <= 14, lines
    assert any(re.match(r"metrics/train/cnn.json +epochs +8.0 +9.0 +1.0", line) for line in lines)

    run("git", "checkout", "--", "params.yaml")
    output = run("dvc", "repro")
    assert "train_cnn" not in ran(output)
    assert "Stage 'train_cnn' is cached" in output
    assert (tiny / "models/cnn.safetensors").read_bytes() == before
    assert run("git", "status", "--porcelain") == ""  # no tracked file has changed


def test_a_parameter_of_the_report_reruns_the_report_alone(run: Command) -> None:
    experiment = ("dvc", "exp", "run", "-S", "report.errors_shown=7")
    assert ran(run(*experiment, "-S", "runtime.checkpoint_seconds=9")) == ["report"]


@pytest.mark.slow
def test_without_the_cache_the_report_can_be_redone(
    run: Command, tiny: Path, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    run("git", "clone", "--quiet", str(tiny), str(clone))
    shutil.copytree(tiny / "data/own", clone / "data/own", dirs_exist_ok=True)
    page = (clone / "report/index.html").read_bytes()
    in_clone = command_in(clone)
    assert ran(in_clone("dvc", "repro", "--allow-missing")) == []
    in_clone("dvc", "repro", "--force", "--single-item", "report")
    assert (clone / "report/index.html").read_bytes() == page
