"""What the comparison found, in sentences made from its figures."""

from collections.abc import Mapping, Sequence
from typing import Any

from mnist.reporting.results import Results

SIGNIFICANT = 0.05


def title(results: Results, comparison: Mapping[str, Any]) -> str:
    """Write the headline: who leads, and what the cheapest model gives for its cost."""
    best, costs = comparison["ranking"][0], comparison["cost"]
    if len(results.models) == 1:
        return f"{results.titles[best]} on {results.data}"
    text = f"{results.titles[best]} leads on {results.data}"
    cheapest = min(costs, key=lambda name: costs[name]["train_tflop"])
    if cheapest == best:
        near = sum(p["better"] == best and p["p_holm"] >= SIGNIFICANT for p in comparison["pairs"])
        others = f"{near} of the {len(results.models) - 1} others not significantly worse"
        return f"{text}, with the cheapest training" + (f"; {others}" if near else "")
    (pair,) = (p for p in comparison["pairs"] if (p["better"], p["worse"]) == (best, cheapest))
    share = _ratio(costs[best]["train_tflop"] / costs[cheapest]["train_tflop"])
    apart = "makes more errors" if pair["p_holm"] < SIGNIFICANT else "is not significantly worse"
    return f"{text}; {results.titles[cheapest]} {apart} for {share} of the training"


def headline(results: Results, comparison: Mapping[str, Any]) -> list[str]:
    """Write the first findings: who leads, what it costs, and what all models misclassify."""
    sentences = [leader(results, comparison), differences(results, comparison)]
    if len(results.models) > 1:
        sentences += [cost(results, comparison), common_errors(results, comparison)]
    return sentences


def verdict(results: Results, comparison: Mapping[str, Any]) -> list[str]:
    """Write all findings, the first ones first."""
    sentences = headline(results, comparison)
    if comparison.get("lab"):
        sentences.append(lab(results, comparison))
    if len(results.models) > 1:
        sentences += [
            ensemble(results, comparison),
            calibration(results),
            uncertain(results, comparison),
            robustness(results, comparison),
        ]
    return sentences


def leader(results: Results, comparison: Mapping[str, Any]) -> str:
    """Say which model has the lowest mean error."""
    name = comparison["ranking"][0]
    seeds = comparison["seeds"][name]
    low, high = seeds["ci95"]
    trained = f"mean of {seeds['n']} trainings" if seeds["n"] > 1 else "one training"
    fewest = "the fewest errors" if len(results.models) > 1 else "errors"
    return (
        f"{results.titles[name]} makes {fewest} on the {len(results.labels):,} test images: "
        f"{seeds['mean_error']:.2%} ({trained}, 95% interval {low:.2%} to {high:.2%})."
    )


def differences(results: Results, comparison: Mapping[str, Any]) -> str:
    """Say which differences between the models are significant."""
    pairs, titles = comparison["pairs"], results.titles
    if not pairs:
        return "There is only one model, so nothing to compare it with."
    test = "bootstrap over seeds and images, Holm's correction, 5%"
    found: dict[str, list[str]] = {}
    for pair in pairs:
        if pair["p_holm"] < SIGNIFICANT:
            found.setdefault(pair["better"], []).append(titles[pair["worse"]])
    count = sum(map(len, found.values()))
    if not count:
        return f"No difference between the models is significant ({test})."
    better = "; ".join(
        f"{titles[name]} is better than {_and(worse)}" for name, worse in found.items()
    )
    return f"{count} of {len(pairs)} differences are significant ({test}): {better}."


def cost(results: Results, comparison: Mapping[str, Any]) -> str:
    """Compare the model with the cheapest training with the most accurate one."""
    costs, titles = comparison["cost"], results.titles
    best = comparison["ranking"][0]
    cheapest = min(costs, key=lambda name: costs[name]["train_tflop"])
    if cheapest == best:
        tflop = costs[best]["train_tflop"]
        return f"{titles[best]} also has the cheapest training ({tflop:.3g} TFLOP)."
    (pair,) = (p for p in comparison["pairs"] if (p["better"], p["worse"]) == (best, cheapest))
    more = pair["difference"] * 10_000
    training, parameters = (
        costs[best][key] / costs[cheapest][key] for key in ("train_tflop", "parameters")
    )
    return (
        f"The cheapest training is that of {titles[cheapest]}: {_ratio(training)} of the "
        f"arithmetic of {titles[best]}, {_ratio(parameters)} of its parameters, and {more:.1f} "
        f"more errors in 10,000 images ({_p(pair['p_holm'])})."
    )


