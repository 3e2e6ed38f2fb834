"""Everything that git holds about the models, read for the report."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mnist.data.checksums import is_mnist
from mnist.data.writers import load_writers
from mnist.errors import UserError
from mnist.params import Params
from mnist.reporting.charts import Style, style
from mnist.seed_files import SCALING_COLUMNS, read_csv, read_errors, read_rows, reading


@dataclass(frozen=True)
class SeedRuns:
    """The trainings of one model by the committed recipe, n of them, one per seed."""

    predicted: np.ndarray  # int (n, images), the class that each training predicts
    wrong: np.ndarray  # bool (n, images), which test images each training misclassifies
    rows: Sequence[Mapping[str, Any]]  # the row of metrics/seeds.csv of each training

    @property
    def n(self) -> int:
        return len(self.wrong)

    @property
    def errors(self) -> np.ndarray:
        """(n,) test error of each training, 0..1."""
        return self.wrong.mean(axis=1)

    def figure(self, column: str) -> np.ndarray | None:
        """Return a column of seeds.csv, (n,); None where it is not known of every training."""
        values = [row.get(column, "") for row in self.rows]
        return None if "" in values else np.array(values, dtype=float)


@dataclass(frozen=True)
class ModelResult:
    """The files of one model; all rates are 0..1."""

    name: str
    recipe: dict[str, Any]  # its section of params.yaml
    metrics: dict[str, Any]  # metrics/test/<model>.json
    details: dict[str, Any]  # metrics/details/<model>.json
    training: dict[str, Any]  # metrics/train/<model>.json
    curve: list[dict[str, str]]  # metrics/curves/<model>.csv
    labels: np.ndarray  # (N,) the true classes
    predicted: np.ndarray  # (N,) -1 where a detector found nothing
    probabilities: np.ndarray  # (N, classes), before temperature scaling
    reliability: list[dict[str, str]]  # metrics/reliability/<model>.csv
    robustness: dict[str, np.ndarray]  # by corruption, bool (digits,): which are read correctly
    examples: dict[str, Any]  # metrics/examples/<model>.json
    benchmark: dict[str, Any] | None  # its part of metrics/benchmark.json; None: not measured
    runs: SeedRuns  # its trainings with several seeds
    scaling: list[dict[str, Any]]  # those on fewer images or for fewer steps

    @property
    def style(self) -> Style:
        return style(self.name)

    @property
    def title(self) -> str:
        return self.style.title

    @property
    def correct(self) -> np.ndarray:
        """(N,) whether each prediction is correct."""
        return self.predicted == self.labels

    @property
    def calibrated(self) -> np.ndarray:
        """(N, classes): the probabilities after temperature scaling."""
        return calibrate(self.probabilities, self.details["temperature"])


@dataclass(frozen=True)
class Results:
    """What the report is made from."""

    data: str  # name of the data set
    classes: tuple[str, ...]
    is_mnist: bool  # whether MNIST's own reference figures, label errors and canvas apply
    models: tuple[ModelResult, ...]
    machine: dict[str, Any]  # where metrics/benchmark.json was measured; empty where it was not
    writers: np.ndarray | None  # (N,) who wrote each test image; None where it is not known

    @property
    def labels(self) -> np.ndarray:
        """(N,) the true classes, the same for every model."""
        return self.models[0].labels

    @property
    def titles(self) -> dict[str, str]:
        return {result.name: result.title for result in self.models}

    def class_name(self, label: int) -> str:
        """Return the name of a class; that of -1 is for a detector that found nothing."""
        return "nothing" if label < 0 else self.classes[label]


def read_results(metrics: Path, params: Params) -> Results:
    """Read the files of every model of `params` below the folder `metrics`.

    Raises:
        UserError: one is missing or damaged.
    """
    machine = read_json(metrics / "benchmark.json")
    benchmark = machine.pop("models", {})
    models = tuple(_read_model(metrics, name, params, benchmark) for name in params.models)
    mnist = is_mnist(models[0].labels)
    return Results(
        data=params.data.name,
        classes=tuple(params.data.classes),
        is_mnist=mnist,
        models=models,
        machine=machine,
        writers=load_writers("test").astype(int) if mnist else None,
    )


def calibrate(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Scale probabilities (N, classes) as if their logits were divided by `temperature`."""
    scaled = probabilities ** (1 / temperature)
    return scaled / scaled.sum(axis=1, keepdims=True)


