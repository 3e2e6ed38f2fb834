"""metrics/comparison.json: the models compared with each other and, on MNIST, with the lab.

The models are compared by their test errors, mean over the seeds that metrics/seeds.csv holds. What
needs probabilities (ensemble, risk and coverage) is of the committed seed alone.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import fisher_exact

from mnist.atomic_io import round_numbers
from mnist.evaluation.metrics import classification_metrics
from mnist.reporting import findings
from mnist.reporting.label_errors import CORRECTED, correct_labels
from mnist.reporting.results import STARTS_FROM, ModelResult, Results
from mnist.reporting.statistics import (
    bootstrap_errors,
    bootstrap_p,
    errors_left,
    holm,
    interval,
    mcnemar,
)

SET_ASIDE = (0.0, 0.005, 0.01, 0.02)


def compare(results: Results) -> dict[str, Any]:
    """Rank the models and test their differences; rates are 0..1, `verdict` is in words.

    All figures are rounded as in metrics/comparison.json, and so are those in words.
    """
    models, labels = results.models, results.labels
    resampled = bootstrap_errors({r.name: r.runs.wrong for r in models})
    ranked = sorted(models, key=lambda r: r.runs.mean)
    predicted = {r.name: r.predicted for r in models}
    wrong = np.array([~r.correct for r in models])
    comparison: dict[str, Any] = {
        "ranking": [result.name for result in ranked],
        "seeds": {
            r.name: {
                "n": r.runs.n,
                "mean_error": r.runs.mean,
                "std": r.runs.std,
                "ci95": interval(resampled[r.name]),
                "errors": r.runs.errors.tolist(),
            }
            for r in models
        },
        "pairs": _pairs(ranked, resampled),
        "cost": {r.name: _cost(r, results) for r in models},
        "wrong_by_all": np.flatnonzero(wrong.all(axis=0)).tolist(),
        "wrong_by_any": int(wrong.any(axis=0).sum()),
        "corrupted": _corrupted(models),
        "risk_coverage": {
            r.name: risk_coverage(r.correct, r.calibrated.max(axis=1)) for r in models
        },
    }
    if len(models) > 1:
        mean_probabilities = np.mean([r.calibrated for r in models], axis=0)
        predicted["ensemble"] = mean_probabilities.argmax(axis=1)
        scores = classification_metrics(labels, predicted["ensemble"], len(results.classes))
        comparison["ensemble"] = {key: scores[key] for key in ("accuracy", "f1_macro", "errors")}
        comparison["risk_coverage"]["ensemble"] = risk_coverage(
            predicted["ensemble"] == labels, mean_probabilities.max(axis=1)
        )
    if results.is_mnist:
        comparison["lab"] = _lab(models, len(labels))
        truth, clear = correct_labels(labels)
        missed = set(comparison["wrong_by_all"])
        comparison["corrected_labels"] = {
            "images": int(clear.sum()),
            "errors": {n: int((classes != truth)[clear].sum()) for n, classes in predicted.items()},
            # Of the images that all models misclassify, those that all read as corrected.
            "read_by_all": [
                image
                for image, votes in CORRECTED.items()
                if image in missed and all(r.predicted[image] == votes.digit for r in models)
            ],
        }
    comparison = round_numbers(comparison)
    comparison["verdict"] = findings.verdict(results, comparison)
    return comparison


def risk_coverage(correct: np.ndarray, confidence: np.ndarray) -> list[dict[str, float]]:
    """Count the `errors` left when each share of SET_ASIDE is put aside, the least certain first.

    Args:
        correct: bool (N,); confidence: (N,), 0..1.
    """
    left = errors_left(correct, confidence)
    return [
        {"set_aside": share, "errors": int(left[round(share * len(correct))])}
        for share in SET_ASIDE
    ]


def _pairs(ranked: Sequence[ModelResult], resampled: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """Test each pair; `better` is the model with the lower mean error, whether by chance or not.

    `p` is of the difference of the mean errors, over seeds and images together; `mcnemar` compares
    the committed seeds on the same images.
    """
    pairs = list(combinations(ranked, 2))
    differences = [resampled[worse.name] - resampled[better.name] for better, worse in pairs]
    p_values = [bootstrap_p(difference) for difference in differences]
    tests = [mcnemar(better.correct, worse.correct) for better, worse in pairs]
    mcnemar_holm = holm([p for *_, p in tests])
    bootstrap_holm = holm(p_values)
    results = []
    for i, (better, worse) in enumerate(pairs):
        only_better, only_worse, exact = tests[i]
        results.append(
            {
                "better": better.name,
                "worse": worse.name,
                "difference": worse.runs.mean - better.runs.mean,
                "ci95": interval(differences[i]),
                "p": p_values[i],
                "p_holm": bootstrap_holm[i],
                "mcnemar": {
                    "only_better_correct": only_better,
                    "only_worse_correct": only_worse,
                    "p": exact,
                    "p_holm": mcnemar_holm[i],
                },
            }
        )
    return results


def _cost(result: ModelResult, results: Results) -> dict[str, float | None]:
    """Return what a model costs; None where it was not measured."""
    trained = [result, *(r for r in results.models if STARTS_FROM.get(result.name) == r.name)]
    timings = [r.timing for r in trained if r.timing]
    seconds = sum(timing["train_seconds"] for timing in timings)
    speed = results.benchmark.get(result.name)
    return {
        "train_tflop": sum(r.training["train_tflop"] for r in trained),
        "train_seconds": seconds if len(timings) == len(trained) else None,
        "latency_ms": 1000 / speed["infer_images_per_second_b1"] if speed else None,
        "batch_ms": 1000 / speed["infer_images_per_second_b256"] if speed else None,
        "parameters": result.details["parameters"],
        "mflop": result.details["flops"] / 1e6,
        "file_mb": result.details["file_bytes"] / 1e6,
    }


def _corrupted(models: Sequence[ModelResult]) -> dict[str, dict[str, Any]]:
    """Summarise the accuracies on corrupted images; a rank of 1 is the best model's."""
    kinds = [kind for kind in models[0].robustness if kind != "none"]
    accuracy = np.array([[r.robustness[kind] for kind in kinds] for r in models])
    ranks = 1 + (accuracy[None] > accuracy[:, None]).sum(axis=1)
    return {
        r.name: r.corrupted | {"mean_rank": float(rank.mean())}
        for r, rank in zip(models, ranks, strict=True)
    }


def _lab(models: Sequence[ModelResult], images: int) -> dict[str, dict[str, Any]]:
    """Test the differences from the lab's figures by Fisher's exact test on the counts of errors.

    It assumes that the lab trained once and tested on as many images, of which only its rate is
    known; `p_holm` is corrected for the number of models that the lab has a figure of.
    """
    known = [r for r in models if r.lab.accuracy is not None]
    p_values = []
    for r in known:
        counts = [round(rate * images) for rate in (r.runs.mean, 1 - (r.lab.accuracy or 0))]
        p_values.append(float(fisher_exact([[n, images - n] for n in counts]).pvalue))
    return {
        r.name: {
            "accuracy": 1 - r.runs.mean,
            "lab_accuracy": r.lab.accuracy,
            "p": p,
            "p_holm": p_holm,
        }
        for r, p, p_holm in zip(known, p_values, holm(p_values), strict=True)
    }