def common_errors(results: Results, comparison: Mapping[str, Any]) -> str:
    """Say how many images all models misclassify, and which of these have a wrong label."""
    missed = len(comparison["wrong_by_all"])
    text = (
        f"{comparison['wrong_by_any']} images are misclassified by at least one model, {missed} of "
        "them by all"
    )
    read = len(comparison.get("corrected_labels", {}).get("read_by_all", ()))
    if not read:
        return f"{text}."
    return (
        f"{text}. Most of five people rejected the label of {read} of these {missed} (Northcutt et "
        "al., 2021), and there all models read what those people saw."
    )


def lab(results: Results, comparison: Mapping[str, Any]) -> str:
    """Say which models are significantly better than the lab's."""
    groups: dict[str, list[str]] = {}
    for name, found in comparison["lab"].items():
        if found["p_holm"] >= SIGNIFICANT:
            group = "not significantly different"
        elif found["accuracy"] > found["lab_accuracy"]:
            group = "significantly better"
        else:
            group = "significantly worse"
        figures = f"{found['accuracy']:.2%} against {found['lab_accuracy']:.2%}"
        text = f"{results.titles[name]} ({figures}, {_p(found['p_holm'])})"
        groups.setdefault(group, []).append(text)
    said = "; ".join(f"{group}: {_and(texts)}" for group, texts in groups.items())
    return (
        f"Compared with the lab, {said}. Fisher's exact test with Holm's correction; it assumes "
        f"that the lab, too, tested on {len(results.labels):,} images, once."
    )


def ensemble(results: Results, comparison: Mapping[str, Any]) -> str:
    """Describe the ensemble."""
    errors = comparison["ensemble"]["errors"]
    text = (
        f"The ensemble of all {len(results.models)} (mean of their probabilities after temperature "
        f"scaling) makes {errors} errors on the labels as published"
    )
    if "corrected_labels" not in comparison:
        return f"{text}."
    corrected = comparison["corrected_labels"]
    return f"{text}, {corrected['errors']['ensemble']} on the labels as corrected."


def calibration(results: Results) -> str:
    """Say how many models are as well calibrated as can be told from these images."""
    within = [r.title for r in results.models if r.metrics["ece"] <= r.details["ece_null95"]]
    return (
        f"After temperature scaling {len(within)} of {len(results.models)} models have a "
        "calibration error (ECE) that a perfectly calibrated model could have on as many images"
        + (f": {_and(within)}." if 0 < len(within) < len(results.models) else ".")
    )


def uncertain(results: Results, comparison: Mapping[str, Any]) -> str:
    """Say what putting the least certain images aside leaves of the best model's errors."""
    name = comparison["ranking"][0]
    first, *_, last = comparison["risk_coverage"][name]
    return (
        f"Without the {last['set_aside']:.0%} of the images that {results.titles[name]} is least "
        f"certain of, {last['errors']} of its {first['errors']} errors are left (committed seed)."
    )


def robustness(results: Results, comparison: Mapping[str, Any]) -> str:
    """Say which model is the most accurate on corrupted images, by mean and by median."""
    corrupted = comparison["corrupted"]

    def best(key: str) -> str:
        name = max(corrupted, key=lambda name: corrupted[name][key])
        rate, (low, high) = corrupted[name][key], corrupted[name][f"{key}_ci95"]
        return f"{results.titles[name]} ({rate:.1%}, 95% interval {low:.1%} to {high:.1%})"

    kinds = len(results.models[0].robustness) - 1
    return (
        f"On corrupted images the highest mean accuracy over {kinds} corruptions is that of "
        f"{best('mean')}, the highest median that of {best('median')}."
    )


def _and(texts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(texts[:-1]), texts[-1]]))


def _ratio(times: float) -> str:
    return f"1/{times:.0f}" if times >= 1.5 else f"{1 / times:.1f} times"


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
