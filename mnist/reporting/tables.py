"""The report's tables below the leaderboard, each with its description."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mnist.reporting import speed
from mnist.reporting.label_errors import AMBIGUOUS, CORRECTED
from mnist.reporting.leaderboard import UNKNOWN
from mnist.reporting.results import STARTS_FROM, ModelResult, Results

CALIBRATION = (
    "nll_raw", "nll", "brier_raw", "brier", "ece_raw", "ece", "ece_null95", "temperature"
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """Cells as text; `name` is its anchor on the page."""

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    description: str = ""


def make_tables(results: Results, comparison: Mapping[str, Any]) -> dict[str, Table]:
    """Make the tables that there are figures for, by name."""
    tables = [
        differences(results, comparison),
        seeds(results),
        recipes(results),
        hyperparameters(results),
        calibration(results),
        risk_coverage(results, comparison),
        corrupted(results, comparison),
        speeds(results),
        environment(results),
    ]
    if results.is_mnist:
        tables.append(corrected_labels(results, comparison))
    return {table.name: table for table in tables if table.rows}


def headline(results: Results, comparison: Mapping[str, Any]) -> Table:
    """Make the table of the README; on MNIST it has the lab's figures beside ours."""
    rows: list[tuple[str, ...]] = []
    for name in comparison["ranking"]:
        (result,) = (r for r in results.models if r.name == name)
        costs, lab = comparison["cost"][name], result.lab
        rows.append(
            (
                result.title,
                accuracy(result),
                f"{result.runs.f1_macro.mean():.2%}",
                UNKNOWN if lab.accuracy is None else f"{lab.accuracy:.2%}",
                f"{result.runs.mean * len(results.labels):.1f}".removesuffix(".0"),
                f"{costs['parameters']:,}",
                f"{costs['train_tflop']:.3g}",
                _training_time(result, costs["train_seconds"]),
            )
        )
    columns: tuple[str, ...] = ("Model", "Test accuracy", "F1-score", "Lab", "Errors", "Parameters",
               "TFLOP of training", "Training time")  # fmt: skip
    description = (
        "Test accuracy, F1-score and errors: means over n seeds (± standard deviation). "
        "TFLOP: 10¹² floating-point operations."
    )
    if results.is_mnist:
        description += " Lab: the accuracy that the university lab reported."
    else:
        columns, *rows = (row[:3] + row[4:] for row in (columns, *rows))
    titles = results.titles
    for model, first in STARTS_FROM.items():
        if {model, first} <= titles.keys():
            description += (
                f" TFLOP and time of {titles[model]} include those of {titles[first]}, from which "
                "it starts."
            )
    if len({r.timing["cpu"] for r in results.models if r.timing}) > 1:
        description += " The times are from different CPUs, so they do not compare."
    return Table("headline", "Results", columns, rows, description)


def accuracy(result: ModelResult) -> str:
    """Write the mean test accuracy over the seeds, its standard deviation and their number."""
    runs = result.runs
    std = "" if runs.std is None else f" ± {runs.std:.2%}"
    return f"{1 - runs.mean:.2%}{std} (n = {runs.n})"


def differences(results: Results, comparison: Mapping[str, Any]) -> Table:
    """Make the table of all pairs of models."""
    titles = results.titles
    rows = [
        (
            titles[pair["better"]],
            titles[pair["worse"]],
            f"{100 * pair['difference']:.2f}",
            f"{100 * pair['ci95'][0]:.2f} to {100 * pair['ci95'][1]:.2f}",
            f"{pair['p_holm']:.2g}",
            f"{pair['mcnemar']['only_better_correct']} to {pair['mcnemar']['only_worse_correct']}",
            f"{pair['mcnemar']['p_holm']:.2g}",
        )
        for pair in comparison["pairs"]
    ]
    description = (
        "Difference: of the mean test errors, in percentage points, with its 95% interval and "
        "p-value from a bootstrap that draws seeds and test images together (Owen, 2007); "
        "McNemar's exact test compares the committed seeds: how many images only the first, and "
        "only the second model classifies correctly. Both p-values are corrected for the number of "
        "pairs (Holm, 1979); the intervals are of one pair at a time."
    )
    if results.is_mnist:
        description += (
            " Intervals and tests treat the digits as independent. They are not: some 250 people "
            "wrote those of each split, and errors cluster by writer. With the writers of QMNIST "
            "(Yadav & Bottou, 2019) the standard errors of earlier versions of these models came "
            "out 1.2 to 1.4 times as large; `python -m mnist qmnist` measures it."
        )
    return Table(
        "differences",
        "Pairs of models",
        ("Fewer errors", "More errors", "Difference", "95% interval", "p", "Only one correct",
         "p, McNemar"),
        rows,
        description,
    )  # fmt: skip


