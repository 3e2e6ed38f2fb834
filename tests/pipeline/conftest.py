"""Small copies of this repository, with small real digits, in which DVC runs the pipeline.

`tiny` has the CNN alone and is built for every run of the tests; `tiny_all`, with all five models,
is for the slow ones.
"""

import csv
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file

from mnist.data import checksums, imagenet
from mnist.files import sha256
from mnist.models.fine_tuned import make_backbone
from mnist.params import load_params
from mnist.seed_files import COLUMNS, ERROR_COLUMNS, SCALING_COLUMNS
from tests.conftest import ROOT, build_once
from tests.digits import write_data_set

MODELS = load_params(ROOT / "params.yaml").models
SHORT = {"epochs": 2, "batch_size": 32}
Command = Callable[..., str]


def git_files() -> list[str]:
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    result = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in result.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    build(folder, ["cnn"])
    return folder


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository with all models, built once for all workers of pytest."""
    return build_once(tmp_path_factory, "all", lambda folder: build(folder, MODELS))


@pytest.fixture(scope="module")
def tiny_all(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of that repository, for the tests of one file."""
    return shutil.copytree(built, tmp_path_factory.mktemp("all") / "repository", symlinks=True)


def build(folder: Path, models: list[str]) -> None:
    """Make a repository of the code, small parameters and small digits, and run its pipeline."""
    for name in git_files():
        if not name.startswith(("tests/", "report/", "metrics/")) and name != "dvc.lock":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / "metrics").mkdir()
    (folder / "metrics/seeds.csv").write_text(",".join(COLUMNS) + "\n")
    (folder / "metrics/seed_errors.csv").write_text(",".join(ERROR_COLUMNS) + "\n")
    (folder / "metrics/scaling.csv").write_text(",".join(SCALING_COLUMNS) + "\n")
    (folder / "metrics/benchmark.json").write_text("{}\n")
    if models == ["cnn"]:  # the other trainings go, for metrics/train makes `report` wait for them
        pipeline = yaml.safe_load((folder / "dvc.yaml").read_text())
        for stage in (
            "fetch_weights",
            "train_frcnn",
            "finetune_vgg16",
            "finetune_alexnet",
            "train_vit",
        ):
            del pipeline["stages"][stage]
        (folder / "dvc.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))
    write_data_set(folder / "data/own")
    publish_small_data(folder)
    params: dict[str, Any] = yaml.safe_load((folder / "params.yaml").read_text())
    params["models"] = models
    params["data"] |= {"sources": ["own"], "weights_sources": ["own"], "validation_size": 200}
    params["cnn"] |= SHORT | {"epochs": 8, "widths": [8, 16, 16, 32]}
    params["frcnn"] |= SHORT | {"hidden": 32, "proposals": 20, "batch_size": 8}
    params["vgg16"] |= SHORT | {"epochs": 0.3, "input_size": 16}
    params["alexnet"] |= SHORT | {"input_size": 31}
    params["vit"] |= SHORT | {"dim": 40, "heads": 4, "depth": 2, "mlp_dim": 64}
    params["evaluate"] |= {"scenes": 20, "corrupted_digits": 50}
    params["runtime"]["threads"] = 1  # a second thread only slows such small work down
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    run = command_in(folder)
    run("git", "init", "--quiet")
    run("git", "config", "user.name", "Test")
    run("git", "config", "user.email", "test@example.org")
    run("git", "add", "--all")
    run("git", "commit", "--quiet", "--message", "tiny")
    if models == ["cnn"]:
        run("dvc", "repro")
    else:  # two jobs take half the time
        run(sys.executable, "-m", "mnist", "parallel", "--jobs", "2")
    run("git", "add", "--all")
    run("git", "commit", "--quiet", "--message", "first results")


def publish_small_data(folder: Path) -> None:
    """Let the copy of the code take random backbones for ImageNet's and the digits for MNIST."""
    published = {}
    for network, checksum in imagenet.CHECKSUMS.items():
        torch.manual_seed(0)
        backbone = make_backbone(network).state_dict()
        save_file(backbone, folder / f"data/own/{network}.safetensors")
        published[checksum] = imagenet.checksum(backbone, network)
    for name, checksum in checksums.CHECKSUMS.items():
        published[checksum] = sha256(folder / "data/own" / name)
    for module in ("imagenet", "checksums"):
        path = folder / f"mnist/data/{module}.py"
        code = path.read_text()
        for old, new in published.items():
            code = code.replace(old, new)
        path.write_text(code)
    writers = np.arange(1200) % 20, np.arange(400) % 10 * 300
    np.savez(folder / "mnist/data/writers.npz", train=writers[0], test=writers[1])
    path = folder / "mnist/reporting/label_errors.py"
    code = re.sub(
        r"CORRECTED = {.*?}", "CORRECTED = {7: Votes(6, 5, 0)}", path.read_text(), flags=re.S
    )
    path.write_text(
        re.sub(r"AMBIGUOUS = {.*?}", "AMBIGUOUS = {8: Votes(9, 2, 2)}", code, flags=re.S)
    )


def command_in(folder: Path) -> Command:
    def run(*command: str) -> str:
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=400)
        output = result.stdout + result.stderr
        assert result.returncode == 0, output
        return output

    return run


@pytest.fixture
def run(tiny: Path) -> Command:
    """Run a command in `tiny`, reset to its first results."""
    return reset(tiny)


@pytest.fixture
def run_all(tiny_all: Path) -> Command:
    """Run a command in `tiny_all`, reset to its first results."""
    return reset(tiny_all)


def reset(folder: Path) -> Command:
    command = command_in(folder)
    command("git", "reset", "--hard", "--quiet")
    command("git", "clean", "--quiet", "-d", "--force")
    command("dvc", "checkout", "--force", "--quiet")
    return command


def ran(output: str) -> list[str]:
    """The stages that really ran, in order."""
    lines = [line for line in output.splitlines() if line.startswith("Running stage '")]
    return [line.split("'")[1] for line in lines]


def read_csv(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))
