"""What the comparison found, in sentences made from its figures.

Each function writes a section of the report: first its heading, then what the tables do not say.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mnist.reporting.label_errors import AMBIGUOUS, CORRECTED
from mnist.reporting.results import STARTS_FROM, Results

SIGNIFICANT = 0.05
PARTS = ("half", "a third", "a quarter", "a fifth", "a sixth", "a seventh",
         "an eighth", "a ninth", "a tenth")  # fmt: skip
Comparison = Mapping[str, Any]


def verdict(results: Results, comparison: Comparison) -> dict[str, list[str]]:
    """Write all sections that there are figures for."""
    sections = {"best": best, "differences": differences, "cost": cost, "failures": failures,
                "confidence": confidence, "unlike": unlike, "detector": detector}  # fmt: skip
    written = {name: write(results, comparison) for name, write in sections.items()}
    return {name: sentences for name, sentences in written.items() if sentences}


def title(results: Results, comparison: Comparison) -> str:
    """Name the models that lead, and what the cheapest of them saves."""
    leaders, titles, data = comparison["leaders"], results.titles, results.data
    rates = [percent(comparison["seeds"][name]["mean_error"]) for name in leaders]
    names = _and([titles[name] for name in leaders])
    if len(titles) == 1:
        return f"{names} on {data}: an error of {rates[0]}"
    if len(leaders) == 1:
        cheapest, _, part = _cheapest(comparison, [*leaders, *comparison["ranking"]])
        text = f"{names} makes the fewest errors on {data} ({rates[0]})"
        if cheapest in leaders:
            return f"{text} with the least arithmetic"
        return f"{text}; {titles[cheapest]} needs {part} of its arithmetic"
    cheapest, _, part = _cheapest(comparison, leaders)
    if len(leaders) == len(titles):
        text = f"No model is shown to be best on {data} ({rates[0]} to {rates[-1]} errors)"
    else:
        shown = f"{_and(rates)}, no difference shown"
        text = f"{names} make the fewest errors on {data} ({shown})"
    needs = f"{part} of the arithmetic" if len(leaders) == 2 else "the least arithmetic of these"
    return f"{text}; {titles[cheapest]} needs {needs}"


def best(results: Results, comparison: Comparison) -> list[str]:
    """Say which model has the lowest error, and compare it with ensembles and the lab."""
    name, titles = comparison["ranking"][0], results.titles
    seeds, units = comparison["seeds"][name], f"{comparison['units']:,} {comparison['unit']}"
    low, high = map(percent, seeds["ci95"])
    has = "has the lowest error," if len(titles) > 1 else "has an error of"
    over = f"mean of {seeds['n']} trainings; 95% interval over trainings and {units}"
    if seeds["n"] == 1:
        over = f"one training; 95% interval over {units}"
    rate = percent(seeds["mean_error"])
    sentences = [f"{titles[name]} {has} {rate} ({over} {low} to {high})."]
    if single := [r.title for r in results.models if r.runs.n == 1]:
        sentences.append(f"What another training of {_and(single)} would change is not known.")
    if comparison["unit"] == "images":
        sentences.append("If somebody wrote several of the images, intervals are too narrow.")
    votes = dict(comparison["ensembles"])
    mixed = votes.pop("models", None)
    made = [f"{mixed['errors']} errors of one training of each model"] if mixed else []
    if votes:
        fewest = min(votes, key=lambda name: votes[name]["errors"])
        of = votes[fewest]
        made.append(f"{of['errors']} errors of {of['voters']} trainings of {titles[fewest]}")
    if made:
        sentences.append(f"Majority votes, with ties as errors, make {_and(made)}.")
    return sentences + _lab(results, comparison)


def _lab(results: Results, comparison: Comparison) -> list[str]:
    groups: dict[str, list[str]] = {}
    for name, of in comparison.get("lab", {}).items():
        fewer = "fewer" if of["errors"] < of["lab_errors"] else "more"
        said = "no difference is shown for {}"
        if of["p_holm"][0] < SIGNIFICANT:
            said = f"{fewer} errors are shown for {{}} only if enough of them are common"
        if of["p_holm"][1] < SIGNIFICANT:
            said = f"{fewer} errors are shown for {{}}"
        low, high = map(p_text, of["p_holm"])
        p = high if low == high else f"{low} to {high}"
        text = f"{results.titles[name]} ({of['errors']} against {of['lab_errors']}, {p})"
        groups.setdefault(said, []).append(text)
    texts = [said.format(_and(names)) for said, names in groups.items()]
    test = "McNemar's test, Holm's correction; which errors are common is not known"
    return [f"Compared with the lab's one training: {'; '.join(texts)} ({test})."] if texts else []


def differences(results: Results, comparison: Comparison) -> list[str]:
    """Say which differences between the models are shown."""
    pairs, titles = comparison["pairs"], results.titles
    found: dict[str, list[str]] = {}
    for pair in filter(is_shown, pairs):
        found.setdefault(pair["better"], []).append(titles[pair["worse"]])
    better = [f"{titles[name]} is better than {_and(worse)}" for name, worse in found.items()]
    count = sum(map(len, found.values()))
    heading = f"{count} of {len(pairs)} differences are shown: {'; '.join(better)}."
    test = (
        f"Shown: significant at 5%, tested over {comparison['unit']} and trainings with Holm's "
        f"correction for {len(pairs)} tests. Others may be there all the same."
    )
    if not pairs:
        return []
    return [heading if found else "No difference between the models is shown.", test]


def cost(results: Results, comparison: Comparison) -> list[str]:
    """Say which training is the cheapest, and what is not counted."""
    costs, titles = comparison["cost"], results.titles
    cheapest, other, part = _cheapest(comparison, comparison["ranking"])
    heading = f"{titles[cheapest]} takes {costs[cheapest]['train_tflop']:.3g} TFLOP to train"
    if other:
        heading += f", the least and {part} of {titles[other]}'s"
    started = [f"the training of {titles[b]} that {titles[a]} starts from"
               for a, b in STARTS_FROM.items() if {a, b} <= set(titles)]  # fmt: skip
    pretrained = [r.title for r in results.models if r.recipe.get("weights") == "imagenet"]
    without = ["the search for the settings"]
    without += [f"the pre-training of {_and(pretrained)} on ImageNet"] if pretrained else []
    counted = f"Counted is {started[0]}. " if started else ""
    return [f"{heading}.", f"{counted}Not counted: {_and(without)}."]


def failures(results: Results, comparison: Comparison) -> list[str]:
    """Say how many images are misclassified, who wrote them, and what people see in them."""
    missed, best = comparison["missed"], comparison["ranking"][0]
    images, name = missed["in_all_trainings"], results.titles[best]
    by_all = f" by at least one model, {missed['by_all']:.1f} by all" * (len(results.models) > 1)
    sentences = [f"{missed['by_any']:.0f} images are misclassified{by_all}."]
    if missed["trainings"] > len(results.models):
        sentences.append(
            "Mean over the choices of one training of each model; all "
            f"{missed['trainings']} trainings misclassify {len(images)}."
        )
    if "groups" in comparison:
        students, employees = (
            percent(comparison["groups"][group]["models"][best]["mean_error"])
            for group in ("students", "employees")
        )
        of = comparison["writers"]
        sentences += [
            f"{name} misclassifies {students} of the students' digits, {employees} of the census "
            "employees'.",
            f"{of['worst']} of {of['count']} writers make {of['share']:.0%} of the models' errors, "
            f"{of['without_errors']} make none.",
        ]
    if "corrected_labels" in comparison:
        corrected = comparison["corrected_labels"]
        before = comparison["seeds"][best]["mean_error"] * len(results.labels)
        sentences.append(
            f"Of five people each most reject {len(CORRECTED)} labels and disagree on "
            f"{len(AMBIGUOUS)} (Northcutt et al., 2021). With those corrected and without these "
            f"{name} makes {corrected['errors'][best]:.1f} errors instead of {before:.1f}. "
            f"Of the {len(images)} images, all trainings read {len(corrected['read_by_all'])} as "
            "people do."
        )
    return sentences


def confidence(results: Results, comparison: Comparison) -> list[str]:
    """Say whose confidence is off by more than chance, and what setting images aside saves."""
    found = comparison["calibration"]
    off = [r.title for r in results.models if is_shown(found[r.name])]
    best = next(r for r in results.models if r.name == comparison["ranking"][0])
    left = f"{comparison['set_aside'][best.name]} of its {best.metrics['errors']} errors are left"
    heading = f"The confidence of {_and(off)} is off by more than chance" if off else (
        "No model's confidence is shown to be off"
    )  # fmt: skip
    return [
        f"{heading} (committed seed).",
        f"Without the 2% of images that {best.title} is least sure of, {left} (committed seed).",
    ]


def unlike(results: Results, comparison: Comparison) -> list[str]:
    """Say which models read corrupted images best, and where they differ most."""
    models, leaders = comparison["corrupted"]["models"], comparison["corrupted"]["leaders"]
    names = [results.titles[name] for name in leaders]
    once = ", by one training each" * any(of["n"] == 1 for of in models.values())
    if len(models) == 1:
        error = f"{models[leaders[0]]['mean_error']:.1%}"
        return [f"{names[0]} misclassifies {error} of corrupted images{once}."]
    spread = {
        kind: float(np.ptp([r.robustness[kind].mean() for r in results.models]))
        for kind in results.models[0].robustness
    }
    kinds = [f"{kind.replace('_', ' ')} ({spread[kind]:.0%})"
             for kind in sorted(spread, key=lambda kind: -spread[kind])[:2]]  # fmt: skip
    read = "reads corrupted images best" if len(names) == 1 else "read corrupted images best"
    unsure = ", no difference shown" * (len(names) > 1)
    return [
        f"{_and(names)} {read}{once}{unsure}.",
        f"The best and the worst model differ most on {_and(kinds)} (committed seed).",
    ]


def detector(results: Results, comparison: Comparison) -> list[str]:
    """Say what the detectors find."""
    return [
        f"{results.titles[name]} finds {of['recall']:.1%} of the objects in {of['scenes']:,} "
        f"scenes, and {of['precision']:.1%} of its boxes are right (committed seed, overlaps of "
        f"0.5). Its mean average precision is {of['map']:.3f} "
        + (f"(mean of {of['n']} trainings)." if of["n"] > 1 else "(committed seed).")
        for name, of in comparison.get("detectors", {}).items()
    ]


def is_shown(tested: Mapping[str, Any]) -> bool:
    """Whether the result of a test is significant, corrected for the number of tests."""
    return tested["p_holm"] < SIGNIFICANT


def percent(rate: float) -> str:
    return f"{rate:.2%}"


def p_text(p: float) -> str:
    """Write a p-value; none is 0."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2g}"


def _cheapest(comparison: Comparison, names: Sequence[str]) -> tuple[str, str, str]:
    """Return the model whose training costs least, the first other one ("": there is none), and
    what part of its arithmetic that is, in words.
    """
    tflop = {name: comparison["cost"][name]["train_tflop"] for name in names}
    cheapest = min(tflop, key=lambda name: tflop[name])
    other = next((name for name in tflop if name != cheapest), "")
    times = tflop[other] / tflop[cheapest] if other else 1.0
    if times < 1.5:
        return cheapest, other, f"{1 / times:.0%}"
    return cheapest, other, PARTS[round(times) - 2] if times < 10.5 else f"1/{times:.0f}"


def _and(texts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(texts[:-1]), texts[-1]]))
