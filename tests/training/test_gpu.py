"""On a CUDA GPU all five train, in either precision, and go on after a stop with the same bits."""

from pathlib import Path
from typing import Any

import pytest
import torch

from mnist.device import pick_precision, set_up
from mnist.params import Runtime
from mnist.training.checkpoint import Checkpoints
from mnist.training.loop import train
from tests.small_models import MODELS, tiny

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU"),
]


@pytest.fixture
def gpu() -> torch.device:
    return set_up(
        Runtime(
            device="auto",
            threads=2,
            precision="auto",
            compile=False,
            resume=True,
            checkpoint_seconds=60,
        )
    )


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", MODELS)
def test_every_model_trains_on_it(gpu: torch.device, name: str, precision: torch.dtype) -> None:
    model, task, recipe = tiny(name, device=gpu, epochs=6.0)
    trained = train(model, task, recipe, 0, gpu, precision=precision)
    assert all(weights.device.type == "cuda" for weights in trained.model.parameters())
    assert trained.curve[-1].train_loss < trained.curve[0].train_loss


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", MODELS)
def test_a_training_that_was_stopped_goes_on_with_the_same_bits(
    gpu: torch.device,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    precision: torch.dtype,
) -> None:
    how: Any = {"precision": precision}
    model, task, recipe = tiny(name, device=gpu)
    unbroken = train(model, task, recipe, 0, gpu, **how)

    def stop(checkpoints: Checkpoints, step: int, state: object) -> None:
        save(checkpoints, step, state)  # type: ignore[arg-type]
        if step == 3:
            raise KeyboardInterrupt

    save = Checkpoints.save
    monkeypatch.setattr(Checkpoints, "save", stop)
    model, task, recipe = tiny(name, device=gpu)
    with pytest.raises(KeyboardInterrupt):
        train(model, task, recipe, 0, gpu, checkpoints=Checkpoints(tmp_path, 0, resume=True), **how)
    monkeypatch.undo()
    model, task, recipe = tiny(name, device=gpu)
    resumed = train(
        model, task, recipe, 0, gpu, checkpoints=Checkpoints(tmp_path, 60, resume=True), **how
    )
    assert repr(resumed.curve) == repr(unbroken.curve)
    weights = resumed.model.state_dict()
    assert all(
        torch.equal(weights[key], value) for key, value in unbroken.model.state_dict().items()
    )


def test_its_precision_is_bfloat16_where_the_hardware_has_it(gpu: torch.device) -> None:
    modern = torch.cuda.get_device_capability() >= (8, 0)
    assert pick_precision("auto", gpu) == (torch.bfloat16 if modern else torch.float32)
