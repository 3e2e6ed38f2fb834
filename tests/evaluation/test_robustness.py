"""Attacks stay within eps and raise the loss; accuracies are those on the changed digits."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import bootstrap
from statsmodels.stats.proportion import proportion_confint
from torch import Tensor, nn
from torch.nn import functional as F

from mnist.evaluation.attacks import fgsm, margin, pgd, pgd_margin
from mnist.evaluation.corruptions import CORRUPTIONS, corrupt
from mnist.evaluation.robustness import (
    attack_rows,
    attacks_csv,
    choose_digits,
    classify_corrupted,
    corrupted_csv,
    summarize,
)
from mnist.models import registry, weights_io
from mnist.models.inference import to_input
from mnist.params import Params
from stages import robustness as stage
from tests.digits import as_tensors
from tests.evaluation.conftest import TEST, RunStage


def correct(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    with torch.no_grad():
        return model(images).argmax(dim=1) == labels


def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    return correct(model, images, labels).float().mean().item()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_an_attack_stays_within_eps_and_raises_the_loss(trained: nn.Module) -> None:
    images, labels = as_tensors(slice(100))
    inputs = to_input(images)
    for parameter in trained.parameters():
        parameter.grad = torch.ones_like(parameter)
    weights = [parameter.clone() for parameter in trained.parameters()]
    (once,) = fgsm(trained, inputs, labels, [0.05])
    often = pgd(trained, inputs, labels, 0.05, 10)
    restarted = pgd_margin(trained, inputs, labels, 0.05, 10, 3, seeded())
    for changed in (once, often, restarted):
        assert (changed - inputs).abs().max() == pytest.approx(0.05, abs=1e-6)
        assert changed.min() >= 0
        assert changed.max() <= 1
    losses = [F.cross_entropy(trained(x), labels).item() for x in (inputs, once)]
    assert losses[0] < losses[1]
    assert accuracy(trained, often, labels) < accuracy(trained, once, labels)
    for changed in (often, restarted):
        assert accuracy(trained, changed, labels) < accuracy(trained, inputs, labels) - 0.1
    for parameter, before in zip(trained.parameters(), weights, strict=True):
        assert parameter.equal(before)
        assert parameter.grad is not None
        assert (parameter.grad == 1).all()  # nothing was added to it
        parameter.grad = None


def linear() -> nn.Module:
    """Class 0 gains from the first of three pixels, loses by the second, does not see the third."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(3, 2, bias=False))
    with torch.no_grad():
        for weights in model.parameters():
            weights.copy_(torch.tensor([[1.0, -1.0, 0.0], [0.0, 0.0, 0.0]]))
    return model


def test_the_sign_of_the_gradient_by_hand() -> None:
    images, labels = torch.tensor([[[[0.8, 0.2, 0.5]]]]), torch.tensor([0])
    expected = torch.tensor([[[[0.7, 0.3, 0.5]]]])
    torch.testing.assert_close(fgsm(linear(), images, labels, [0.1]), [expected])
    torch.testing.assert_close(pgd(linear(), images, labels, 0.1, 4), expected)
    assert (pgd(linear(), images, labels, 0.1, 4) - images).abs().max() <= 0.1 + 1e-6
    torch.testing.assert_close(pgd(linear(), images, labels, 0.1, 1, loss=margin), expected)


def test_an_image_stays_as_it_is_as_soon_as_the_model_errs() -> None:
    images = torch.tensor([[[[0.6, 0.5, 0.5]]]])
    once = torch.tensor([[[[0.35, 0.75, 0.5]]]])  # a step of 2.5 * 0.4 / 4
    torch.testing.assert_close(pgd(linear(), images, torch.tensor([0]), 0.4, 4), once)
    torch.testing.assert_close(pgd(linear(), images, torch.tensor([1]), 0.4, 4), images)


class NeedsImages(nn.Module):
    """Refuses an empty batch, as some layers do."""

    def forward(self, images: Tensor) -> Tensor:
        assert len(images) > 0
        return images


def test_nothing_is_left_to_attack_where_the_model_errs_on_all() -> None:
    images = torch.tensor([[[[0.9, 0.1, 0.5]]]])
    model = nn.Sequential(NeedsImages(), linear())
    attacked = pgd_margin(model, images, torch.tensor([1]), 0.1, 4, 2, seeded())
    assert (attacked - images).abs().max() <= 0.1 + 1e-6


