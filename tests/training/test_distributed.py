"""Two processes that divide each batch take the steps that one process would take."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from mnist.training.loop import train
from tests.small_models import MODELS, small_case
from tests.training.processes import LIMIT, free_port, start_rank


def train_in_two(folder: Path, name: str, **changes: Any) -> list[dict[str, Any]]:
    """Train in two processes; returns the weights and the last training loss of each."""
    port = free_port()
    children = [start_rank(name, folder, rank, port, **changes) for rank in (0, 1)]
    for child in children:
        child.join(LIMIT)
        assert child.exitcode == 0
    return [torch.load(folder / f"{rank}.pt") for rank in (0, 1)]


@pytest.mark.parametrize(
    "name", [n if n == "vit" else pytest.param(n, marks=pytest.mark.slow) for n in MODELS]
)
def test_two_processes_end_with_the_same_weights(tmp_path: Path, name: str) -> None:
    first, second = train_in_two(tmp_path, name, epochs=1.2)
    for key, value in first["weights"].items():
        # Each normalises its shard by the statistics of that shard.
        if not key.endswith(("running_mean", "running_var")):
            assert torch.equal(second["weights"][key], value), key
    assert first["loss"] == second["loss"]
    for key, value in first["task"].items():  # the next batches
        assert torch.equal(torch.as_tensor(second["task"][key]), torch.as_tensor(value)), key


@pytest.mark.slow
def test_without_dropout_they_do_what_one_does(tmp_path: Path) -> None:
    # Batch normalisation would see other neighbours; AlexNet has none. SGD's step is as long as
    # the gradient, so a sum in place of a mean would show.
    name = "alexnet"
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