def _read_model(metrics: Path, name: str, params: Params, benchmark: dict[str, Any]) -> ModelResult:
    path = metrics / f"predictions/{name}.csv"
    with reading(path):
        predictions = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2, encoding="utf-8")
        labels, predicted = predictions[:, :2].astype(int).T
    path = metrics / f"robustness/{name}.csv"
    robustness = {}
    for row in read_csv(path):
        with reading(path):
            correct = np.ones(int(row["digits"]), dtype=bool)
            correct[[int(digit) for digit in row["wrong"].split()]] = False
            robustness[row["corruption"]] = correct
    headline, training, examples = (
        read_json(metrics / f"{folder}/{name}.json") for folder in ("test", "train", "examples")
    )
    at_hand = headline | {"weights_sha256": examples["weights_sha256"]}
    runs = _read_seed_runs(metrics, name, labels, predicted, at_hand)
    return ModelResult(
        name=name,
        recipe=getattr(params, name).model_dump(),
        metrics=headline,
        details=read_json(metrics / f"details/{name}.json"),
        training=training,
        curve=read_csv(metrics / f"curves/{name}.csv"),
        labels=labels,
        predicted=predicted,
        probabilities=predictions[:, 2:],
        reliability=read_csv(metrics / f"reliability/{name}.csv"),
        robustness=robustness,
        examples=examples,
        benchmark=benchmark.get(name),
        runs=runs,
        scaling=_read_scaling(metrics, name, runs),
    )


def _read_seed_runs(
    folder: Path,
    model: str,
    labels: np.ndarray,
    predicted_at_hand: np.ndarray,
    row_at_hand: Mapping[str, Any],
) -> SeedRuns:
    """Read the trainings of `model` by the recipe that gave the weights at hand.

    All other rows of the model are stale: they are from before a change of the recipe. Where the
    weights at hand are in no row, they are the only training.
    """
    of_model = [row for key, row in read_rows(folder / "seeds.csv").items() if key[0] == model]
    sha = row_at_hand["weights_sha256"]
    recipes = {row["recipe"] for row in of_model if row["weights_sha256"] == sha}
    rows = [row for row in of_model if row["recipe"] in recipes]
    if not rows:
        predicted = predicted_at_hand[None]
        return SeedRuns(predicted, predicted != labels, [row_at_hand])
    path = folder / "seed_errors.csv"
    errors = read_errors(path)
    predicted = np.tile(labels, (len(rows), 1))
    for i, row in enumerate(rows):
        for image, answer in errors.get((model, int(row["seed"])), []):
            predicted[i, image] = answer
        if (predicted[i] != labels).sum() != int(row["errors"]):
            raise UserError(
                f"{path} does not belong to seeds.csv ({model}, seed {row['seed']}); "
                f"`git checkout {folder}` restores both."
            )
    return SeedRuns(predicted, predicted != labels, rows)


def _read_scaling(folder: Path, model: str, runs: SeedRuns) -> list[dict[str, Any]]:
    """Read the trainings of `model` on fewer images or for fewer steps, by the recipe of `runs`.

    Each has, in the order of images and steps, `images`, `train_tflop` and the `errors` (0..1) of
    all seeds.
    """
    points: dict[tuple[int, ...], dict[str, Any]] = {}
    for key, row in read_rows(folder / "scaling.csv", SCALING_COLUMNS).items():
        if key[0] == model and row["recipe"] == runs.rows[0].get("recipe"):
            new = {"images": key[2], "train_tflop": float(row["train_tflop"]), "errors": []}
            point = points.setdefault(key[2:], new)
            point["errors"].append(1 - float(row["accuracy"]))
    return [points[point] for point in sorted(points)]


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file. Raises UserError when it is missing or damaged."""
    with reading(path):
        return json.loads(path.read_text(encoding="utf-8"))
