"""On a CUDA GPU all five train, in either precision, and continue after a stop.

The fast kernels of a GPU do not repeat to the bit, so figures are compared with a tolerance.
"""

from pathlib import Path
from typing import Any

import pytest
import torch

from mnist.device import set_up
from mnist.training import loop
from mnist.training.checkpoint import Checkpoint, Parts
from mnist.training.loop import TrainResult, train
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
    assert resumed.curve[-1].train_loss == pytest.approx(whole.curve[-1].train_loss, rel=0.2)
    assert {value.device.type for value in resumed.model.state_dict().values()} == {"cuda"}


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("name", [name for name in MODELS if name != "frcnn"])
def test_a_graph_takes_the_steps_that_it_recorded(
    gpu: torch.device, monkeypatch: pytest.MonkeyPatch, name: str, optimizer: str
) -> None:
    """Dropout, learning rate, hard examples and the average are those of plain steps."""

    def trained() -> TrainResult:
        return train(*small_case(name, device=gpu, epochs=1.6, optimizer=optimizer, lr=0.001))

    graphed = trained()
    monkeypatch.setattr(loop, "GraphedStep", lambda step: step)
    plain = trained()
    for row, expected in zip(graphed.curve, plain.curve, strict=True):
        assert row.train_loss == pytest.approx(expected.train_loss, rel=0.02)
        assert row.val_loss == pytest.approx(expected.val_loss, rel=0.02)
    weights = plain.model.state_dict()
    for key, value in graphed.model.state_dict().items():
        torch.testing.assert_close(value, weights[key], rtol=0.05, atol=0.01, msg=key)
