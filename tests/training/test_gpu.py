"""On a CUDA GPU all five train, in either precision, and continue after a stop with equal bits."""

from pathlib import Path
from typing import Any

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
def test_every_model_trains_on_it_and_goes_on_after_a_stop(
    gpu: torch.device, tmp_path: Path, name: str, precision: torch.dtype
) -> None:
    path = tmp_path / "checkpoint.pt"

    def case() -> tuple[Any, Any, Any]:
        return small_case(name, device=gpu, epochs=6.0)

    whole = train(*case(), precision)
    assert whole.curve[-1].train_loss < whole.curve[0].train_loss
    with pytest.raises(KeyboardInterrupt):
        train(*case(), precision, Stopping(path, 0))
    resumed = train(*case(), precision, Checkpoint(path, 60))
    assert resumed.curve == whole.curve
    weights = resumed.model.state_dict()
    for key, value in whole.model.state_dict().items():
        assert value.device.type == "cuda"
        assert torch.equal(weights[key], value), key
