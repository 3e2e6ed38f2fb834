"""Attacks stay within eps and hurt; what is measured is what a model answers."""

import base64

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mnist.evaluation import robustness
from mnist.evaluation.attacks import fgsm, pgd
from mnist.evaluation.corruptions import CORRUPTIONS, corrupt
from mnist.models.frcnn import DigitDetector
from mnist.models.inference import to_input
from mnist.params import Params
from tests.digits import as_tensors


@pytest.fixture
def trained() -> nn.Sequential:
    """The simplest network that reads most of the small digits."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))
    images, labels = as_tensors(slice(500))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(60):
        loss = F.cross_entropy(model(to_input(images)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    return (model(images).argmax(dim=1) == labels).float().mean().item()


def test_an_attack_stays_within_its_limits_and_works(trained: nn.Module) -> None:
    images, labels = as_tensors(slice(100))
    inputs = to_input(images)
    weights = [parameter.clone() for parameter in trained.parameters()]
    gradients = [p.grad.clone() for p in trained.parameters() if p.grad is not None]
    once = fgsm(trained, inputs, labels, 0.05)
    often = pgd(trained, inputs, labels, 0.05, 10)
    for changed in (once, often):
        assert (changed - inputs).abs().max() <= 0.05 + 1e-6
        assert changed.min() >= 0
        assert changed.max() <= 1
    losses = [F.cross_entropy(trained(x), labels).item() for x in (inputs, once, often)]
    assert losses[0] < losses[1] < losses[2]
    assert accuracy(trained, often, labels) < accuracy(trained, inputs, labels) - 0.1
    assert all(p.equal(w) for p, w in zip(trained.parameters(), weights, strict=True))
    after = [p.grad for p in trained.parameters() if p.grad is not None]
    assert gradients
    assert all(old.equal(new) for old, new in zip(gradients, after, strict=True))


def test_the_sign_of_the_gradient_by_hand() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        for weights in model.parameters():
            weights.copy_(torch.tensor([[1.0, -1.0], [0.0, 0.0]]))
    images = torch.full((1, 1, 1, 2), 0.5)
    changed = fgsm(model, images, torch.tensor([0]), 0.1)
    # class 0 gains from the first pixel and loses from the second: darken one, light the other
    torch.testing.assert_close(changed, torch.tensor([[[[0.4, 0.6]]]]))


def settings(committed: dict) -> Params:
    committed["evaluate"]["robustness"] |= {"digits": 200, "attacked_digits": 50}
    return Params.model_validate(committed)


def test_what_is_measured_is_the_accuracy_on_the_subset(
    trained: nn.Module, committed: dict
) -> None:
    images, labels = as_tensors(slice(500, 1500))
    limits = settings(committed).evaluate
    result = robustness.measure(trained, images, labels.numpy(), limits)
    table = {(kind, severity): share for kind, severity, share in result.rows}
    assert {kind.split()[0] for kind, _ in table} == {"none", "fgsm", "pgd", *CORRUPTIONS}

    subset = np.random.default_rng(limits.robustness.seed).permutation(1000)[:200]
    digits, truth = images[subset], labels[subset]
    assert table["none", 0] == pytest.approx(accuracy(trained, to_input(digits), truth))
    stripes = torch.from_numpy(corrupt(digits.numpy(), "stripe", limits.robustness.seed))
    assert table["stripe", 1] == pytest.approx(accuracy(trained, to_input(stripes), truth))
    assert result.pictures["stripe"] == base64.b64encode(stripes[0].numpy().tobytes()).decode()
    few = to_input(digits[:50])
    assert table["fgsm 0", 0] == pytest.approx(accuracy(trained, few, truth[:50]))
    assert table["fgsm 0.3", 0.3] < table["fgsm 0.05", 0.05] <= table["fgsm 0", 0]
    assert table["pgd 0.1", 0.1] <= table["fgsm 0.1", 0.1]
    assert (result.examples()["digits"], result.examples()["attacked_digits"]) == (200, 50)
    lines = result.csv().splitlines()
    assert lines[0] == "corruption,severity,accuracy"
    assert lines[1] == f"none,0,{table['none', 0]:.4f}"
    assert len(lines) == 1 + len(result.rows)


def test_a_detector_is_corrupted_and_not_attacked(committed: dict) -> None:
    torch.manual_seed(0)
    params = settings(committed)
    model = DigitDetector(backbone=params.cnn.architecture(), **params.frcnn.architecture()).eval()
    images, labels = as_tensors(slice(20))
    result = robustness.measure(model, images, labels.numpy(), params.evaluate)
    kinds = {kind for kind, *_ in result.rows}
    assert kinds == {"none", *CORRUPTIONS}
