"""The models beside each other and beside the lab: metrics/comparison.json, and it in words."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import fisher_exact

from mnist.evaluation.metrics import classification_metrics
from mnist.reporting import label_errors
from mnist.reporting.results import ModelResult
from mnist.reporting.seeds import Spread
from mnist.reporting.statistics import holm, mcnemar

SIGNIFICANT = 0.05


def compare(
    results: Sequence[ModelResult], spreads: Mapping[str, Spread] | None = None
) -> dict[str, Any]:
    """Rank the models, test their differences and hold each against the lab; rates are 0..1.

    Args:
        spreads: of the models that were trained from several seeds.
    """
    ranked = sorted(results, key=lambda r: r.quality["errors"])
    labels = results[0].labels
    answers = {r.name: r.predicted for r in results}
    wrong = np.array([~r.right for r in results])
    comparison: dict[str, Any] = {
        "ranking": [result.name for result in ranked],
        "lab": {result.name: _against_lab(result) for result in results},
        "mcnemar": _mcnemar_pairs(ranked),
        "disagreement": {
            a.name: {b.name: int((a.predicted != b.predicted).sum()) for b in results}
            for a in results
        },
        "wrong_by_all": np.flatnonzero(wrong.all(axis=0)).tolist(),
        "wrong_by_any": int(wrong.any(axis=0).sum()),
        "mean_accuracy_on_corrupted": {r.name: r.mean_corrupted for r in results},
        "seeds": {
            result.name: asdict(spread)
            for result in results
            # What was trained otherwise than the model at hand says nothing about it.
            if (spread := (spreads or {}).get(result.name))
            and result.quality["accuracy"] in spread.accuracies
        },
    }
    if len(results) > 1:
        probabilities = np.mean([r.probabilities for r in results], axis=0)
        answers["ensemble"] = probabilities.argmax(axis=1)
        comparison["ensemble"] = classification_metrics(labels, answers["ensemble"])
    if label_errors.are_mnists(labels):
        truth, counted = label_errors.corrected(labels)
        comparison["corrected_labels"] = {
            "digits": int(counted.sum()),
            "accuracy": {
                name: float((predicted == truth)[counted].mean())
                for name, predicted in answers.items()
            },
        }
    comparison["verdict"] = [
        *(against_lab(result) for result in ranked),
        against_each_other(comparison["mcnemar"], {r.name: r.title for r in results}),
    ]
    if len(results) > 1:
        comparison["verdict"] += [together(comparison, len(results)), on_corrupted(results)]
    return comparison


def against_lab(result: ModelResult) -> str:
    """Say in words whether the difference from the lab's accuracy is more than chance.

    By Fisher's exact test on the two counts of errors. It takes the lab to have tested on as many
    digits, and cannot use that they were the same, since only the lab's rate is known.
    """
    quality, lab = result.quality, result.lab.accuracy
    low, high = quality["accuracy_ci95_low"], quality["accuracy_ci95_high"]
    ours = f"{result.title}: {quality['accuracy']:.2%} (95 % interval {low:.2%} to {high:.2%})"
    if lab is None:
        return f"{ours}; the lab reported no figure."
    digits, errors = len(result.labels), int((~result.right).sum())
    labs_errors = round((1 - lab) * digits)
    table = [[errors, digits - errors], [labs_errors, digits - labs_errors]]
    p = fisher_exact(table).pvalue
    if p >= SIGNIFICANT:
        return f"{ours}; the difference from the lab's {lab:.2%} may be chance (p = {p:.2g})."
    better = "better" if errors < labs_errors else "worse"
    return f"{ours}; {better} than the lab's {lab:.2%} by more than chance (p = {p:.2g})."


def against_each_other(pairs: Sequence[dict[str, Any]], titles: dict[str, str]) -> str:
    """Say in words which differences between the models are real."""
    if not pairs:
        return "One model alone: nothing to compare it with."
    test = "exact McNemar test, Holm's correction, 5 %"
    real = [
        f"{titles[pair['better']]} beats {titles[pair['worse']]} "
        f"({pair['only_better_right']} to {pair['only_worse_right']}, p = {pair['p_holm']:.2g})"
        for pair in pairs
        if pair["p_holm"] < SIGNIFICANT
    ]
    if not real:
        return f"Between the models no difference is more than chance ({test})."
    rest = len(pairs) - len(real)
    others = f" The rest, {rest} of {len(pairs)}, may be chance." if rest else ""
    return f"More than chance ({test}): {'; '.join(real)}.{others}"


def together(comparison: dict[str, Any], models: int) -> str:
    """Say in words what the models get right and wrong together."""
    ensemble = comparison["ensemble"]
    text = (
        f"All {models} together (mean of their probabilities): {ensemble['accuracy']:.2%}, "
        f"{ensemble['errors']} errors. Of the {comparison['wrong_by_any']} digits that some model "
        f"gets wrong, {len(comparison['wrong_by_all'])} are wrong in all."
    )
    if "corrected_labels" in comparison:
        accuracy = comparison["corrected_labels"]["accuracy"]["ensemble"]
        text += (
            " With the test labels that are known to be wrong put right and the ambiguous ones "
            f"left out: {accuracy:.2%}."
        )
    return text


def on_corrupted(results: Sequence[ModelResult]) -> str:
    """Say in words who stands corrupted digits best and worst."""
    worst, *_, best = sorted(results, key=lambda r: r.mean_corrupted)
    return (
        f"On corrupted digits {best.title} holds up best ({best.mean_corrupted:.1%} on the mean of "
        f"{len(best.corrupted)} corruptions) and {worst.title} worst ({worst.mean_corrupted:.1%})."
    )


def _mcnemar_pairs(ranked: Sequence[ModelResult]) -> list[dict[str, Any]]:
    """Test each pair; the model with fewer errors is the `better`, whether by chance or not."""
    pairs = list(combinations(ranked, 2))
    splits = [mcnemar(a.predicted == a.labels, b.predicted == b.labels) for a, b in pairs]
    corrected = holm([p for *_, p in splits])
    return [
        {
            "better": a.name,
            "worse": b.name,
            "only_better_right": only_a,
            "only_worse_right": only_b,
            "p": p,
            "p_holm": p_holm,
        }
        for (a, b), (only_a, only_b, p), p_holm in zip(pairs, splits, corrected, strict=True)
    ]


def _against_lab(result: ModelResult) -> dict[str, float | None]:
    ours, lab = result.quality["accuracy"], result.lab.accuracy
    return {
        "accuracy": ours,
        "f1_macro": result.quality["f1_macro"],
        "lab_accuracy": lab,
        "difference": None if lab is None else round(ours - lab, 6),
    }
