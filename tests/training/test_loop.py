"""The training loop learns, repeats to the bit, and stops when it diverges."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mnist.errors import UserError
from mnist.models import weights_io
from mnist.models.cnn import CNN
from mnist.params import CNN as CNNSection
from mnist.params import Params
from mnist.training.classification import Classification
from mnist.training.loop import Trained, make_optimizer, train
from tests.digits import as_tensors

TRAINING, VALIDATION = slice(1200), slice(1200, 1600)


@pytest.fixture
def section(committed: dict[str, Any]) -> dict[str, Any]:
    """The committed recipe of the CNN, with a smaller network and fewer epochs."""
    small = {"widths": [8, 16, 16, 32], "epochs": 2, "batch_size": 32, "ema_decay": 0.9}
    return committed["cnn"] | small


def run_training(
    values: dict[str, Any], seed: int = 0, precision: torch.dtype = torch.float32
) -> Trained:
    recipe = CNNSection.model_validate(values)
    torch.manual_seed(seed)
    model = CNN(**recipe.architecture())
    task = Classification(as_tensors(TRAINING), as_tensors(VALIDATION), recipe)
    return train(model, task, recipe, seed, torch.device("cpu"), precision=precision)


def test_it_beats_chance_by_far(section: dict[str, Any]) -> None:
    trained = run_training(section | {"epochs": 8})
    assert trained.curve[-1].val_accuracy > 0.9
    assert trained.curve[1].val_loss < trained.curve[0].val_loss


def test_the_same_seed_gives_the_same_bits(section: dict[str, Any], tmp_path: Path) -> None:
    section |= {"epochs": 0.5}
    for name, seed in (("first", 1), ("again", 1), ("other", 2)):
        trained = run_training(section, seed)
        weights_io.save(tmp_path / name, trained.model, {})
        (tmp_path / f"{name}.curve").write_text(repr(trained.curve))
    first, again, other = ((tmp_path / n).read_bytes() for n in ("first", "again", "other"))
    assert first == again
    assert first != other
    assert (tmp_path / "first.curve").read_text() == (tmp_path / "again.curve").read_text()


def test_bfloat16_learns_as_well_and_leaves_float32_weights(section: dict[str, Any]) -> None:
    section |= {"epochs": 6}
    rough, exact = (run_training(section, 0, kind) for kind in (torch.bfloat16, torch.float32))
    assert rough.curve[0].train_loss != exact.curve[0].train_loss
    assert rough.curve[-1].train_loss == pytest.approx(exact.curve[-1].train_loss, rel=0.1)
    assert rough.curve[-1].val_accuracy > 0.85
    assert {weight.dtype for weight in rough.model.parameters()} == {torch.float32}


def test_an_epoch_may_be_a_fraction(section: dict[str, Any]) -> None:
    trained = run_training(section | {"epochs": 1.5})
    per_epoch = 1200 // 32
    assert [score.epoch for score in trained.curve] == [1, pytest.approx(1.5, abs=0.02)]
    assert trained.samples == round(1.5 * per_epoch) * 32


def test_a_training_set_smaller_than_a_batch_still_trains(section: dict[str, Any]) -> None:
    assert run_training(section | {"batch_size": 5000}).samples == 2 * 1200


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_weight_decay_spares_biases_and_normalisation(
    section: dict[str, Any], optimizer: str
) -> None:
    recipe = CNNSection.model_validate(section | {"optimizer": optimizer, "weight_decay": 0.1})
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
    groups = make_optimizer(model, recipe).param_groups
    decay = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    for name, parameter in model.named_parameters():
        assert decay[id(parameter)] == (0.1 if parameter.ndim > 1 else 0.0), name


def test_a_training_that_diverges_stops_with_step_and_learning_rate(
    section: dict[str, Any],
) -> None:
    with pytest.raises(UserError, match=r"loss became nan at step \d+ .*learning rate"):
        run_training(section | {"optimizer": "sgd", "lr": 1e30, "warmup": 0})


def test_the_validation_split_does_not_change_the_weights(section: dict[str, Any]) -> None:
    recipe = CNNSection.model_validate(section | {"epochs": 0.5})
    weights = []
    for validation in (as_tensors(VALIDATION), as_tensors(slice(1700, 1797))):
        torch.manual_seed(0)
        model = CNN(**recipe.architecture())
        task = Classification(as_tensors(TRAINING), validation, recipe)
        trained = train(model, task, recipe, 0, torch.device("cpu"))
        weights.append(trained.model.state_dict())
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_the_committed_sections_have_what_every_recipe_needs(committed: dict[str, Any]) -> None:
    assert Params.model_validate(committed).cnn.architecture().keys() == {
        "widths",
        "kernel_sizes",
        "strides",
        "paddings",
        "pools",
        "dropout",
    }
