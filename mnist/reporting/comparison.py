"""metrics/comparison.json: the models compared with each other and, on MNIST, with the lab."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import fisher_exact

from mnist.evaluation.metrics import classification_metrics
from mnist.reporting.label_errors import correct_labels
from mnist.reporting.results import ModelResult, Results
from mnist.reporting.statistics import holm, mcnemar

SIGNIFICANT = 0.05


def compare(results: Results) -> dict[str, Any]:
    """Rank the models and test their differences; rates are 0..1, `verdict` is in words."""
    models, labels = results.models, results.labels
    ranked = sorted(models, key=lambda r: r.metrics["errors"])
    predicted = {r.name: r.predicted for r in models}
    wrong = np.array([~r.correct for r in models])
    comparison: dict[str, Any] = {
        "ranking": [result.name for result in ranked],
        "mcnemar": _mcnemar_pairs(ranked),
        "disagreement": {
            a: {b: int((predicted[a] != predicted[b]).sum()) for b in predicted} for a in predicted
        },
        "wrong_by_all": np.flatnonzero(wrong.all(axis=0)).tolist(),
        "wrong_by_any": int(wrong.any(axis=0).sum()),
        "mean_accuracy_on_corrupted": {r.name: r.mean_corrupted for r in models},
        "seeds": {name: asdict(spread) for name, spread in results.spreads.items()},
    }
    if len(models) > 1:
        mean_probabilities = np.mean([r.calibrated for r in models], axis=0)
        predicted["ensemble"] = mean_probabilities.argmax(axis=1)
        scores = classification_metrics(labels, predicted["ensemble"], len(results.classes))
        comparison["ensemble"] = {key: scores[key] for key in ("accuracy", "f1_macro", "errors")}
    if results.is_mnist:
        comparison["lab"] = {
            r.name: {"accuracy": r.metrics["accuracy"], "lab_accuracy": r.lab.accuracy}
            for r in models
        }
        truth, clear = correct_labels(labels)
        comparison["corrected_labels"] = {
            "images": int(clear.sum()),
            "accuracy": {
                name: float((classes == truth)[clear].mean()) for name, classes in predicted.items()
            },
        }
    comparison["verdict"] = [
        *(describe_accuracy(result, results.is_mnist) for result in ranked),
        describe_pairs(comparison["mcnemar"], results.titles),
    ]
    if len(models) > 1:
        comparison["verdict"] += [
            describe_ensemble(comparison, len(models)),
            describe_robustness(models),
        ]
    return comparison


def describe_accuracy(result: ModelResult, with_lab: bool) -> str:
    """Describe the accuracy, and whether its difference from the lab's is more than chance.

    The test is Fisher's exact test on the two counts of errors. It assumes that the lab tested on
    as many images, and cannot use that they were the same, since only the lab's rate is known.
    """
    low, high = result.details["accuracy_ci95_low"], result.details["accuracy_ci95_high"]
    accuracy = result.metrics["accuracy"]
    text = f"{result.title}: {accuracy:.2%} (95 % interval {low:.2%} to {high:.2%})"
    lab = result.lab.accuracy
    if not with_lab:
        return f"{text}."
    if lab is None:
        return f"{text}; the lab reported no figure."
    images, errors = len(result.labels), int((~result.correct).sum())
    lab_errors = round((1 - lab) * images)
    p = fisher_exact([[errors, images - errors], [lab_errors, images - lab_errors]]).pvalue
    if p >= SIGNIFICANT:
        return f"{text}; the difference from the lab's {lab:.2%} may be chance (p = {p:.2g})."
    better = "better" if errors < lab_errors else "worse"
    return f"{text}; {better} than the lab's {lab:.2%} by more than chance (p = {p:.2g})."


def describe_pairs(pairs: Sequence[dict[str, Any]], titles: dict[str, str]) -> str:
    """Describe which differences between the models are significant."""
    if not pairs:
        return "There is only one model, so nothing to compare it with."
    test = "exact McNemar test, Holm's correction, 5 %"
    significant = [
        f"{titles[pair['better']]} is better than {titles[pair['worse']]} "
        f"({pair['only_better_correct']} to {pair['only_worse_correct']}, "
        f"p = {pair['p_holm']:.2g})"
        for pair in pairs
        if pair["p_holm"] < SIGNIFICANT
    ]
    if not significant:
        return f"No difference between the models is more than chance ({test})."
    rest = len(pairs) - len(significant)
    others = f" The other {rest} of {len(pairs)} differences may be chance." if rest else ""
    return f"More than chance ({test}): {'; '.join(significant)}.{others}"


def describe_ensemble(comparison: dict[str, Any], models: int) -> str:
    """Describe the ensemble, and the errors that the models have in common."""
    ensemble = comparison["ensemble"]
    text = (
        f"Ensemble of all {models} (mean of their probabilities after temperature scaling): "
        f"{ensemble['accuracy']:.2%}, {ensemble['errors']} errors. {comparison['wrong_by_any']} "
        f"images are misclassified by at least one model, {len(comparison['wrong_by_all'])} of "
        "them by all."
    )
    if "corrected_labels" in comparison:
        accuracy = comparison["corrected_labels"]["accuracy"]["ensemble"]
        text += f" With known label errors corrected and ambiguous ones left out: {accuracy:.2%}."
    return text


def describe_robustness(models: Sequence[ModelResult]) -> str:
    """Describe which model is the best and which the worst on corrupted images."""
    worst, *_, best = sorted(models, key=lambda r: r.mean_corrupted)
    return (
        f"On corrupted images {best.title} is the most accurate ({best.mean_corrupted:.1%}, mean "
        f"over {len(best.robustness) - 1} corruptions) and {worst.title} the least "
        f"({worst.mean_corrupted:.1%})."
    )


def _mcnemar_pairs(ranked: Sequence[ModelResult]) -> list[dict[str, Any]]:
    """Test each pair; `better` is the model with fewer errors, whether by chance or not."""
    pairs = list(combinations(ranked, 2))
    tests = [mcnemar(a.correct, b.correct) for a, b in pairs]
    corrected = holm([p for *_, p in tests])
    return [
        {
            "better": a.name,
            "worse": b.name,
            "only_better_correct": only_a,
            "only_worse_correct": only_b,
            "p": p,
            "p_holm": p_holm,
        }
        for (a, b), (only_a, only_b, p), p_holm in zip(pairs, tests, corrected, strict=True)
    ]
