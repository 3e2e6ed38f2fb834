"""Everything that git holds about one model, read for the report."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mnist.errors import UserError
from mnist.reporting.reference import LAB, LabResult

TITLES = {
    "cnn": "CNN",
    "frcnn": "Faster R-CNN",
    "vgg16": "VGG16",
    "alexnet": "AlexNet",
    "vit": "Vision Transformer",
}


ATTACKS = ("fgsm", "pgd")


@dataclass(frozen=True)
class ModelResult:
    name: str
    title: str
    quality: dict[str, Any]  # metrics/<model>.json
    training: dict[str, Any]  # metrics/train/<model>.json
    curve: list[dict[str, float]]  # metrics/curves/<model>.csv
    labels: np.ndarray  # (N,) the true digits
    predicted: np.ndarray  # (N,) -1 where a detector found none
    probabilities: np.ndarray  # (N, 10)
    reliability: list[dict[str, float]]  # metrics/reliability/<model>.csv
    robustness: list[tuple[str, float, float]]  # corruption or attack, strength, accuracy
    robustness_examples: dict[str, Any]  # how many digits, and pictures of one
    misclassified: list[dict[str, Any]]
    page: dict[str, Any] | None  # the model itself, where the page can run it
    attention: list[dict[str, Any]]  # empty for models without
    scenes: list[dict[str, Any]]  # empty for all but a detector
    timing: dict[str, Any] | None  # None when it is of other weights than those evaluated
    benchmark: dict[str, Any] | None  # its part of metrics/benchmark.json
    machine: dict[str, Any] | None  # that this was measured on
    lab: LabResult

    @property
    def corrupted(self) -> dict[str, float]:
        """Accuracy by corruption."""
        others = ("none", *ATTACKS)
        return {kind: share for kind, _, share in self.robustness if kind.split()[0] not in others}

    @property
    def mean_corrupted(self) -> float:
        """Accuracy, mean over the corruptions."""
        return sum(self.corrupted.values()) / len(self.corrupted)

    def attacked(self, kind: str) -> list[tuple[float, float]]:
        """Largest change of a pixel and accuracy; empty for a model that is not attacked."""
        return [(eps, share) for name, eps, share in self.robustness if name.split()[0] == kind]

    @property
    def right(self) -> np.ndarray:
        """(N,) whether each answer is right."""
        return self.predicted == self.labels


def read_result(metrics: Path, name: str) -> ModelResult:
    """Read the files of model `name` below the folder `metrics`.

    Raises:
        UserError: one is missing or damaged.
    """
    measured = read_benchmark(metrics / "benchmark.json")
    try:
        examples = _json(metrics / f"examples/{name}.json")
        robustness = _rows(metrics / f"robustness/{name}.csv")
        with open(metrics / f"predictions/{name}.csv", encoding="utf-8") as file:
            answers = np.loadtxt(file, delimiter=",", skiprows=1, ndmin=2)
        return ModelResult(
            name=name,
            title=TITLES.get(name, name),
            quality=_json(metrics / f"{name}.json"),
            training=_json(metrics / f"train/{name}.json"),
            curve=_numbers(metrics / f"curves/{name}.csv"),
            labels=answers[:, 0].astype(int),
            predicted=answers[:, 1].astype(int),
            probabilities=answers[:, 2:],
            reliability=_numbers(metrics / f"reliability/{name}.csv"),
            robustness=[
                (row["corruption"], float(row["severity"]), float(row["accuracy"]))
                for row in robustness
            ],
            robustness_examples=examples["robustness"],
            misclassified=examples["misclassified"],
            page=examples.get("page"),
            attention=examples.get("attention", []),
            scenes=examples.get("scenes", []),
            timing=_timing(metrics / f"timing/{name}.json", examples["weights_sha256"]),
            benchmark=measured.get(name),
            machine=measured.get("machine"),
            lab=LAB.get(name, LabResult()),
        )
    except FileNotFoundError as error:
        raise UserError(
            f"{error.filename} is missing; run `dvc repro evaluate@{name}`, which makes it."
        ) from None
    except (ValueError, KeyError, IndexError) as error:
        raise UserError(
            f"the files of {name} in {metrics} are damaged ({error}); "
            f"run `dvc repro -f evaluate@{name}`."
        ) from None


def read_benchmark(path: Path) -> dict[str, Any]:
    """Read metrics/benchmark.json: figures by model, `machine`, `time_to_99`; empty without one.

    Raises:
        UserError: it is damaged.
    """
    try:
        return _json(path) if path.exists() else {}
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); `git checkout {path}`.") from None


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _numbers(path: Path) -> list[dict[str, float]]:
    return [{key: float(value) for key, value in row.items()} for row in _rows(path)]


def _timing(path: Path, weights: str) -> dict[str, Any] | None:
    timing = _json(path) if path.exists() else {}
    return timing if timing.get("weights_sha256") == weights else None
