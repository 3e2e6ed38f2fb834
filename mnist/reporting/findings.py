"""What the comparison found, in sentences made from its figures.

Each function writes a section of the report: first its heading, then what the tables do not say.
"""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from mnist.reporting.label_errors import AMBIGUOUS, CORRECTED
from mnist.reporting.results import Results
from mnist.seed_files import STARTS_FROM

SIGNIFICANT = 0.05
Comparison = Mapping[str, Any]


def verdict(results: Results, comparison: Comparison) -> dict[str, list[str]]:
    """Write all sections that there are figures for."""
    sections = (best, digits, differences, cost, failures, confidence, unlike, detector, training)
    written = {write.__name__: write(results, comparison) for write in sections}
    return {name: sentences for name, sentences in written.items() if sentences}


def title(results: Results, comparison: Comparison) -> str:
    """Name the models that lead, and what the cheapest of them saves."""
    leaders, titles, data = comparison["leaders"], results.titles, results.data
    rates = [percent(comparison["seeds"][name]["mean_error"]) for name in leaders]
    names = _and([titles[name] for name in leaders])
    if len(titles) == 1:
        return f"{names} on {data}: an error of {rates[0]}"
    text = f"{names} makes the fewest errors on {data} ({rates[0]})"
    if len(leaders) == len(titles):
        text = f"No model is shown to be best on {data} ({rates[0]} to {rates[-1]} errors)"
    elif len(leaders) > 1:
        text = f"{names} make the fewest errors on {data} ({_and(rates)}, no difference shown)"
    compared = leaders if len(leaders) > 1 else comparison["ranking"]
    cheapest, other, part = _cheapest(comparison, compared)
    return f"{text}; {titles[cheapest]} needs {part} of the arithmetic of {titles[other]}"


def best(results: Results, comparison: Comparison) -> list[str]:
    """Name the models that lead, and compare them with ensembles and the lab."""
    titles, sentences = results.titles, [f"{title(results, comparison)}."]
    sentences += digits(results, comparison)[:1]
    sentences += _single(results, comparison["seeds"])
    if comparison["unit"] == "images":
        sentences.append("If somebody wrote several of the images, intervals are too narrow.")
    votes = []
    for name, of in comparison["ensembles"].items():
        voters = f"trainings of {titles[name]}" if name in titles else "models"
        votes.append(f"{of['errors']} by {of['voters']} {voters}")
    if votes:
        sentences.append(f"Errors of majority votes, where a tie is one: {_and(votes)}.")
    return sentences + _lab(results, comparison)


def _lab(results: Results, comparison: Comparison) -> list[str]:
    texts = []
    for name, of in comparison.get("lab", {}).items():
        p = " to ".join(dict.fromkeys(map(p_text, of["p_holm"])))
        texts.append(f"{results.titles[name]} {of['errors']} against {of['lab_errors']} ({p})")
    if not texts:
        return []
    return [
        f"Errors against those of the lab's one training: {_and(texts)}.",
        "McNemar's test, Holm's correction; p is a range by how many errors may be common.",
    ]


def differences(results: Results, comparison: Comparison) -> list[str]:
    """Say which differences between the models are shown."""
    pairs, titles = comparison["pairs"], results.titles
    if not pairs:
        return []
    found: dict[str, list[str]] = {}
    for pair in filter(is_shown, pairs):
        found.setdefault(pair["better"], []).append(titles[pair["worse"]])
    heading = "No difference between the models is shown."
    if found:
        better = [f"{titles[name]} is better than {_and(worse)}" for name, worse in found.items()]
        count = sum(map(len, found.values()))
        heading = f"{count} of {len(pairs)} differences are shown: {'; '.join(better)}."
    return [
        heading,
        f"Shown: significant at 5%, tested over {comparison['units']:,} {sample(comparison)} with "
        f"Holm's correction for {len(pairs)} tests. Others may be there all the same.",
    ]


def cost(results: Results, comparison: Comparison) -> list[str]:
    """Say which training is the cheapest, and what is not counted."""
    costs, titles = comparison["cost"], results.titles
    cheapest, other, part = _cheapest(comparison, comparison["ranking"])
    heading = f"{titles[cheapest]} takes {costs[cheapest]['train_tflop']:.3g} TFLOP to train"
    if other:
        heading += f", {part} of what {titles[other]} takes"
    pretrained = [r.title for r in results.models if r.recipe.get("weights") == "imagenet"]
    without = ["the search for the settings"]
    without += [f"the pre-training of {_and(pretrained)} on ImageNet"] if pretrained else []
    return [*digits(results, comparison), f"{heading}.", f"Not counted: {_and(without)}."]