def seeds(results: Results) -> Table:
    """Make the table of the trainings with several seeds."""
    rows = []
    for r in results.models:
        runs = r.runs
        rows.append(
            (
                r.title,
                str(runs.n),
                _percent(1 - runs.mean),
                _percent(runs.std),
                _percent(1 - runs.errors.max()),
                _percent(1 - runs.errors.min()),
                UNKNOWN if np.isnan(runs.val_accuracy).any()
                else _percent(runs.val_accuracy.mean()),
            )
        )  # fmt: skip
    return Table(
        "seeds",
        "The same recipe with other seeds",
        ("Model", "n", "Test accuracy", "Standard deviation", "Lowest", "Highest", "Validation"),
        rows,
        "Mean test accuracy of n trainings that differ in the seed: other initial weights, another "
        "order and other distortions of the same training images. Validation: the mean accuracy on "
        "the validation images, by which the recipes were chosen.",
    )


def recipes(results: Results) -> Table:
    """Make the table of epochs, losses and times, on MNIST beside the lab's."""

    def pair(ours: str, lab: Any) -> str:
        return f"{ours} ({UNKNOWN if lab is None else lab})" if results.is_mnist else ours

    rows = []
    for r in results.models:
        first, last = r.curve[0]["train_loss"], r.curve[-1]["train_loss"]
        time = None if r.lab.train_seconds is None else f"{r.lab.train_seconds:.0f} s, GPU"
        rows.append(
            (
                r.title,
                pair(f"{r.training['epochs']:.3g}", r.lab.epochs),
                pair(f"{first:.3f}", r.lab.first_loss),
                pair(f"{last:.3f}", r.lab.last_loss),
                pair(_training_time(r, r.timing["train_seconds"] if r.timing else None), time),
            )
        )
    return Table(
        "recipes",
        "Epochs, losses and time",
        ("Model", "Epochs", "First training loss", "Last training loss", "Training time"),
        rows,
        "The training losses are on augmented images and smoothed labels, which keep them from "
        "falling to 0; of a detector it is the sum of its losses."
        + " The time of a model that starts from another trained model is without that one's."
        + (" In brackets: the lab's." if results.is_mnist else ""),
    )


def hyperparameters(results: Results) -> Table:
    """Make the table of the models' sections of params.yaml, a row per key."""
    sections = {r.name: _flatten(r.recipe) for r in results.models}
    keys = dict.fromkeys(key for section in sections.values() for key in section)
    return Table(
        "hyperparameters",
        "Hyperparameters",
        ("Key", *(r.title for r in results.models)),
        [(key, *(section.get(key, "") for section in sections.values())) for key in keys],
        "As in params.yaml, which explains each key.",
    )


def _flatten(section: Mapping[str, Any]) -> dict[str, str]:
    """Write {"scenes": {"side": 64}} as {"scenes.side": "64"}."""
    values: dict[str, str] = {}
    for key, value in section.items():
        if isinstance(value, Mapping):
            values |= {f"{key}.{inner}": text for inner, text in _flatten(value).items()}
        else:
            values[key] = json.dumps(value).strip("[]").replace('"', "")
    return values


def calibration(results: Results) -> Table:
    """Make the table of proper scores and calibration errors, before and after scaling."""
    return Table(
        "calibration",
        "Scores of the probabilities",
        ("Model", "NLL", "NLL scaled", "Brier", "Brier scaled", "ECE", "ECE scaled",
         "ECE by chance", "Temperature"),
        [
            (r.title, *(f"{(r.details | r.metrics)[key]:.4f}" for key in CALIBRATION))
            for r in results.models
        ],
        "NLL: mean negative log-likelihood in nats. Brier: mean squared distance from the "
        "one-hot truth, 0 to 2. ECE: expected calibration error, the mean gap between "
        "confidence and accuracy in bins of equal mass. Scaled: with the logits divided by the "
        "temperature, which is fitted on the validation split; the figures before mostly show the "
        "label smoothing of the training. ECE by chance: 95 of 100 perfectly calibrated models "
        "would have a lower ECE on these images than this. A detector's probabilities are those "
        "of the classes, without the background, in the box that most probably holds an object.",
    )  # fmt: skip


