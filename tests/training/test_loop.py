"""The loop takes the steps that its recipe describes, repeats to the bit, and learns."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mnist.errors import UserError
from mnist.models.inference import to_input
from mnist.training.classification import Classification
from mnist.training.curve import validation_steps
from mnist.training.loop import make_optimizer, one_cycle, train
from mnist.training.randomness import derive_seed
from tests.digits import as_tensors
from tests.small_models import MODELS, small_case, train_small


def test_the_loop_written_out_once_more_ends_with_the_same_weights() -> None:
    """Training mode, dropout, learning rates, schedule, weight decay and the average, by step."""
    changes: dict[str, Any] = {"epochs": 1, "dropout": 0.5, "optimizer": "sgd", "warmup": 0.3}
    changes |= {"lr": 0.02, "head_lr": 0.1, "weight_decay": 0.5, "ema_decay": 0.3}
    model, task, recipe = small_case("cnn", **changes)
    result = train(model.eval(), task, recipe)

    model, task, recipe = small_case("cnn", **changes)
    assert isinstance(task, Classification)
    model.train()
    groups: list[dict[str, Any]] = [
        {
            "params": [parameter],
            "lr": 0.1 if name in ("head.weight", "head.bias") else 0.02,
            "weight_decay": 0.5 if parameter.ndim > 1 else 0.0,
        }
        for name, parameter in model.named_parameters()
    ]
    optimizer = torch.optim.SGD(groups, momentum=0.9, nesterov=True)
    peaks = [group["lr"] for group in groups]
    average: dict[str, torch.Tensor] = {}
    for step in range(10):
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * one_cycle(step, 10, 0.3)
        torch.manual_seed(derive_seed(0, 0, "step", step))
        chosen, matrices = task.batch(step)
        images, labels = task.inputs(chosen, matrices), task.labels[chosen]
        loss = F.cross_entropy(model(images), labels, label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        keep = min(0.3, (1 + step) / (10 + step)) if step else 0.0
        for name, value in model.state_dict().items():
            if step and value.is_floating_point():
                value = keep * average[name] + (1 - keep) * value
            average[name] = value.clone()

    trained = result.model.state_dict()
    assert trained.keys() == average.keys()
    for name, value in average.items():
        torch.testing.assert_close(trained[name], value, rtol=1e-3, atol=1e-4, msg=name)


def test_the_learning_rate_rises_and_falls() -> None:
    assert [one_cycle(step, 100, 0.2) for step in (0, 10, 20)] == pytest.approx([0.1, 0.55, 1])
    assert one_cycle(60, 100, 0.2) == pytest.approx((1 + 0.001) / 2)
    assert one_cycle(100, 100, 0.2) == pytest.approx(0.001)
    assert one_cycle(0, 100, 0.0) == 1


@pytest.mark.parametrize("name", MODELS)
def test_the_heads_alone_have_a_learning_rate_of_their_own(name: str) -> None:
    model, _, recipe = small_case(name, lr=0.5, head_lr=2.0)
    heads = {p for key, p in model.named_parameters() if key.startswith(("head.", "crop_heads."))}
    groups = make_optimizer(model, recipe).param_groups
    assert {group["lr"] for group in groups} == {0.5, 2.0}
    for group in groups:
        assert {p in heads for p in group["params"]} == {group["lr"] == 2.0}


def test_the_curve_holds_the_means_since_the_row_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And each row is on disk before the next step."""
    model, task, recipe = small_case("cnn", epochs=2.5)
    losses: list[float] = []
    rows_at_step: list[int] = []
    curve, task_loss = tmp_path / "curve.csv", task.loss

    def loss(model: nn.Module, batch: Any) -> torch.Tensor:
        rows_at_step.append(len(curve.read_text().splitlines()) - 1 if curve.exists() else 0)
        value = task_loss(model, batch)
        losses.append(value.item())
        return value

    monkeypatch.setattr(task, "loss", loss)
    result = train(model, task, recipe, curve_file=curve)
    steps = sorted(validation_steps(25, 2.5))
    assert rows_at_step == [sum(done <= step for done in steps) for step in range(25)]

    header, *lines = curve.read_text().splitlines()
    assert header == "epoch,train_loss,val_loss,val_accuracy,val_digits"
    assert len(lines) == len(result.curve) == 8
    for row, line, start, end in zip(result.curve, lines, [0, *steps], steps, strict=False):
        assert row.epoch == end / 10
        assert row.train_loss == pytest.approx(sum(losses[start:end]) / (end - start), rel=1e-5)
        numbers = [float(number) for number in line.split(",")]
        assert numbers == pytest.approx([*vars(row).values()], abs=1e-6)

    # The last row is that of the weights that are returned, on all validation images.
    images, labels = as_tensors(slice(300, 340))
    assert not any(module.training for module in result.model.modules())
    logits = result.model(to_input(images))
    last = result.curve[-1]
    assert last.val_loss == pytest.approx(F.cross_entropy(logits, labels).item(), rel=1e-5)
    assert last.val_accuracy == pytest.approx((logits.argmax(1) == labels).double().mean().item())
    assert last.val_digits == 40


def test_there_are_eight_to_forty_evenly_spaced_validations_or_one_for_each_epoch() -> None:
    assert sorted(validation_steps(80, 3)) == [10, 20, 30, 40, 50, 60, 70, 80]
    assert sorted(validation_steps(120, 12)) == list(range(10, 121, 10))
    assert sorted(validation_steps(400, 400)) == list(range(10, 401, 10))
    assert sorted(validation_steps(3, 0.1)) == [1, 2, 3]


def test_an_epoch_may_be_a_fraction_and_a_batch_all_there_is() -> None:
    result = train_small("cnn", epochs=0.5)
    assert result.curve[-1].epoch == 0.5
    assert result.samples == 5 * 16
    assert train_small("cnn", batch_size=5000, epochs=2).samples == 2 * 160


def test_a_training_that_diverges_stops_and_says_where() -> None:
    with pytest.raises(UserError, match=r"loss became (nan|inf) by step \d+ of 16"):
        train_small("cnn", lr=1e30, warmup=0.0)