def digits(results: Results, comparison: Comparison) -> list[str]:
    """Name the best models on each number of training images, and say where pre-training helps.

    Numbers on which some models were not trained are left out. One model beats another where each
    of its trainings makes fewer errors.
    """
    titles, trained = results.titles, comparison["scaling"]["images"]
    errors = {name: {of["images"]: of["errors"] for of in trained[name]} for name in trained}
    *fewer, every = sorted(set.intersection(*map(set, errors.values())))
    if not fewer:
        return []

    def beats(better: Sequence[str], worse: str, size: int) -> bool:
        return max(max(errors[name][size]) for name in better) < min(errors[worse][size])

    best: list[str] = []
    for size in fewer:
        rates = {name: mean(of[size]) for name, of in errors.items()}
        ranked = sorted(rates, key=lambda name: rates[name])
        near = [name for name in ranked if not beats(ranked[:1], name, size)]
        names, shares = _and([titles[n] for n in near]), [f"{100 * rates[n]:.2g}%" for n in near]
        images = "" if best else " training images"
        best.append(f"on {size:,}{images}: {names} ({_and(shares)})")
    best.append(f"on all {every:,}: {_and([titles[name] for name in comparison['leaders']])}")
    n = min(len(of[size]) for of in errors.values() for size in (*fewer, every))
    by = f"at least {n} seeds each"
    if n == 1:
        by = "some of one seed, which chance may have put in order"
    sentences = [f"Fewest errors {'; '.join(best)} ({by})."]
    tuned = [r.name for r in results.models if r.recipe.get("weights") == "imagenet"]
    others = [name for name in comparison["ranking"] if name not in (*tuned, *STARTS_FROM)]
    for better, worse in filter(all, ((tuned, others), (others[:1], others[1:]))):
        where = []
        for other in worse:
            sizes = [f"{size:,}" for size in (*fewer, every) if beats(better, other, size)]
            where.append(f"{titles[other]} {f'on {_and(sizes)} images' if sizes else 'nowhere'}")
        names = _and([titles[name] for name in better])
        weights = " from ImageNet weights" * (better == tuned)
        sentences.append(
            f"Where each training of {names}{weights} makes fewer errors than any of another "
            f"model: {'; '.join(where)}."
        )
    return sentences


def failures(results: Results, comparison: Comparison) -> list[str]:
    """Say how many images are misclassified, who wrote them, and what people see in them."""
    missed, best = comparison["missed"], comparison["ranking"][0]
    by_all = f" by at least one model, {missed['by_all']:.1f} by all" * (len(results.models) > 1)
    sentences = [
        f"{missed['by_any']:.0f} images are misclassified{by_all}.",
        "Mean over the choices of one training of each model.",
    ]
    if "writers" in comparison:
        sentences.append(
            "{worst} of {count} writers make {share:.0%} of the models' errors, {without_errors} "
            "make none.".format(**comparison["writers"])
        )
    if "corrected_labels" in comparison:
        before = comparison["seeds"][best]["mean_error"] * len(results.labels)
        sentences.append(
            f"Of five people each most reject {len(CORRECTED)} labels and disagree on "
            f"{len(AMBIGUOUS)} (Northcutt et al., 2021). With those corrected and without these "
            f"{results.titles[best]} makes {comparison['corrected_labels'][best]:.1f} errors "
            f"instead of {before:.1f}."
        )
    return sentences


def confidence(results: Results, comparison: Comparison) -> list[str]:
    """Say whose confidence is off by more than chance."""
    off = [r.title for r in results.models if is_shown(comparison["calibration"][r.name])]
    if not off:
        return ["No model's confidence is shown to be off (committed seed)."]
    return [f"The confidence of {_and(off)} is off by more than chance (committed seed)."]


def unlike(results: Results, comparison: Comparison) -> list[str]:
    """Say which models read corrupted images best."""
    models, leaders = comparison["corrupted"]["models"], comparison["corrupted"]["leaders"]
    names = _and([results.titles[name] for name in leaders])
    errors = _and([f"{models[name]['mean_error']:.1%}" for name in leaders])
    unsure = ", no difference shown" * (len(leaders) > 1)
    heading = f"The lowest mean error on corrupted images is that of {names} ({errors}{unsure})."
    return [heading, *_single(results, models)]


def detector(results: Results, comparison: Comparison) -> list[str]:
    """Say what the detectors find."""
    return [
        sentence
        for name, of in comparison["detectors"].items()
        for sentence in (
            f"{results.titles[name]} finds {of['recall']:.1%} of the objects in {of['scenes']:,} "
            f"scenes, and {of['precision']:.1%} of its boxes are right.",
            "Committed seed, overlaps of 0.5. The mean average precision is "
            f"{of['map']:.3f} (trainings: {of['n']}).",
        )
    ]


def training(results: Results, comparison: Comparison) -> list[str]:
    """Say what the settings of the models have in common."""
    return [
        "Each model has a recipe of its own, chosen on validation images.",
        "Each recipe has its own number of epochs: costs compare recipes, not architectures.",
    ]


def is_shown(tested: Mapping[str, Any]) -> bool:
    """Whether the result of a test is significant, corrected for the number of tests."""
    return tested["p_holm"] < SIGNIFICANT


def sample(comparison: Comparison) -> str:
    """Say over what differences are tested; a single training of each model tells nothing."""
    several = any(of["n"] > 1 for of in comparison["seeds"].values())
    return comparison["unit"] + (" and trainings" if several else " (one training each)")


def percent(rate: float) -> str:
    return f"{rate:.2%}"


def p_text(p: float) -> str:
    """Write a p-value; none is 0."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2g}"


def _single(results: Results, rates: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Name the models of which a figure is of one training."""
    single = [results.titles[name] for name, of in rates.items() if of["n"] == 1]
    return [f"What another training of {_and(single)} would change is not known."] if single else []


def _cheapest(comparison: Comparison, names: Sequence[str]) -> tuple[str, str, str]:
    """Return the model whose training costs least, the first other one ("": there is none), and
    what part of its arithmetic that is.
    """
    tflop = {name: comparison["cost"][name]["train_tflop"] for name in names}
    cheapest = min(tflop, key=lambda name: tflop[name])
    other = next((name for name in tflop if name != cheapest), "")
    return cheapest, other, f"{tflop[cheapest] / tflop[other]:.0%}" if other else ""


def _and(texts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(texts[:-1]), texts[-1]]))
