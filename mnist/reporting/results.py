"""Everything that git holds about the models, read for the report."""

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mnist.data.checksums import is_mnist
from mnist.errors import UserError
from mnist.params import Params
from mnist.reporting.reference import LAB, LabResult
from mnist.reporting.seeds import SeedRuns, read_seed_runs
from mnist.reporting.style import Style, style

# The training of a model that starts from another's weights costs that one's training, too.
STARTS_FROM = {"frcnn": "cnn"}


@dataclass(frozen=True)
class ModelResult:
    """The files of one model; all rates are 0..1."""

    name: str
    recipe: dict[str, Any]  # its section of params.yaml
    metrics: dict[str, Any]  # metrics/test/<model>.json
    details: dict[str, Any]  # metrics/details/<model>.json
    training: dict[str, Any]  # metrics/train/<model>.json
    curve: list[dict[str, float]]  # metrics/curves/<model>.csv
    labels: np.ndarray  # (N,) the true classes
    predicted: np.ndarray  # (N,) -1 where a detector found nothing
    probabilities: np.ndarray  # (N, classes), before temperature scaling
    reliability: list[dict[str, str]]  # metrics/reliability/<model>.csv
    robustness: dict[str, float]  # accuracy by corruption; "none": clean images
    corrupted_images: int  # number of test images that were corrupted
    corrupted: dict[str, Any]  # metrics/corrupted/<model>.json
    attacks: list[dict[str, str]]  # metrics/attacks/<model>.csv; empty for a detector
    examples: dict[str, Any]  # metrics/examples/<model>.json
    timing: dict[str, Any] | None  # None where it is of other weights than those evaluated
    runs: SeedRuns  # its trainings with several seeds

    @property
    def style(self) -> Style:
        return style(self.name)

    @property
    def title(self) -> str:
        return self.style.title

    @property
    def lab(self) -> LabResult:
        return LAB.get(self.name, LabResult())

    @property
    def correct(self) -> np.ndarray:
        """(N,) whether each prediction is correct."""
        return self.predicted == self.labels

    @property
    def calibrated(self) -> np.ndarray:
        """(N, classes): the probabilities after temperature scaling."""
        scaled = self.probabilities ** (1 / self.details["temperature"])
        return scaled / scaled.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class Results:
    """What the report is made from."""

    data: str
    """name of the data set"""
    classes: tuple[str, ...]
    is_mnist: bool
    """whether MNIST's own reference figures, label errors and canvas apply"""
    models: tuple[ModelResult, ...]
    benchmark: dict[str, Any]
    """metrics/benchmark.json: figures by model, and `machine`; may be empty"""

    @property
    def labels(self) -> np.ndarray:
        """(N,) the true classes, the same for every model."""
        return self.models[0].labels

    @property
    def titles(self) -> dict[str, str]:
        return {result.name: result.title for result in self.models} | {"ensemble": "Ensemble"}

    def class_name(self, label: int, missing: str = "-") -> str:
        """Return the name of a class; `missing` for -1, where a detector found nothing."""
        return missing if label < 0 else self.classes[label]


def read_results(metrics: Path, params: Params) -> Results:
    """Read the files of every model of `params` below the folder `metrics`.

    Raises:
        UserError: one is missing or damaged.
    """
    timings = read_json(metrics / "timing.json")
    models = tuple(_read_model(metrics, name, params, timings) for name in params.models)
    return Results(
        data=params.data.name,
        classes=tuple(params.data.classes),
        is_mnist=is_mnist(models[0].labels),
        models=models,
        benchmark=read_json(metrics / "benchmark.json"),
    )


def _read_model(metrics: Path, name: str, params: Params, timings: dict[str, Any]) -> ModelResult:
    path = metrics / f"predictions/{name}.csv"
    with _reading(path):
        predictions = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2, encoding="utf-8")
        labels, predicted = predictions[:, :2].astype(int).T
    path = metrics / f"robustness/{name}.csv"
    corruptions = read_csv(path)
    with _reading(path):
        robustness = {row["corruption"]: float(row["accuracy"]) for row in corruptions}
        corrupted_images = int(corruptions[0]["digits"])
    path = metrics / f"curves/{name}.csv"
    with _reading(path):
        curve = [{key: float(value) for key, value in row.items()} for row in read_csv(path)]
    examples = read_json(metrics / f"examples/{name}.json")
    headline = read_json(metrics / f"test/{name}.json")
    timing = timings.get(name)
    if timing and timing["weights_sha256"] != examples["weights_sha256"]:
        timing = None
    return ModelResult(
        name=name,
        recipe=getattr(params, name).model_dump(),
        metrics=headline,
        details=read_json(metrics / f"details/{name}.json"),
        training=read_json(metrics / f"train/{name}.json"),
        curve=curve,
        labels=labels,
        predicted=predicted,
        probabilities=predictions[:, 2:],
        reliability=read_csv(metrics / f"reliability/{name}.csv"),
        robustness=robustness,
        corrupted_images=corrupted_images,
        corrupted=read_json(metrics / f"corrupted/{name}.json"),
        attacks=read_csv(metrics / f"attacks/{name}.csv"),
        examples=examples,
        timing=timing,
        runs=read_seed_runs(
            metrics, name, examples["weights_sha256"], predicted != labels, headline["f1_macro"]
        ),
    )


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file. Raises UserError when it is missing or damaged."""
    with _reading(path):
        return json.loads(path.read_text(encoding="utf-8"))


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read a CSV file, a dict per row. Raises UserError when it is missing."""
    with _reading(path), open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    restore = f"restore it with `git checkout {path}`, or write it again with `dvc repro`"
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path} is missing; {restore}.") from None
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error}); {restore}.") from None
