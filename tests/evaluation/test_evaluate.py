"""Stage `evaluate`: what each figure is computed from, and what the stage writes of it."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mnist.data.arrays import load_arrays
from mnist.evaluation.calibration import fit_temperature, least_confidence, score
from mnist.evaluation.corruptions import CORRUPTIONS
from mnist.evaluation.predictions import predict
from mnist.evaluation.robustness import choose_digits, classify_corrupted, robustness_csv
from mnist.files import sha256
from stages import evaluate as stage
from tests.small_models import CPU
from tests.small_pipeline import STAGES, VALIDATION, run_stage, write_split


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


class EveryOther(nn.Module):
    """A detector that finds the class of an image's first pixel, where that is not 0."""

    def classify(self, images: Tensor) -> tuple[Tensor, Tensor]:
        found = images[:, 0, 0, 0] > 0
        digits = (images[:, 0, 0, 0] * 255).round().long()
        return torch.eye(10)[digits] * found[:, None], found


def test_a_digit_that_a_detector_misses_is_an_error_whatever_its_class() -> None:
    images = torch.zeros(4, 28, 28, dtype=torch.uint8)
    images[:, 0, 0] = torch.tensor([3, 0, 9, 0])
    predictions = predict(EveryOther(), images, batch_size=3)
    assert predictions.predicted.tolist() == [3, -1, 9, -1]
    metrics, diagram = score(predictions, np.array([3, 0, 9, 9]), temperature=1.0, bins=2)
    assert (metrics["errors"], metrics["accuracy"]) == (2, 0.5)
    assert diagram["none"][0].confidence == pytest.approx(0.1)  # no digit more than another
    assert diagram["none"][0].accuracy == 0


def test_the_temperature_and_the_least_confidence_are_those_of_the_validation_split(
    workspace: Path, trained: nn.Module
) -> None:
    write_split(workspace, "validation", VALIDATION, wrong_every=3)
    run_stage(workspace, "evaluate", "cnn")
    splits = {}
    for split in ("validation", "test"):
        images, targets = load_arrays(workspace / f"data/mnist/{split}.npz", CPU)
        splits[split] = predict(trained, images, 200), targets.numpy()
    fitted = {split: fit_temperature(p.logits, labels) for split, (p, labels) in splits.items()}
    assert fitted["validation"] > 1.5 * fitted["test"]  # so the test can tell them apart
    headline = read_json(workspace / "metrics/test/cnn.json")
    details = read_json(workspace / "metrics/details/cnn.json")
    assert details["temperature"] == pytest.approx(fitted["validation"], abs=1e-5)
    least = least_confidence(splits["validation"][0].logits, fitted["validation"])
    assert details["least_confidence"] == pytest.approx(least, abs=1e-5)
    predictions, labels = splits["test"]
    expected, _ = score(predictions, labels, fitted["validation"], bins=15)
    written = headline | details
    for key, value in expected.items():
        assert written[key] == pytest.approx(value, abs=1e-5), key


@pytest.mark.parametrize("name", STAGES)
def test_the_files_of_the_contract_agree_with_each_other(name: str, pipeline: Path) -> None:
    headline = read_json(pipeline / f"metrics/test/{name}.json")
    details = read_json(pipeline / f"metrics/details/{name}.json")
    detects = name == "frcnn"
    more = ["missed", "map", "map_50", "map_75"] if detects else []
    assert list(headline) == ["accuracy", "f1_macro", "errors", "nll", "ece", *more]
    assert list(details["recall_per_digit"]) == list("0123456789")
    weights = pipeline / f"models/{name}.safetensors"
    assert details["file_bytes"] == weights.stat().st_size

    with (pipeline / f"metrics/predictions/{name}.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 200
    wrong = [row for row in rows if row["actual"] != row["predicted"]]
    assert headline["errors"] == len(wrong)

    with (pipeline / f"metrics/reliability/{name}.csv").open() as file:
        bins = list(csv.DictReader(file))
    assert [row["scaling"] for row in bins] == ["none"] * 15 + ["temperature"] * 15

    with (pipeline / f"metrics/robustness/{name}.csv").open() as file:
        corrupted = list(csv.DictReader(file))
    assert [row["corruption"] for row in corrupted] == ["none", *CORRUPTIONS]
    assert {row["digits"] for row in corrupted} == {"40"}

    shown = read_json(pipeline / f"metrics/examples/{name}.json")
    keys = {"weights_sha256", "misclassified", "corruptions", "corrupted_digits"}
    keys |= {"scenes"} if detects else set()
    assert shown.keys() == keys
    assert shown["weights_sha256"] == sha256(weights)
    assert len({*shown["corrupted_digits"].split()}) == 40
    assert len(shown["misclassified"]) == min(headline["errors"], 100)
    if detects:
        assert headline["missed"] == sum(row["predicted"] == "-1" for row in rows)
        assert details["scenes"] == len(shown["scenes"]) == 12
        assert 0 < details["recall"] <= 1
        assert 0 < details["precision"] <= 1


def test_the_corrupted_digits_are_the_chosen_ones_of_the_test_split(
    pipeline: Path, trained: nn.Module
) -> None:
    images, targets = load_arrays(pipeline / "data/mnist/test.npz", CPU)
    chosen = choose_digits(40, targets.numpy(), seed=0)
    correct = classify_corrupted(trained, images[chosen], targets.numpy()[chosen], 0, 200)
    assert (pipeline / "metrics/robustness/cnn.csv").read_text() == robustness_csv(correct)


def test_the_cnn_of_mnist_alone_is_exported_for_the_page(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "is_mnist", lambda labels: len(labels) == 200)  # the test split
    for name in ("cnn", "alexnet"):
        run_stage(workspace, "evaluate", name)
        shown = read_json(workspace / f"metrics/examples/{name}.json")
        assert ("page" in shown) == (name == "cnn")
