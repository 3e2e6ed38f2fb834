"""metrics/comparison.json: the models compared with each other and, on MNIST, with the lab.

Errors are means over the seeds that metrics/seeds.csv holds; what is of the committed seed alone,
the weights at hand, is said to be. Rates are 0..1. Keys with * may be missing.

- unit, units: what intervals and tests draw besides seeds, "writers" or "images", and how many
- ranking, leaders: models by mean error; the best, and all that are not shown to be worse
- seeds: of each model n, mean_error, ci95, std (None of one seed), errors, val_accuracy, f1_macro
- pairs: of each two models better, worse, difference, ci95, p, p_holm
- groups*: students and employees: images, writers, and mean_error and ci95 of each of the models
- writers*: count, without_errors, and the share of all errors that the worst so many make
- missed: how many images any and all models misclassify, mean over the choices of a training each;
  in_all_trainings: the images that every training misclassifies, of so many trainings
- corrected_labels*: errors of each model on the labels as people's votes correct them; read_by_all:
  of in_all_trainings those that all trainings read as people do
- ensembles: errors of a majority vote of so many voters: models (committed seeds), or the seeds of
  one model
- lab*: errors, lab_errors; p and p_holm are [lowest, highest], by which errors are common
- cost: of each model train_tflop, parameters, train_seconds (None: not measured), ...
- calibration: of each model ece, mean over the seeds; p and p_holm of the committed seed
- set_aside: of each model the errors left without the least certain 2 %, committed seed
- corrupted: images, leaders, pairs as above, and of each of the models n, mean_error and ci95
- detectors*: of each map, mean over n trainings; precision, recall and scenes of the committed seed
- verdict: sentences by section of the report; the first of each is its heading
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from mnist.data.writers import FIRST_STUDENT
from mnist.files import round_numbers
from mnist.reporting import findings, statistics
from mnist.reporting.label_errors import CORRECTED, correct_labels
from mnist.reporting.reference import LAB
from mnist.reporting.results import STARTS_FROM, ModelResult, Results

WORST_WRITERS = 10
SET_ASIDE = 0.02


def compare(results: Results) -> dict[str, Any]:
    """Return all of the above, rounded to six decimals, and so the figures in words."""
    models, labels = results.models, results.labels
    writers = np.arange(len(labels)) if results.writers is None else results.writers
    units = np.unique(writers, return_inverse=True)[1]
    errors = {r.name: r.runs.wrong.mean(axis=0) for r in models}
    seed_parts = {r.name: statistics.seed_part(r.runs.wrong, units) for r in models}
    pairs = _pairs(errors, seed_parts, units)
    comparison: dict[str, Any] = {
        "unit": "images" if results.writers is None else "writers",
        "units": int(units.max()) + 1,
        "ranking": sorted(errors, key=lambda name: errors[name].mean()),
        "leaders": _leaders(errors, pairs),
        "seeds": {
            r.name: _rate(errors[r.name], seed_parts[r.name], units)
            | {"n": r.runs.n, "std": r.runs.std, "errors": r.runs.errors.tolist()}
            | {key: _mean(r, key) for key in ("val_accuracy", "f1_macro")}
            for r in models
        },
        "pairs": pairs,
        "missed": _missed(models),
        "ensembles": _ensembles(models, labels),
        "cost": {r.name: _cost(r, results) for r in models},
        "calibration": _calibration(models),
        "set_aside": {r.name: _least_certain_aside(r) for r in models},
        "corrupted": _corrupted(models),
    }
    detectors = {r.name: _detector(r) for r in models if "map" in r.metrics}
    comparison |= {"detectors": detectors} if detectors else {}
    if results.writers is not None:
        comparison["groups"] = _groups(models, results.writers)
        comparison["writers"] = _writers(errors, units)
    if results.is_mnist:
        comparison["lab"] = _lab(models, len(labels))
        comparison["corrected_labels"] = _corrected_labels(models, comparison["missed"])
    comparison = round_numbers(comparison)
    comparison["verdict"] = findings.verdict(results, comparison)
    return comparison


def _rate(errors: np.ndarray, seeds: statistics.Part, units: np.ndarray) -> dict[str, Any]:
    """Summarise the errors (images,), each a mean over seeds."""
    rate = float(errors.mean())
    return {
        "mean_error": rate,
        "ci95": statistics.interval(
            rate, [statistics.unit_part(errors, units), seeds], len(errors)
        ),
    }


def _pairs(
    errors: Mapping[str, np.ndarray], seeds: Mapping[str, statistics.Part], units: np.ndarray
) -> list[dict[str, Any]]:
    """Test the difference of each pair; `better` has the lower mean error, by chance or not."""
    pairs: list[dict[str, Any]] = []
    ranked = sorted(errors, key=lambda name: errors[name].mean())
    for better, worse in combinations(ranked, 2):
        gap = errors[worse] - errors[better]
        parts = [statistics.unit_part(gap, units), seeds[better], seeds[worse]]
        difference = float(gap.mean())
        ci95, p = statistics.compare_means(difference, parts, len(gap))
        names = {"better": better, "worse": worse}
        pairs.append(names | {"difference": difference, "ci95": ci95, "p": p})
    corrected = statistics.holm([pair["p"] for pair in pairs])
    return [pair | {"p_holm": p} for pair, p in zip(pairs, corrected, strict=True)]


def _leaders(errors: Mapping[str, np.ndarray], pairs: Sequence[Mapping[str, Any]]) -> list[str]:
    best, *others = sorted(errors, key=lambda name: errors[name].mean())
    worse = {p["worse"] for p in pairs if p["better"] == best and findings.is_shown(p)}
    return [best, *(name for name in others if name not in worse)]


def _mean(result: ModelResult, column: str) -> float | None:
    values = result.runs.figure(column)
    return None if values is None else float(values.mean())


def _groups(models: Sequence[ModelResult], writers: np.ndarray) -> dict[str, Any]:
    groups = {}
    for group, chosen in (
        ("students", writers >= FIRST_STUDENT),
        ("employees", writers < FIRST_STUDENT),
    ):
        names, units = np.unique(writers[chosen], return_inverse=True)
        wrong = {r.name: r.runs.wrong[:, chosen] for r in models}
        groups[group] = {
            "images": len(units),
            "writers": len(names),
            "models": {
                name: _rate(of.mean(axis=0), statistics.seed_part(of, units), units)
                for name, of in wrong.items()
            },
        }
    return groups


def _writers(errors: Mapping[str, np.ndarray], units: np.ndarray) -> dict[str, Any]:
    totals = np.sort(np.bincount(units, np.sum(list(errors.values()), axis=0)))[::-1]
    return {
        "count": len(totals),
        "without_errors": int((totals == 0).sum()),
        "worst": WORST_WRITERS,
        "share": float(totals[:WORST_WRITERS].sum() / (totals.sum() or 1)),
    }


def _missed(models: Sequence[ModelResult]) -> dict[str, Any]:
    shares = np.array([r.runs.wrong.mean(axis=0) for r in models])  # of a model's trainings
    return {
        "by_any": float((1 - (1 - shares).prod(axis=0)).sum()),
        "by_all": float(shares.prod(axis=0).sum()),
        "in_all_trainings": np.flatnonzero((shares == 1).all(axis=0)).tolist(),
        "trainings": sum(r.runs.n for r in models),
    }


def _corrected_labels(models: Sequence[ModelResult], missed: Mapping[str, Any]) -> dict[str, Any]:
    truth, clear = correct_labels(models[0].labels)
    as_people = np.all([(r.runs.predicted == truth).all(axis=0) for r in models], axis=0)
    return {
        "errors": {
            r.name: float(((r.runs.predicted != truth) & clear).sum(axis=1).mean()) for r in models
        },
        "read_by_all": [i for i in missed["in_all_trainings"] if i in CORRECTED and as_people[i]],
    }


def _ensembles(models: Sequence[ModelResult], labels: np.ndarray) -> dict[str, Any]:
    voters = {"models": np.array([r.predicted for r in models])}
    voters |= {r.name: r.runs.predicted for r in models}
    return {
        name: {"voters": len(predicted), "errors": statistics.vote_errors(predicted, labels)}
        for name, predicted in voters.items()
        if len(predicted) > 2
    }


def _lab(models: Sequence[ModelResult], images: int) -> dict[str, dict[str, Any]]:
    """Test the differences from the lab's trainings, one a model, of which only the rate is known.

    As if one training of ours made the mean number of errors. Which of these the lab's made, too,
    is not known, so that the p-values of McNemar's test can only be bounded.
    """
    lab: dict[str, dict[str, Any]] = {}
    for r in models:
        if r.name in LAB:
            errors, theirs = round(r.runs.mean * images), round((1 - LAB[r.name]) * images)
            p = statistics.mcnemar_bounds(errors, theirs, images)
            lab[r.name] = {"errors": errors, "lab_errors": theirs, "p": p}
    lowest, highest = (statistics.holm([of["p"][i] for of in lab.values()]) for i in (0, 1))
    for of, low, high in zip(lab.values(), lowest, highest, strict=True):
        of["p_holm"] = [low, high]
    return lab


def _cost(result: ModelResult, results: Results) -> dict[str, float | None]:
    """Return what a model costs; its training includes that of the model it starts from."""
    trained = [result, *(r for r in results.models if STARTS_FROM.get(result.name) == r.name)]
    seconds = [r.benchmark["train_seconds"] for r in trained if r.benchmark]
    measured = result.benchmark or {}
    return {
        "train_tflop": sum(r.training["train_tflop"] for r in trained),
        "train_seconds": sum(seconds) if len(seconds) == len(trained) else None,
        "latency_ms": measured.get("latency_ms"),
        "images_per_second": measured.get("infer_images_per_second"),
        "parameters": result.details["parameters"],
        "mflop": result.details["flops"] / 1e6,
        "file_mb": result.details["file_bytes"] / 1e6,
    }


def _calibration(models: Sequence[ModelResult]) -> dict[str, dict[str, Any]]:
    p_values = [r.details["ece_p"] for r in models]
    return {
        r.name: {"ece": _mean(r, "ece"), "p": p, "p_holm": p_holm}
        for r, p, p_holm in zip(models, p_values, statistics.holm(p_values), strict=True)
    }


def _least_certain_aside(result: ModelResult) -> int:
    left = statistics.errors_left(result.correct, result.calibrated.max(axis=1))
    return int(left[round(SET_ASIDE * len(result.labels))])


def _corrupted(models: Sequence[ModelResult]) -> dict[str, Any]:
    """Compare the mean errors over the corruptions, of which all models see the same images.

    The variance of the images is that of the committed seed. The mean is that over the seeds, and
    their variance is added, where seeds.csv has it of every training of a model.
    """
    errors, seeds, n = {}, {}, {}
    for r in models:
        of_kinds = [~correct for kind, correct in r.robustness.items() if kind != "none"]
        wrong = np.mean(of_kinds, axis=0)
        runs = r.runs.figure("corrupted")
        runs = np.array([1 - wrong.mean()]) if runs is None else runs
        between = runs.var(ddof=1) / len(runs) if len(runs) > 1 else 0.0
        n[r.name] = len(runs)
        seeds[r.name] = (between, between, len(runs) - 1 or np.inf)
        errors[r.name] = wrong - wrong.mean() + 1 - runs.mean()
    units = np.arange(len(wrong))
    pairs = _pairs(errors, seeds, units)
    return {
        "images": len(units),
        "leaders": _leaders(errors, pairs),
        "pairs": pairs,
        "models": {
            name: {"n": n[name]} | _rate(of, seeds[name], units) for name, of in errors.items()
        },
    }


def _detector(result: ModelResult) -> dict[str, Any]:
    figures = ("precision", "recall", "scenes", "scene_digits")
    mean, n = _mean(result, "map"), result.runs.n
    known = {"map": result.metrics["map"], "n": 1} if mean is None else {"map": mean, "n": n}
    return known | {key: result.details[key] for key in figures}