def test_the_margin_is_to_the_best_wrong_class() -> None:
    logits = torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, 4.0]])
    assert margin(logits, torch.tensor([0, 2])) == (2 - 3) + (5 - 4)
    # Where the cross-entropy is flat, in float32, the margin still has a gradient.
    sure = torch.tensor([[500.0, 0.0]], requires_grad=True)
    (flat,) = torch.autograd.grad(F.cross_entropy(sure, torch.tensor([0])), sure)
    (steep,) = torch.autograd.grad(margin(sure, torch.tensor([0])), sure)
    assert not flat.any()
    assert steep.tolist() == [[-1, 1]]


def test_an_image_counts_as_robust_only_if_every_restart_fails(trained: nn.Module) -> None:
    images, labels = as_tensors(slice(850, 1050))
    inputs = to_input(images)
    arguments = (trained, inputs, labels, 0.06, 2)
    starts, draw = [], seeded()
    for _ in range(3):
        noise = 0.06 * (2 * torch.rand(inputs.shape, generator=draw) - 1)
        starts.append(pgd(*arguments, (inputs + noise).clamp(0, 1), margin))
    each = torch.stack([correct(trained, start, labels) for start in starts])
    all_fail = each.all(dim=0)
    assert all_fail.sum() < each.sum(dim=1).min()  # so that the restarts differ
    restarted = correct(trained, pgd_margin(*arguments, 3, seeded()), labels)
    assert (restarted != all_fail).sum() <= 1  # the last bits depend on the size of a batch
    once = pgd_margin(*arguments, 1, seeded())
    torch.testing.assert_close(once, starts[0])
    assert not once.equal(pgd_margin(*arguments, 1, seeded(1)))


def test_each_corruption_is_of_the_same_digits(trained: nn.Module, params: Params) -> None:
    images, labels = as_tensors(TEST)
    settings = params.evaluate.robustness
    measured = classify_corrupted(trained, images, labels.numpy(), settings, batch_size=64)
    assert list(measured) == ["none", *CORRUPTIONS]
    for kind, hits in measured.items():
        changed = images
        if kind != "none":
            changed = torch.from_numpy(corrupt(images.numpy(), kind, settings.seed))
        differs = hits != correct(trained, to_input(changed), labels).numpy()
        assert hits.shape == (len(images),)
        assert differs.sum() <= 1, kind  # the last bits depend on the size of a batch
    assert len({hits.sum() for hits in measured.values()}) > 10  # so that few could be swapped


def drawn(digits: int = 300) -> dict[str, np.ndarray]:
    """Accuracies of 0.9, 0.8, 0.7 and 0.2 that depend on the same digits; clean, all are right."""
    difficulty = np.random.default_rng(0).random(digits)
    rates = {"none": 1.0, "fog": 0.9, "shear": 0.8, "scale": 0.7, "stripe": 0.2}
    return {kind: difficulty < rate for kind, rate in rates.items()}


def test_an_accuracy_comes_with_its_wilson_interval() -> None:
    rows = list(csv.DictReader(corrupted_csv(drawn()).splitlines()))
    assert [(row["corruption"], row["severity"]) for row in rows] == [
        ("none", "0"), ("fog", "1"), ("shear", "1"), ("scale", "1"), ("stripe", "1")
    ]  # fmt: skip
    for row, hits in zip(rows, drawn().values(), strict=True):
        low, high = proportion_confint(hits.sum(), 300, method="wilson")
        found = [float(row[key]) for key in ("accuracy", "ci95_low", "ci95_high")]
        assert found == pytest.approx([hits.mean(), low, high], abs=1e-6)
        assert row["digits"] == "300"


def test_the_summary_is_without_clean_digits_and_resamples_digits() -> None:
    hits = np.stack(list(drawn().values())[1:])
    summary = summarize(drawn(), seed=0)
    assert summary["mean"] == pytest.approx(hits.mean())
    assert summary["median"] == pytest.approx(np.median(hits.mean(axis=1)))
    for name, of in (("mean", np.mean), ("median", np.median)):

        def statistic(digits: np.ndarray, axis: int, of=of) -> np.ndarray:
            return of(hits[:, digits.astype(int)].mean(axis=-1), axis=0)

        digits = np.arange(hits.shape[1])
        expected = bootstrap(
            (digits,), statistic, n_resamples=4000, method="percentile", vectorized=True,
            rng=np.random.default_rng(1),
        ).confidence_interval  # fmt: skip
        assert summary[f"{name}_ci95"] == pytest.approx([*expected], abs=0.006)
    assert summarize(drawn(), seed=0) == summary != summarize(drawn(), seed=1)