def risk_coverage(results: Results, comparison: Mapping[str, Any]) -> Table:
    """Make the table of the errors left when uncertain images are put aside."""
    points = comparison["risk_coverage"]
    shares = [point["set_aside"] for point in next(iter(points.values()))]
    return Table(
        "risk",
        "Errors that are left",
        ("Model", *("all images" if share == 0 else f"without {share:.1%}" for share in shares)),
        [
            (results.titles[name], *(str(point["errors"]) for point in of_model))
            for name, of_model in points.items()
        ],
        "Errors of the committed seed when the images with the lowest confidence are put aside, "
        "for a person to read.",
    )


def corrupted(results: Results, comparison: Mapping[str, Any]) -> Table:
    """Make the table that summarises the accuracies on corrupted images."""

    def with_interval(of_model: Mapping[str, Any], key: str) -> str:
        low, high = of_model[f"{key}_ci95"]
        return f"{of_model[key]:.1%} ({low:.1%} to {high:.1%})"

    found = comparison["corrupted"]
    return Table(
        "corrupted",
        "Accuracy over all corruptions",
        ("Model", "Mean", "Median", "Mean rank"),
        [
            (
                results.titles[name],
                with_interval(found[name], "mean"),
                with_interval(found[name], "median"),
                f"{found[name]['mean_rank']:.1f}",
            )
            for name in found
        ],
        "With 95% intervals from a bootstrap over the images. A few corruptions that no model "
        "withstands dominate the mean, so the median and the mean rank (1: the best of the models "
        "on a corruption) stand beside it.",
    )


def corrected_labels(results: Results, comparison: Mapping[str, Any]) -> Table:
    """Make the table of the errors on MNIST's labels as published and as corrected."""
    found = comparison["corrected_labels"]
    close = sum(votes.other - votes.published == 1 for votes in CORRECTED.values())
    published = {r.name: r.metrics["errors"] for r in results.models}
    if "ensemble" in comparison:
        published["ensemble"] = comparison["ensemble"]["errors"]
    return Table(
        "corrected",
        "Labels as published and as corrected",
        ("Model", "Errors, as published", "Errors, as corrected"),
        [
            (results.titles[name], str(published[name]), str(errors))
            for name, errors in found["errors"].items()
        ],
        f"As corrected: on {found['images']:,} test digits. Five people each looked at the "
        f"doubtful ones (Northcutt et al., 2021). In {len(CORRECTED)} most of them saw another "
        f"digit than the label, in {close} of these by 3 votes to 2; these are corrected. "
        f"{len(AMBIGUOUS)} have no majority and are left out.",
    )


def speeds(results: Results) -> Table:
    """Make the table of metrics/benchmark.json."""
    benchmark, machine = results.benchmark, results.benchmark.get("machine")
    return Table(
        "speed",
        "Speed",
        speed.COLUMNS,
        [speed.row(r.name, benchmark[r.name]) for r in results.models if r.name in benchmark],
        "Medians of several rounds on one machine, in which the models took turns. Baseline: the "
        "same network on torchvision's data set and transforms with a DataLoader's defaults; "
        "Faster R-CNN has none. GFLOP/s: billions of floating-point operations of the training "
        "per second."
        + (" On {processor}, with {threads} threads, PyTorch {torch} and Python {python} under "
           "{system}.".format(**machine) if machine else ""),
    )  # fmt: skip


def environment(results: Results) -> Table:
    """Make the table of where the committed models were trained."""
    return Table(
        "environment",
        "The committed trainings",
        ("Model", "MD5 of the weights", "Device", "CPU", "Threads", "Portable", "PyTorch",
         "Peak memory"),
        [
            (
                r.title,
                r.examples["weights_md5"][:16],
                r.timing["device"],
                r.timing["cpu"],
                str(r.timing["threads"]),
                "yes" if r.timing["portable"] else "no",
                r.timing["torch"],
                f"{r.timing['peak_memory_mb']:,.0f} MB",
            )
            for r in results.models
            if r.timing
        ],
        "MD5: the first 16 characters of the hash that dvc.lock names. Portable: with the "
        "same bits on every x86-64 CPU with AVX2.",
    )  # fmt: skip


def _training_time(result: ModelResult, seconds: float | None) -> str:
    if result.timing is None or seconds is None:
        return "not measured"
    device, threads = result.timing["device"], result.timing["threads"]
    where = f"{threads} CPU thread{'s' * (threads > 1)}" if device == "cpu" else device.upper()
    if (processes := result.timing["world_size"]) > 1:
        where = f"{processes} processes of {where}"
    return f"{seconds:.0f} s, {where}"


def _percent(rate: float | None) -> str:
    return UNKNOWN if rate is None else f"{rate:.2%}"
