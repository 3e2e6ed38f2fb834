"""One model's figures: what each is computed from, and what the stage writes of them."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from torch import Tensor, nn

from mnist.atomic_io import sha256
from mnist.data.arrays import load_arrays
from mnist.evaluation.calibration import fit_temperature, null_ece
from mnist.evaluation.cost import count_flops
from mnist.evaluation.evaluate import evaluate
from mnist.evaluation.predictions import Predictions, predict
from mnist.models import registry, weights_io
from mnist.params import Params
from stages import evaluate as stage
from tests.digits import as_tensors
from tests.evaluation.conftest import TEST, RunStage, write_split

CPU = torch.device("cpu")


def test_each_score_uses_raw_or_scaled_probabilities_as_its_name_says() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(90, 4)) * 5
    labels = random.integers(0, 4, 90)
    metrics, diagram = evaluate(Predictions(logits, logits.argmax(axis=1)), labels, 3.0, bins=3)
    for suffix, scaled in (("_raw", logits), ("", logits / 3)):
        probabilities = softmax(scaled, axis=1)
        nll = -log_softmax(scaled, axis=1)[np.arange(90), labels].mean()
        brier = ((probabilities - np.eye(4)[labels]) ** 2).sum(axis=1).mean()
        order = probabilities.max(axis=1).argsort()
        correct = logits.argmax(axis=1) == labels
        gaps = [
            abs(probabilities.max(axis=1)[part].mean() - correct[part].mean())
            for part in (order[:30], order[30:60], order[60:])
        ]
        assert metrics[f"nll{suffix}"] == pytest.approx(nll)
        assert metrics[f"brier{suffix}"] == pytest.approx(brier)
        assert metrics[f"ece{suffix}"] == pytest.approx(np.mean(gaps))
        confidence = np.mean([b.confidence for b in diagram["none" if suffix else "temperature"]])
        assert confidence == pytest.approx(probabilities.max(axis=1).mean())
    assert metrics["temperature"] == 3
    scaled = softmax(logits / 3, axis=1).max(axis=1)
    assert metrics["ece_null95"] == null_ece(scaled, 3)


@pytest.mark.parametrize("label", [0, 9])
def test_a_missed_digit_is_an_error_whatever_its_class(label: int) -> None:
    labels = np.array([label, 5])
    logits = np.zeros((2, 10))  # a detector's where it found nothing
    logits[1, 5] = 100
    metrics, diagram = evaluate(Predictions(logits, np.array([-1, 5])), labels, 1.0, bins=2)
    assert metrics["errors"] == 1
    assert metrics["accuracy"] == 0.5
    assert [b.confidence for b in diagram["none"]] == pytest.approx([0.1, 1])
    assert [b.accuracy for b in diagram["none"]] == [0, 1]


def test_a_classifier_predicts_the_class_of_its_largest_logit(trained: nn.Module) -> None:
    images, _ = as_tensors(slice(10))
    trained.train()  # dropout and batch statistics would change the logits
    predictions = predict(trained, images, batch_size=4)
    with torch.no_grad():
        logits = trained.eval()(images[:, None] / 255)
    assert predictions.logits.dtype == np.float64
    np.testing.assert_allclose(predictions.logits, logits, atol=1e-5)
    np.testing.assert_array_equal(predictions.predicted, logits.argmax(dim=1))
    np.testing.assert_allclose(predictions.probabilities, logits.softmax(dim=1), atol=1e-5)


class EveryOther(nn.Module):
    """A detector that finds the class of an image's first pixel, where that is not 0."""

    def classify(self, images: Tensor) -> tuple[Tensor, Tensor]:
        found = images[:, 0, 0, 0] > 0
        digits = (images[:, 0, 0, 0] * 255).round().long()
        return torch.eye(10)[digits] * found[:, None], found


