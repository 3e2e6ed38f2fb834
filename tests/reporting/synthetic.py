"""The files under metrics/ of models that were never trained, for tests of the report."""

import base64
import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from mnist.evaluation.corruptions import CORRUPTIONS
from mnist.params import Params
from mnist.reporting.results import Results, read_results
from mnist.seed_files import COLUMNS, ERROR_COLUMNS, SCALING_COLUMNS
from tests.conftest import ROOT

MODELS = ("cnn", "frcnn", "vgg16", "alexnet", "vit")
STEPS = 10
BENCHMARK = {
    "steps": STEPS,
    "train_seconds": 100.0,
    "latency_ms": 2.0,
    "infer_images_per_second": 8000.0,
}
MACHINE = {"device": "Z80", "threads": 2, "torch": "2.14"}
CORRUPTED = 50  # images


def make_params(models: Sequence[str] = MODELS, **data: Any) -> Params:
    """The committed params.yaml with these models and keys of `data`."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["models"] = list(models)
    params["data"] |= data
    return Params.model_validate(params)


def read(tmp_path: Path, models: Sequence[str] = MODELS, **options: Any) -> Results:
    """Results of these models; `options` are those of `write_metrics`."""
    return read_results(write_metrics(tmp_path / "metrics", models, **options), make_params(models))


def grey(level: int, side: int = 28) -> str:
    """A grey image as evaluation keeps it."""
    return base64.b64encode(bytes([level]) * side**2).decode()


def corruption_errors(number: int, kind: str) -> int:
    """How many of CORRUPTED images the model of that number in the list misclassifies."""
    return number + 2 * ["none", *CORRUPTIONS].index(kind)


def write_metrics(
    folder: Path,
    models: Sequence[str] = MODELS,
    labels: Sequence[int] = tuple(range(10)) * 10,
    wrong: Mapping[str, Sequence[int]] | None = None,
) -> Path:
    """Write the files of every model; returns `folder`.

    Args:
        wrong: indices of the images that a model misclassifies, each as the next class.
    """
    classes = max(labels) + 1
    wrong = wrong or {name: range(i + 1) for i, name in enumerate(models)}
    write_json(folder / "benchmark.json", MACHINE | {"models": dict.fromkeys(models, BENCHMARK)})
    write_seeds(folder, {(name, 1): wrong[name] for name in models}, labels=labels)
    write_scaling(folder, {})
    for number, name in enumerate(models):
        predicted = np.array(labels)
        for i in wrong[name]:
            predicted[i] = (predicted[i] + 1) % classes
        probabilities = np.full((len(labels), classes), 0.09 / (classes - 1))
        probabilities[np.arange(len(labels)), predicted] = 0.91
        _write_model(folder, number, name, np.array(labels), predicted, probabilities)
    return folder


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def write_csv(path: Path, header: str, rows: Sequence[Sequence[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([header.split(","), *rows])


def write_seeds(
    folder: Path,
    wrong: Mapping[tuple[str, int], Sequence[int]],
    recipes: Mapping[tuple[str, int], str] | None = None,
    labels: Sequence[int] = tuple(range(10)) * 10,
    **figures: Any,
) -> None:
    """Write seeds.csv and seed_errors.csv: a training per model and seed; seed 1 is at hand.

    Args:
        wrong: images that each training misclassifies, each as the next class.
        recipes: those that are not `recipe`.
        figures: other columns than the usual; a value for all, or one of each seed.
    """
    rows, errors = [], []
    figures = {"val_accuracy": 0.99, "ece": 0.002, "map": "", "corrupted": ""} | figures
    for (model, seed), images in wrong.items():
        sha = f"sha of {model}" if seed == 1 else f"{model} of seed {seed}"
        row = {"model": model, "seed": seed, "weights_sha256": sha, "errors": len(images)}
        row |= {"recipe": (recipes or {}).get((model, seed), "recipe")}
        row |= {"f1_macro": 1 - len(images) / 100}
        row |= {key: of[seed] if isinstance(of, dict) else of for key, of in figures.items()}
        rows.append([row.get(column, 0.5) for column in COLUMNS])
        errors += [(model, seed, i, (labels[i] + 1) % (max(labels) + 1)) for i in images]
    write_csv(folder / "seeds.csv", ",".join(COLUMNS), rows)
    write_csv(folder / "seed_errors.csv", ",".join(ERROR_COLUMNS), errors)


def write_scaling(
    folder: Path, errors: Mapping[tuple[str, int, int], Sequence[float]], recipe: str = "recipe"
) -> None:
    """Write scaling.csv: by model, images and steps the error of each seed; a step is a TFLOP."""
    rows = [
        (model, seed, images, steps, steps, 1 - error, round(100 * error), recipe)
        for (model, images, steps), of in errors.items()
        for seed, error in enumerate(of, start=1)
    ]
    write_csv(folder / "scaling.csv", ",".join(SCALING_COLUMNS), rows)


def _write_model(
    folder: Path,
    number: int,
    name: str,
    labels: np.ndarray,
    predicted: np.ndarray,
    probabilities: np.ndarray,
) -> None:
    errors = int((labels != predicted).sum())
    accuracy = 1 - errors / len(labels)
    classes = probabilities.shape[1]
    metrics = {"accuracy": accuracy, "f1_macro": accuracy, "errors": errors}
    metrics |= {"nll": 0.02, "ece": 0.001}
    details: dict[str, Any] = {
        "ece_raw": 0.047,
        "ece_p": 0.4,
        "temperature": 0.5,
        "parameters": 196698 + number,
        "flops": 27568000 * (number + 1),
        "file_bytes": 791856,
        "least_confidence": 0.4,
    }
    examples: dict[str, Any] = {
        "weights_sha256": f"sha of {name}",
        "misclassified": [
            {"index": int(i), "pixels": grey(100)} for i in np.flatnonzero(labels != predicted)[:5]
        ],
        "corrupted_digits": " ".join(map(str, range(CORRUPTED))),
        "corruptions": {kind: grey(10 * i) for i, kind in enumerate(["none", *CORRUPTIONS])},
    }
    if name == "frcnn":
        metrics["map"] = 0.919
        details |= {"scenes": 2000, "precision": 0.98, "recall": 0.97}
        examples["scenes"] = [
            {
                "pixels": grey(0, 64),
                "true": [[0, 0, 20, 20, 3, False]],
                "found": [[1, 1, 20, 20, 8, 0.9, False]],
            }
        ]
    corruptions = ["none", *CORRUPTIONS]
    write_json(folder / f"test/{name}.json", metrics)
    write_json(folder / f"details/{name}.json", details)
    samples = STEPS * getattr(make_params(), name).batch_size
    training = {"epochs": 0.9, "train_samples": samples, "train_tflop": number + 1}
    write_json(folder / f"train/{name}.json", training)
    write_json(folder / f"examples/{name}.json", examples)
    curve = [(0.9 * i / 8, 1 - 0.1 / i, 5000) for i in range(1, 9)]
    write_csv(folder / f"curves/{name}.csv", "epoch,val_accuracy,val_digits", curve)
    write_csv(
        folder / f"predictions/{name}.csv",
        "actual,predicted," + ",".join(f"p{i}" for i in range(classes)),
        [(a, p, *row) for a, p, row in zip(labels, predicted, probabilities.tolist(), strict=True)],
    )
    bins = [("none", 0.6, 0.9, 10), ("none", 0.9, 1, 10)]
    bins += [("temperature", confidence, 0.9, 7) for confidence in (0.5, 0.8, 0.9)]
    write_csv(folder / f"reliability/{name}.csv", "scaling,confidence,accuracy,count", bins)
    rows = []
    for kind in corruptions:
        wrong = range(corruption_errors(number, kind))
        accuracy = 1 - len(wrong) / CORRUPTED
        rows.append((kind, accuracy, CORRUPTED, " ".join(map(str, wrong))))
    header = "corruption,accuracy,digits,wrong"
    write_csv(folder / f"robustness/{name}.csv", header, rows)
