"""Two processes that divide each batch take the steps that one process would take."""

import copy
import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
import yaml

from mnist.training.loop import train
from tests.conftest import ROOT
from tests.digits import digits
from tests.small_models import MODELS, SHORT, SMALL, small_case
from tests.training.processes import LIMIT, free_port, start_rank


def train_in_two(folder: Path, name: str, **changes: Any) -> list[dict[str, Any]]:
    """Train in two processes; returns the weights and the last training loss of each."""
    port = free_port()
    children = [start_rank(name, folder, rank, port, **changes) for rank in (0, 1)]
    for child in children:
        child.join(LIMIT)
        assert child.exitcode == 0
    return [torch.load(folder / f"{rank}.pt") for rank in (0, 1)]


@pytest.mark.parametrize("name", MODELS)
def test_two_processes_end_with_the_same_weights(tmp_path: Path, name: str) -> None:
    first, second = train_in_two(tmp_path, name, epochs=1.2)
    for key, value in first["weights"].items():
        # Each normalises its shard by the statistics of that shard.
        if not key.endswith(("running_mean", "running_var")):
            assert torch.equal(second["weights"][key], value), key
    assert first["loss"] == second["loss"]
    for key, value in first["task"].items():  # the next batches
        assert torch.equal(torch.as_tensor(second["task"][key]), torch.as_tensor(value)), key


@pytest.mark.parametrize("name", ["alexnet", "vgg16"])
def test_without_dropout_they_do_what_one_does(tmp_path: Path, name: str) -> None:
    # Batch normalisation would see other neighbours; these two networks have none. SGD's step is
    # as long as the gradient, so a sum in place of a mean would show.
    plain: Any = {"dropout": 0.0, "optimizer": "sgd", "epochs": 0.5}
    together, _ = train_in_two(tmp_path, name, **plain)
    before, task, recipe = small_case(name, **plain)
    torch.set_num_threads(1)
    result = train(copy.deepcopy(before), task, recipe)
    losses = task.state_dict()["losses"]
    torch.testing.assert_close(together["task"]["losses"], losses, rtol=0.05, atol=0.01)
    assert together["loss"] == pytest.approx(result.curve[-1].train_loss, rel=1e-4)
    for key, value in result.model.state_dict().items():
        moved = (value - before.state_dict()[key]).abs().max()
        assert (together["weights"][key] - value).abs().max() <= 0.02 * moved + 1e-7, key


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A folder in which the stage of the CNN can run."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["cnn"] |= SHORT | SMALL["cnn"] | {"epochs": 1}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    (tmp_path / "data/mnist").mkdir(parents=True)
    images, labels = digits()
    for name, part in (("train", slice(160)), ("validation", slice(300, 340))):
        np.savez(tmp_path / f"data/mnist/{name}.npz", images=images[part], labels=labels[part])
    return tmp_path


def torchrun(workspace: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["--master-port", str(free_port()), "-m", "stages.train_cnn"]
    return subprocess.Popen(
        command,
        cwd=workspace,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.faults
def test_a_process_that_dies_ends_the_run_without_output(workspace: Path) -> None:
    params = yaml.safe_load((workspace / "params.yaml").read_text())
    params["cnn"]["epochs"] = 100_000
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))
    run = torchrun(workspace)
    try:
        wait_for_training(run)
        workers = psutil.Process(run.pid).children()
        assert len(workers) == 2
        os.kill(workers[1].pid, signal.SIGKILL)
        assert run.wait(LIMIT) != 0
        assert psutil.wait_procs(workers, timeout=LIMIT)[1] == []
        assert not (workspace / "models").exists()
        assert not (workspace / "metrics/train").exists()
    finally:
        run.kill()


def wait_for_training(run: subprocess.Popen[str]) -> None:
    """Wait until process 0 shows a loss; and read what follows, so that no process is blocked."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in run.stdout or ():
            lines.put(line)

    threading.Thread(target=read, daemon=True).start()
    output = ""
    while "loss=" not in output:
        output += lines.get(timeout=LIMIT)
