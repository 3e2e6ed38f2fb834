"""metrics/comparison.json: the models compared with each other and, on MNIST, with the lab.

Rates are 0..1. Errors are means over the trainings in metrics/seeds.csv; calibration (but for ece),
precision, recall, and corruptions where n is 1 are of the committed seed, the weights at hand.
`unit` is what intervals and tests draw besides seeds, "writers" or "images". `leaders` are the best
model and all not shown to be worse. `missed` holds means over the choices of one training of each
model. `scaling` has the trainings on fewer images or for fewer steps.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from mnist.data.writers import FIRST_STUDENT
from mnist.files import round_numbers
from mnist.reporting import findings, statistics
from mnist.reporting.label_errors import correct_labels
from mnist.reporting.results import ModelResult, Results
from mnist.seed_files import STARTS_FROM

# The accuracy on MNIST's test images that the university lab reported (docs/lab.md).
LAB = {"cnn": 0.985, "vgg16": 0.9921, "alexnet": 0.996, "vit": 0.9923}
WORST_WRITERS = 10


def compare(results: Results) -> dict[str, Any]:
    """Return all figures, rounded to six decimals, and the sentences made from them."""
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
            | {"n": r.runs.n, "errors": r.runs.errors.tolist()}
            for r in models
        },
        "pairs": pairs,
        "missed": _missed(models),
        "ensembles": _ensembles(models, labels),
        "cost": {r.name: _cost(r, results) for r in models},
        "scaling": _scaling(results),
        "calibration": _calibration(models),
        "corrupted": _corrupted(models, writers),
        "detectors": {r.name: _detector(r) for r in models if "map" in r.metrics},
    }
    if results.writers is not None:
        comparison["groups"] = _groups(models, results.writers)
        comparison["writers"] = _writers(errors, units)
    if results.is_mnist:
        comparison["lab"] = _lab(models, len(labels))
        comparison["corrected_labels"] = _corrected_labels(models)
    comparison = round_numbers(comparison)
    comparison["verdict"] = findings.verdict(results, comparison)
    return comparison


def _rate(errors: np.ndarray, seeds: statistics.Part, units: np.ndarray) -> dict[str, Any]:
    """Summarise the errors (images,), each a mean over seeds."""
    rate, parts = float(errors.mean()), [statistics.unit_part(errors, units), seeds]
    return {"mean_error": rate, "ci95": statistics.interval(rate, parts, len(errors))}


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
        found = {"difference": difference, "ci95": ci95, "p": p}
        pairs.append({"better": better, "worse": worse, **found})
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
    students = writers >= FIRST_STUDENT
    groups: dict[str, Any] = {}
    for group, chosen in (("students", students), ("employees", ~students)):
        units = np.unique(writers[chosen], return_inverse=True)[1]
        wrong = {r.name: r.runs.wrong[:, chosen] for r in models}
        groups[group] = {
            name: _rate(of.mean(axis=0), statistics.seed_part(of, units), units)
            for name, of in wrong.items()
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


def _missed(models: Sequence[ModelResult]) -> dict[str, float]:
    shares = np.array([r.runs.wrong.mean(axis=0) for r in models])  # of a model's trainings
    return {
        "by_any": float((1 - (1 - shares).prod(axis=0)).sum()),
        "by_all": float(shares.prod(axis=0).sum()),
    }


def _corrected_labels(models: Sequence[ModelResult]) -> dict[str, float]:
    truth, clear = correct_labels(models[0].labels)
    return {r.name: float(((r.runs.predicted != truth) & clear).sum(axis=1).mean()) for r in models}


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
    is not known, so `p_holm` is [lowest, highest], over how many errors can be common.
    """
    names = [r.name for r in models if r.name in LAB]
    ours = [round(r.runs.errors.mean() * images) for r in models if r.name in LAB]
    theirs = [round((1 - LAB[name]) * images) for name in names]
    bounds = [statistics.mcnemar_bounds(a, b, images) for a, b in zip(ours, theirs, strict=True)]
    lowest, highest = (statistics.holm([p[end] for p in bounds]) for end in (0, 1))
    return {
        name: {"errors": ours[i], "lab_errors": theirs[i], "p_holm": [lowest[i], highest[i]]}
        for i, name in enumerate(names)
    }


