"""Ours beside the lab's: metrics/comparison.json and the sentences drawn from it."""

from collections.abc import Sequence
from typing import Any

from stages.reporting.results import ModelResult


def compare(results: Sequence[ModelResult]) -> dict[str, Any]:
    """Rank the models and hold each against the lab's figure; rates are fractions in 0..1."""
    ranked = sorted(results, key=lambda r: r.quality["errors"])
    return {
        "ranking": [result.name for result in ranked],
        "lab": {result.name: _against_lab(result) for result in results},
        "verdict": [verdict(result) for result in ranked],
    }


def verdict(result: ModelResult) -> str:
    """Say in words whether the difference from the lab's accuracy is more than chance."""
    quality, lab = result.quality, result.lab.accuracy
    low, high = quality["accuracy_ci95_low"], quality["accuracy_ci95_high"]
    ours = f"{result.title}: {quality['accuracy']:.2%} (95 % interval {low:.2%} to {high:.2%})"
    if lab is None:
        return f"{ours}; the lab reported no figure."
    if lab < low:
        return f"{ours}; better than the lab's {lab:.2%}, which lies below the interval."
    if lab > high:
        return f"{ours}; worse than the lab's {lab:.2%}, which lies above the interval."
    return f"{ours}; the lab's {lab:.2%} lies inside: the difference may be chance."


def _against_lab(result: ModelResult) -> dict[str, float | None]:
    ours, lab = result.quality["accuracy"], result.lab.accuracy
    return {
        "accuracy": ours,
        "f1_macro": result.quality["f1_macro"],
        "lab_accuracy": lab,
        "difference": None if lab is None else round(ours - lab, 6),
    }