def test_a_detector_that_finds_nothing_predicts_no_class() -> None:
    images = torch.zeros(4, 28, 28, dtype=torch.uint8)
    images[:, 0, 0] = torch.tensor([3, 0, 9, 0])
    predictions = predict(EveryOther(), images, batch_size=3)
    assert predictions.predicted.tolist() == [3, -1, 9, -1]
    assert predictions.logits[1].tolist() == [0] * 10


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def read_csv(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_stage_measures_the_test_split_with_the_temperature_of_the_validation_split(
    workspace: Path, run_stage: RunStage, trained: nn.Module
) -> None:
    run_stage(stage, "cnn")
    splits = {}
    for split in ("validation", "test"):
        images, targets = load_arrays(workspace / f"data/mnist/{split}.npz", CPU)
        splits[split] = predict(trained, images, 64), targets.numpy()
    fitted = {split: fit_temperature(p.logits, labels) for split, (p, labels) in splits.items()}
    assert fitted["validation"] > 1.5 * fitted["test"]  # so the test can tell them apart

    headline = read_json(workspace / "metrics/test/cnn.json")
    details = read_json(workspace / "metrics/details/cnn.json")
    assert list(headline) == ["accuracy", "f1_macro", "errors", "nll", "ece"]
    assert details["temperature"] == pytest.approx(fitted["validation"], abs=1e-5)
    validation = splits["validation"][0].logits / details["temperature"]
    least = np.quantile(softmax(validation, axis=1).max(axis=1), 0.02)
    assert details["least_confidence"] == pytest.approx(least, abs=1e-4)
    predictions, labels = splits["test"]
    expected, _ = evaluate(predictions, labels, details["temperature"], bins=15)
    for key, value in expected.items():
        written = headline[key] if key in headline else details[key]
        if key == "recall_per_digit":
            assert list(written) == list("0123456789")
        assert written == pytest.approx(value, abs=2e-6), key
    assert 0 < headline["errors"] < len(labels) * 0.7
    assert details["file_bytes"] == (workspace / "models/cnn.safetensors").stat().st_size
    assert details["parameters"] == sum(p.numel() for p in trained.parameters())
    assert details["flops"] == count_flops(trained, torch.zeros(1, 28, 28, dtype=torch.uint8))
    assert "uci_digits" not in details  # the data are not MNIST

    rows = read_csv(workspace / "metrics/predictions/cnn.csv")
    assert [int(row["actual"]) for row in rows] == as_tensors(TEST)[1].tolist()
    assert [int(row["predicted"]) for row in rows] == predictions.predicted.tolist()
    written_p = np.array([[float(row[f"p{digit}"]) for digit in range(10)] for row in rows])
    np.testing.assert_allclose(written_p, predictions.probabilities, atol=1e-6)

    bins = read_csv(workspace / "metrics/reliability/cnn.csv")
    assert list(bins[0]) == ["scaling", "confidence", "accuracy", "count"]
    for scaling, ece in (("none", details["ece_raw"]), ("temperature", headline["ece"])):
        chosen = [row for row in bins if row["scaling"] == scaling]
        gaps = [
            abs(float(b["accuracy"]) - float(b["confidence"])) * int(b["count"]) for b in chosen
        ]
        assert len(chosen) == 15
        assert sum(gaps) / len(labels) == pytest.approx(ece, abs=1e-5)

    shown = read_json(workspace / "metrics/examples/cnn.json")
    assert shown.keys() == {"weights_sha256", "weights_md5", "misclassified", "corruptions"}
    assert shown["weights_sha256"] == sha256(workspace / "models/cnn.safetensors")
    assert len(shown["misclassified"]) == headline["errors"]


def test_the_stage_measures_a_detector_on_scenes_too(
    workspace: Path, run_stage: RunStage, params: Params
) -> None:
    write_split(workspace / "data/mnist/test.npz", slice(850, 870))
    write_split(workspace / "data/mnist/validation.npz", slice(870, 890))
    torch.manual_seed(0)
    model = registry.build("frcnn", params)
    model.roi_heads.box_predictor.cls_score.bias.data[0] += 4  # it takes all for background
    weights_io.save(workspace / "models/frcnn.safetensors", model)
    run_stage(stage, "frcnn")
    headline = read_json(workspace / "metrics/test/frcnn.json")
    details = read_json(workspace / "metrics/details/frcnn.json")
    assert list(headline) == [
        "accuracy", "f1_macro", "errors", "nll", "ece", "missed", "map", "map_50", "map_75"
    ]  # fmt: skip
    rows = read_csv(workspace / "metrics/predictions/frcnn.csv")
    missed = [row for row in rows if row["predicted"] == "-1"]
    assert headline["missed"] == headline["errors"] == len(missed) == 20
    assert headline["accuracy"] == details["recall_per_digit"]["9"] == 0
    assert headline["nll"] == pytest.approx(np.log(10), abs=1e-6)
    assert details["scenes"] == 5
    assert 10 <= details["scene_digits"] <= 15
    assert len(read_json(workspace / "metrics/examples/frcnn.json")["scenes"]) == 5


def test_other_digits_and_the_page_are_for_mnist_only(
    workspace: Path, run_stage: RunStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "is_mnist", lambda labels: len(labels) == TEST.stop - TEST.start)
    monkeypatch.setattr(stage, "uci_accuracy", lambda *_: {"digits": 3, "accuracy": 1 / 3})
    splits: list[int] = []
    export = stage.export_weights

    def export_weights(model: nn.Module, *data: Any) -> Any:
        splits.extend(len(part) for part in data)
        return export(model, *data)

    monkeypatch.setattr(stage, "export_weights", export_weights)
    run_stage(stage, "cnn")
    # What is typical of a digit is taken from the validation split.
    assert splits == [200, 250, 250]
    details = read_json(workspace / "metrics/details/cnn.json")
    assert details["uci_digits"] == {"digits": 3, "accuracy": 0.333333}
    assert read_json(workspace / "metrics/examples/cnn.json")["page"]["layers"]