def test_each_row_is_the_accuracy_under_that_attack(trained: nn.Module, params: Params) -> None:
    images, labels = as_tensors(slice(850, 900))
    weak = {"pgd_eps": 0.06, "pgd_steps": 2, "pgd_restarts": 2, "seed": 1}  # some digits survive
    settings = params.evaluate.robustness.model_copy(update=weak)
    rows = attack_rows(trained, images, labels.numpy(), settings, batch_size=20)
    inputs = to_input(images)
    strengths, eps, steps = [0, 0.05, 0.1, 0.15, 0.2, 0.3], settings.pgd_eps, settings.pgd_steps
    attacked = fgsm(trained, inputs, labels, strengths)
    attacked.append(pgd(trained, inputs, labels, eps, steps))
    draw = seeded(settings.seed)
    batches = zip(inputs.split(20), labels.split(20), strict=True)
    attacked.append(
        torch.cat([pgd_margin(trained, *batch, eps, steps, 2, draw) for batch in batches])
    )
    kinds = [*[("fgsm", e) for e in strengths], ("pgd", eps), ("pgd_margin", eps)]
    assert [row[:2] for row in rows] == kinds
    expected = [accuracy(trained, changed, labels) for changed in attacked]
    assert [row[2] for row in rows] == pytest.approx(expected)
    assert {row[3] for row in rows} == {50}
    assert rows[0][2] == pytest.approx(accuracy(trained, inputs, labels))
    assert rows[0][2] > rows[2][2]


def test_the_chosen_digits_are_drawn_once_each_from_the_seed() -> None:
    labels = np.zeros(50)
    chosen = choose_digits(20, labels, seed=0)
    assert len(set(chosen.tolist())) == 20
    assert set(chosen.tolist()) < set(range(50))
    np.testing.assert_array_equal(chosen, choose_digits(30, labels, seed=0)[:20])
    assert (chosen != choose_digits(20, labels, seed=1)).any()
    assert sorted(choose_digits(80, labels, seed=0).tolist()) == list(range(50))


def test_rows_are_written_with_six_decimals() -> None:
    text = attacks_csv([("fgsm", 0.0, 2 / 3, 9), ("pgd", 0.05, 1, 9)])
    assert text == "attack,eps,accuracy,digits\nfgsm,0,0.666667,9\npgd,0.05,1.000000,9\n"


def test_the_stage_measures_the_chosen_test_digits(
    workspace: Path, run_stage: RunStage, trained: nn.Module, params: Params
) -> None:
    run_stage(stage, "cnn")
    settings = params.evaluate.robustness
    images, labels = as_tensors(TEST)
    chosen = np.random.default_rng(settings.seed).permutation(len(labels))[: settings.digits]
    images, truth = images[chosen], labels[chosen].numpy()
    measured = classify_corrupted(trained, images, truth, settings, 64)
    attacked = attack_rows(trained, images[:20], truth[:20], settings, 64)
    assert (workspace / "metrics/robustness/cnn.csv").read_text() == corrupted_csv(measured)
    assert (workspace / "metrics/attacks/cnn.csv").read_text() == attacks_csv(attacked)
    summary = json.loads((workspace / "metrics/corrupted/cnn.json").read_text())
    assert summary["mean_ci95"] == pytest.approx(
        summarize(measured, settings.seed)["mean_ci95"], abs=1e-6
    )
    assert summary.keys() == {"mean", "mean_ci95", "median", "median_ci95"}
    assert (len(measured["none"]), attacked[0][-1]) == (40, 20)


def test_a_detector_is_corrupted_and_not_attacked(
    workspace: Path, run_stage: RunStage, params: Params
) -> None:
    torch.manual_seed(0)
    weights_io.save(workspace / "models/frcnn.safetensors", registry.build("frcnn", params))
    run_stage(stage, "frcnn")
    rows = (workspace / "metrics/robustness/frcnn.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ["none", *CORRUPTIONS]
    assert (workspace / "metrics/attacks/frcnn.csv").read_text() == "attack,eps,accuracy,digits\n"
