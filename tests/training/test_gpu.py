"""On a CUDA GPU all five train, in either precision, and continue after a stop with equal bits."""

from pathlib import Path

import pytest
import torch

from mnist.device import set_up
from mnist.training.checkpoint import Checkpoint, Parts
from mnist.training.loop import train
from tests.small_models import MODELS, small_case, small_params

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU"),
]


@pytest.fixture
def gpu() -> torch.device:
    return set_up(small_params())


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", MODELS)
def test_every_model_trains_on_it(gpu: torch.device, name: str, precision: torch.dtype) -> None:
    model, task, recipe = small_case(name, device=gpu, epochs=6.0)
    result = train(model, task, recipe, precision)
    assert all(weights.device.type == "cuda" for weights in result.model.parameters())
    assert result.curve[-1].train_loss < result.curve[0].train_loss


class Stopping(Checkpoint):
    """Stops the training after its third save."""

    saves = 0

    def save(self, parts: Parts, step: int) -> None:
        super().save(parts, step)
        self.saves += 1
        if self.saves == 3:
            raise KeyboardInterrupt


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", MODELS)
def test_a_training_that_was_stopped_ends_with_the_same_bits(
    gpu: torch.device, tmp_path: Path, name: str, precision: torch.dtype
) -> None:
    path = tmp_path / "checkpoint.pt"
    whole = train(*small_case(name, device=gpu), precision)
    with pytest.raises(KeyboardInterrupt):
        train(*small_case(name, device=gpu), precision, Stopping(path, 0, resume=True))
    resumed = train(*small_case(name, device=gpu), precision, Checkpoint(path, 60, resume=True))
    assert resumed.curve == whole.curve
    weights = resumed.model.state_dict()
    for key, value in whole.model.state_dict().items():
        assert torch.equal(weights[key], value), key
