"""Several processes that share each batch take the steps that one alone would take."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from mnist.errors import UserError
from mnist.training.distributed import Processes
from tests.conftest import ROOT
from tests.digits import digits
from tests.small_models import MODELS, run_tiny, start_sharing, tiny


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_the_shares_are_a_batch() -> None:
    batch = list(range(12))
    shares = [batch[Processes(3, rank).share(12)] for rank in range(3)]
    assert sum(shares, []) == batch
    assert {len(share) for share in shares} == {4}


def train_in_two(folder: Path, name: str, **changes: Any) -> tuple[list[Any], list[float]]:
    """Train in two processes; returns the weights and the training loss of each."""
    (folder / "port").write_text(free_port())
    children = [start_sharing(name, folder, rank, **changes) for rank in (0, 1)]
    for child in children:
        child.join(120)
        assert child.exitcode == 0
    weights = [torch.load(folder / f"weights{rank}") for rank in (0, 1)]
    return weights, [torch.load(folder / f"loss{rank}") for rank in (0, 1)]


@pytest.mark.parametrize("name", MODELS)
def test_two_processes_end_with_the_same_weights(tmp_path: Path, name: str) -> None:
    (first, second), losses = train_in_two(tmp_path, name)
    learnt = [key for key in first if not key.endswith(("running_mean", "running_var"))]
    assert all(torch.equal(first[key], second[key]) for key in learnt)
    assert losses[0] == losses[1]


@pytest.mark.parametrize("name", ["alexnet", "vgg16"])
def test_without_dropout_they_do_what_one_does(tmp_path: Path, name: str) -> None:
    # Batch normalisation would see other neighbours; these two networks have none. SGD's step is
    # as long as the gradient, so a sum in place of a mean would show.
    plain: Any = {"dropout": 0.0, "optimizer": "sgd"}
    (first, _), losses = train_in_two(tmp_path, name, **plain)
    alone = run_tiny(name, **plain)
    assert losses[0] == pytest.approx(alone.curve[-1].train_loss, rel=1e-4)
    before = tiny(name, **plain)[0].state_dict()
    for key, value in alone.model.state_dict().items():
        moved = (value - before[key]).abs().max()
        assert (first[key] - value).abs().max() <= 0.02 * moved + 1e-7, key


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A folder in which the stage of the CNN can run."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["cnn"] |= {"widths": [8, 16, 16, 32], "epochs": 6, "batch_size": 32, "ema_decay": 0.9}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    (tmp_path / "data/mnist").mkdir(parents=True)
    images, labels = digits()
    for name, part in (("train", slice(1200)), ("validation", slice(1200, 1600))):
        np.savez(tmp_path / f"data/mnist/{name}.npz", images=images[part], labels=labels[part])
    return tmp_path


def torchrun(workspace: Path, processes: int = 2) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
    command += ["--master-port", free_port(), "-m", "stages.train_cnn"]
    return subprocess.Popen(
        command,
        cwd=workspace,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_stage_runs_unchanged_under_torchrun(workspace: Path) -> None:
    run = torchrun(workspace)
    output, _ = run.communicate(timeout=120)
    assert run.returncode == 0, output
    timing = json.loads((workspace / "metrics/timing/cnn.json").read_text())
    assert timing["world_size"] == 2
    curve = json.loads((workspace / "metrics/train/cnn.json").read_text())
    assert curve["val_accuracy"] > 0.85  # one process: see test_loop.py
    assert output.count("epoch 6: training loss") == 1  # the first process alone speaks
    assert (workspace / "models/cnn.safetensors").exists()


@pytest.mark.faults
@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc")
def test_a_process_that_dies_ends_the_run_without_output(workspace: Path) -> None:
    params = yaml.safe_load((workspace / "params.yaml").read_text())
    params["cnn"]["epochs"] = 10_000
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))
    run = torchrun(workspace)
    assert run.stdout is not None
    while "epoch 1: " not in run.stdout.readline():
        assert run.poll() is None
    workers = [int(pid) for pid in children_of(run.pid)]
    assert len(workers) == 2
    os.kill(workers[1], signal.SIGKILL)
    run.communicate(timeout=60)
    assert run.returncode != 0
    time.sleep(0.5)
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    assert not (workspace / "models").exists()
    assert not (workspace / "metrics").exists()


def children_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    with pytest.raises(UserError, match="a batch of 128 is not divisible by 3 processes"):
        Processes(3, 0).share(128)
