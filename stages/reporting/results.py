"""Everything that git holds about one model, read for the report."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stages.reporting.lab import LAB, LabResult
from stages.system.errors import UserError

TITLES = {
    "cnn": "CNN",
    "frcnn": "Faster R-CNN",
    "vgg16": "VGG16",
    "alexnet": "AlexNet",
    "vit": "Vision Transformer",
}


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
    misclassified: list[dict[str, Any]]
    attention: list[dict[str, Any]]  # empty for models without
    scenes: list[dict[str, Any]]  # empty for all but a detector
    timing: dict[str, Any] | None  # None when it is of other weights than those evaluated
    lab: LabResult

    @property
    def right(self) -> np.ndarray:
        """(N,) whether each answer is right."""
        return self.predicted == self.labels

    @property
    def confidence(self) -> np.ndarray:
        """(N,) the largest probability of each answer."""
        return self.probabilities.max(axis=1)


def read_result(metrics: Path, name: str) -> ModelResult:
    """Read the files of model `name` below the folder `metrics`.

    Raises:
        UserError: one is missing or damaged.
    """
    try:
        examples = _json(metrics / f"examples/{name}.json")
        with open(metrics / f"curves/{name}.csv", encoding="utf-8") as file:
            curve = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
        with open(metrics / f"predictions/{name}.csv", encoding="utf-8") as file:
            answers = np.loadtxt(file, delimiter=",", skiprows=1, ndmin=2)
        return ModelResult(
            name=name,
            title=TITLES.get(name, name),
            quality=_json(metrics / f"{name}.json"),
            training=_json(metrics / f"train/{name}.json"),
            curve=curve,
            labels=answers[:, 0].astype(int),
            predicted=answers[:, 1].astype(int),
            probabilities=answers[:, 2:],
            misclassified=examples["misclassified"],
            attention=examples.get("attention", []),
            scenes=examples.get("scenes", []),
            timing=_timing(metrics / f"timing/{name}.json", examples["weights_sha256"]),
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


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _timing(path: Path, weights: str) -> dict[str, Any] | None:
    timing = _json(path) if path.exists() else {}
    return timing if timing.get("weights_sha256") == weights else None
