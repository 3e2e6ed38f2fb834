"""Attacks stay within eps and raise the loss; accuracies are those on the changed digits."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mnist.evaluation.attacks import fgsm, pgd
from mnist.evaluation.corruptions import CORRUPTIONS, corrupt
from mnist.evaluation.robustness import attack_rows, choose_digits, corruption_rows, rows_csv
from mnist.models import registry, weights_io
from mnist.models.inference import to_input
from mnist.params import Params
from stages import robustness as stage
from tests.digits import as_tensors
from tests.evaluation.conftest import TEST, RunStage


def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    return (model(images).argmax(dim=1) == labels).float().mean().item()


def test_an_attack_stays_within_eps_and_raises_the_loss(trained: nn.Module) -> None:
    images, labels = as_tensors(slice(100))
    inputs = to_input(images)
    for parameter in trained.parameters():
        parameter.grad = torch.ones_like(parameter)
    weights = [parameter.clone() for parameter in trained.parameters()]
    once = fgsm(trained, inputs, labels, 0.05)
    often = pgd(trained, inputs, labels, 0.05, 10)
    for changed in (once, often):
        assert (changed - inputs).abs().max() == pytest.approx(0.05, abs=1e-6)
        assert changed.min() >= 0
        assert changed.max() <= 1
    losses = [F.cross_entropy(trained(x), labels).item() for x in (inputs, once, often)]
    assert losses[0] < losses[1] < losses[2]
    assert accuracy(trained, often, labels) < accuracy(trained, inputs, labels) - 0.1
    for parameter, before in zip(trained.parameters(), weights, strict=True):
        assert parameter.equal(before)
        assert parameter.grad is not None
        assert (parameter.grad == 1).all()  # nothing was added to it
        parameter.grad = None


def test_the_sign_of_the_gradient_by_hand() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(3, 2, bias=False))
    with torch.no_grad():
        for weights in model.parameters():
            weights.copy_(torch.tensor([[1.0, -1.0, 0.0], [0.0, 0.0, 0.0]]))
    images = torch.full((1, 1, 1, 3), 0.5)
    # Class 0 gains from the first pixel, loses by the second and does not see the third.
    expected = torch.tensor([[[[0.4, 0.6, 0.5]]]])
    torch.testing.assert_close(fgsm(model, images, torch.tensor([0]), 0.1), expected)
    torch.testing.assert_close(pgd(model, images, torch.tensor([0]), 0.1, 4), expected)
    one_step = pgd(model, images, torch.tensor([0]), 0.1, 4) - images
    assert one_step.abs().max() <= 0.1 + 1e-6


def test_each_row_is_the_accuracy_under_that_corruption(trained: nn.Module, params: Params) -> None:
    images, labels = as_tensors(TEST)
    settings = params.evaluate.robustness
    rows = corruption_rows(trained, images, labels.numpy(), settings, batch_size=64)
    assert [row[0] for row in rows] == ["none", *CORRUPTIONS]
    assert rows[0] == ("none", 0, rows[0][2], len(images))
    assert rows[0][2] == pytest.approx(accuracy(trained, to_input(images), labels))
    for (kind, severity, measured, count), corruption in zip(rows[1:], CORRUPTIONS, strict=True):
        changed = torch.from_numpy(corrupt(images.numpy(), corruption, settings.seed))
        assert (kind, severity, count) == (corruption, 1, len(images))
        assert measured == pytest.approx(accuracy(trained, to_input(changed), labels)), kind
    assert len({row[2] for row in rows}) > 10  # so that few rows could be swapped unnoticed


def test_each_row_is_the_accuracy_under_that_attack(trained: nn.Module, params: Params) -> None:
    images, labels = as_tensors(slice(850, 900))
    settings = params.evaluate.robustness
    rows = attack_rows(trained, images, labels.numpy(), settings, batch_size=20)
    inputs = to_input(images)
    expected = [
        ("fgsm", eps, accuracy(trained, fgsm(trained, inputs, labels, eps), labels))
        for eps in (0, 0.05, 0.1, 0.15, 0.2, 0.3)
    ]
    attacked = pgd(trained, inputs, labels, settings.pgd_eps, settings.pgd_steps)
    expected.append(("pgd", 0.1, accuracy(trained, attacked, labels)))
    assert [row[:2] for row in rows] == [(kind, eps) for kind, eps, _ in expected]
    assert [row[2] for row in rows] == pytest.approx([a for *_, a in expected])
    assert {row[3] for row in rows} == {50}
    assert rows[0][2] == pytest.approx(accuracy(trained, inputs, labels))
    assert rows[0][2] > rows[2][2] >= rows[-1][2]


def test_the_chosen_digits_are_drawn_once_each_from_the_seed() -> None:
    labels = np.zeros(50)
    chosen = choose_digits(20, labels, seed=0)
    assert len(set(chosen.tolist())) == 20
    assert set(chosen.tolist()) < set(range(50))
    np.testing.assert_array_equal(chosen, choose_digits(30, labels, seed=0)[:20])
    assert (chosen != choose_digits(20, labels, seed=1)).any()
    assert sorted(choose_digits(80, labels, seed=0).tolist()) == list(range(50))


def test_rows_are_written_with_six_decimals() -> None:
    text = rows_csv("attack,eps,accuracy,digits", [("fgsm", 0.0, 2 / 3, 9), ("pgd", 0.05, 1, 9)])
    assert text == "attack,eps,accuracy,digits\nfgsm,0,0.666667,9\npgd,0.05,1.000000,9\n"


def test_the_stage_measures_the_chosen_test_digits(
    workspace: Path, run_stage: RunStage, trained: nn.Module, params: Params
) -> None:
    run_stage(stage, "cnn")
    settings = params.evaluate.robustness
    images, labels = as_tensors(TEST)
    chosen = np.random.default_rng(settings.seed).permutation(len(labels))[: settings.digits]
    images, truth = images[chosen], labels[chosen].numpy()
    corrupted = corruption_rows(trained, images, truth, settings, 64)
    attacked = attack_rows(trained, images[:20], truth[:20], settings, 64)
    assert (workspace / "metrics/robustness/cnn.csv").read_text() == rows_csv(
        "corruption,severity,accuracy,digits", corrupted
    )
    assert (workspace / "metrics/attacks/cnn.csv").read_text() == rows_csv(
        "attack,eps,accuracy,digits", attacked
    )
    assert (corrupted[0][-1], attacked[0][-1]) == (40, 20)


def test_a_detector_is_corrupted_and_not_attacked(
    workspace: Path, run_stage: RunStage, params: Params
) -> None:
    torch.manual_seed(0)
    weights_io.save(workspace / "models/frcnn.safetensors", registry.build("frcnn", params))
    run_stage(stage, "frcnn")
    rows = (workspace / "metrics/robustness/frcnn.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ["none", *CORRUPTIONS]
    assert (workspace / "metrics/attacks/frcnn.csv").read_text() == "attack,eps,accuracy,digits\n"