def _cost(result: ModelResult, results: Results) -> dict[str, float | None]:
    """Return what a model costs; its training includes that of the model it starts from."""
    trained = [result, *(r for r in results.models if STARTS_FROM.get(result.name) == r.name)]
    seconds = [times["train_seconds"] for r in trained if (times := _times(r))]
    measured = _times(result)
    return {
        "train_tflop": sum(r.training["train_tflop"] for r in trained),
        "train_seconds": sum(seconds) if len(seconds) == len(trained) else None,
        "latency_ms": measured.get("latency_ms"),
        "images_per_second": measured.get("infer_images_per_second"),
        "parameters": result.details["parameters"],
        "mflop": result.details["flops"] / 1e6,
        "file_mb": result.details["file_bytes"] / 1e6,
    }


def _scaling(results: Results) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Collect the errors over the number of images, and over the steps on all images.

    The full trainings come last. Of each number of images the longest trainings count.
    """
    every = max((of["images"] for r in results.models for of in r.scaling), default=0)
    found: dict[str, dict[str, list[dict[str, Any]]]] = {"images": {}, "steps": {}}
    for r in results.models:
        tflop, errors = _cost(r, results)["train_tflop"], r.runs.errors.tolist()
        points = [*r.scaling, {"images": every, "train_tflop": tflop, "errors": errors}]
        found["images"][r.name] = list({of["images"]: of for of in points}.values())
        found["steps"][r.name] = [of for of in points if of["images"] == every]
    return found


def _times(result: ModelResult) -> dict[str, Any]:
    """Return what `make bench` measured, if that was with as many steps: other data need others."""
    steps = result.training["train_samples"] / result.recipe["batch_size"]
    return result.benchmark if result.benchmark and result.benchmark["steps"] == steps else {}


def _calibration(models: Sequence[ModelResult]) -> dict[str, dict[str, Any]]:
    corrected = statistics.holm([r.details["ece_p"] for r in models])
    return {
        r.name: {"ece": _mean(r, "ece"), "p_holm": p}
        for r, p in zip(models, corrected, strict=True)
    }


def _corrupted(models: Sequence[ModelResult], writers: np.ndarray) -> dict[str, Any]:
    """Compare the mean errors over the corruptions, of which all models see the same images.

    The variance of the images is that of the committed seed. The mean is that over the seeds, and
    their variance is added, where seeds.csv has it of every training of a model.
    """
    images = np.array(models[0].examples["corrupted_digits"].split(), dtype=int)
    units = np.unique(writers[images], return_inverse=True)[1]
    errors, seeds, n = {}, {}, {}
    for r in models:
        wrong = np.mean([~right for kind, right in r.robustness.items() if kind != "none"], axis=0)
        runs = r.runs.figure("corrupted")
        runs = np.array([1 - wrong.mean()]) if runs is None else runs
        between = runs.var(ddof=1) / len(runs) if len(runs) > 1 else 0.0
        n[r.name] = len(runs)
        seeds[r.name] = (between, between, len(runs) - 1 or np.inf)
        errors[r.name] = wrong - wrong.mean() + 1 - runs.mean()
    pairs = _pairs(errors, seeds, units)
    rates = {name: {"n": n[name]} | _rate(of, seeds[name], units) for name, of in errors.items()}
    leaders = _leaders(errors, pairs)
    return {"images": len(images), "leaders": leaders, "pairs": pairs, "models": rates}


def _detector(result: ModelResult) -> dict[str, Any]:
    mean, n = _mean(result, "map"), result.runs.n
    known = {"map": result.metrics["map"], "n": 1} if mean is None else {"map": mean, "n": n}
    return known | {key: result.details[key] for key in ("precision", "recall", "scenes")}
