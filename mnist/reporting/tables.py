"""The report's tables below the headline, each with what is said under it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnist.reporting import speed
from mnist.reporting.results import ModelResult

Rows = list[tuple[str, ...]]
UNKNOWN = "-"


@dataclass(frozen=True)
class Table:
    """Cells as text; `name` is its anchor on the page."""

    name: str
    heading: str
    columns: tuple[str, ...]
    rows: Rows
    description: str


def make_tables(results: Sequence[ModelResult], comparison: Mapping[str, Any]) -> list[Table]:
    """Those that there are figures for."""
    titles = {r.name: r.title for r in results} | {"ensemble": "All together"}
    tables = [
        Table(
            "seeds",
            "How much is luck",
            ("Model", "Seeds", "Mean", "Standard deviation", "Lowest", "Highest"),
            [_spread(titles[name], spread) for name, spread in comparison["seeds"].items()],
            "Test accuracy of the same recipe, trained from several seeds: other initial weights, "
            "another order and other distortions of the same training images. The rest of the "
            "report is of one seed.",
        ),
        Table(
            "price",
            "What a model costs",
            (
                "Model",
                "Parameters",
                "MFLOP an image",
                "File",
                "Training",
                "Peak memory",
            ),
            [_cost(result) for result in results],
            "Parameters and file: to keep it. MFLOP: millions of additions and multiplications to "
            "classify one digit. Training: time, and the most memory that the process took.",
        ),
        Table(
            "speed",
            "How fast a model is",
            speed.COLUMNS,
            [speed.row(r.title, r.benchmark) for r in results if r.benchmark],
            "Measured in turns on one machine, medians. Share of sgemm: arithmetic in training "
            "against that of large matrix products. The plain recipe: the same network on "
            "torchvision's data set, PIL's transforms and a DataLoader with its defaults (of "
            "Faster R-CNN: torchvision's own, larger second stage). Last, the time to answer.",
        ),
        Table(
            "calibration",
            "How sure the models are",
            ("Model", "NLL", "Brier", "ECE", "Temperature", "ECE calibrated"),
            [_calibration(result) for result in results],
            "NLL: mean negative log-likelihood in nats. Brier: mean squared distance from the "
            "truth, 0 to 2. ECE: mean gap between confidence and accuracy, before and after "
            "dividing the logits by the temperature fitted on the validation split. The "
            "probabilities of a detector are those of the ten digits, without the background, in "
            "the box that most probably holds one; 0.1 each where nothing was found.",
        ),
        Table(
            "differences",
            "Which differences are real",
            ("Fewer errors", "More errors", "Only the first right", "Only the second right", "p",
             "p, corrected"),
            [_pair(pair, titles) for pair in comparison["mcnemar"]],
            "Exact McNemar test of each pair on the same test digits, with Holm's correction for "
            "the number of pairs. Below 0.05 a difference is more than chance, as far as these "
            "test digits go; another seed of the same model may come out differently.",
        ),
    ]  # fmt: skip
    if "corrected_labels" in comparison:  # the digits are MNIST's
        tables.append(
            Table(
                "strangers",
                "Other people's handwriting",
                ("Model", "Accuracy"),
                [(r.title, f"{r.quality['other_handwriting']['accuracy']:.2%}") for r in results],
                f"On {results[0].quality['other_handwriting']['digits']:,} digits that are not "
                "MNIST's, by 13 people: the UCI digits that ship with scikit-learn, 8x8 grey "
                "values, prepared like a picture of one's own. Nothing was tuned on them.",
            )
        )
        corrected = comparison["corrected_labels"]
        tables.append(
            Table(
                "corrected",
                "With corrected labels",
                ("Model", "Accuracy"),
                [(titles[name], f"{rate:.2%}") for name, rate in corrected["accuracy"].items()],
                f"On {corrected['digits']} test digits: of MNIST's 10,000, ten carry a label that "
                "people clearly read otherwise (put right here) and five can be read in two ways "
                "(left out).",
            )
        )
    machine = results[0].machine
    tables.append(
        Table(
            "environment",
            "Where it was trained",
            ("Model", "Device", "Threads", "PyTorch", "Matrix products"),
            [_environment(result) for result in results if result.timing],
            "Matrix products: float32 GFLOP/s of large ones, measured just before each training; "
            "on a shared machine they swing. Training is to be held against them."
            + (f" {_on(machine)}" if machine else ""),
        )
    )
    return [table for table in tables if table.rows]


def _spread(title: str, spread: Mapping[str, Any]) -> tuple[str, ...]:
    std = UNKNOWN if spread["std"] is None else f"{spread['std']:.2%}"
    mean, lowest, highest = (f"{spread[key]:.2%}" for key in ("mean", "lowest", "highest"))
    return (title, str(spread["seeds"]), mean, std, lowest, highest)


def _cost(result: ModelResult) -> tuple[str, ...]:
    quality, timing = result.quality, result.timing
    return (
        result.title,
        f"{quality['parameters']:,}",
        f"{quality['flops'] / 1e6:.1f}",
        f"{quality['file_bytes'] / 1e6:.1f} MB",
        f"{timing['train_seconds']:.0f} s" if timing else UNKNOWN,
        f"{timing['peak_memory_mb']:,.0f} MB" if timing else UNKNOWN,
    )


def _calibration(result: ModelResult) -> tuple[str, ...]:
    keys = ("nll", "brier", "ece", "temperature", "ece_calibrated")
    return (result.title, *(f"{result.quality[key]:.4f}" for key in keys))


def _pair(pair: Mapping[str, Any], titles: Mapping[str, str]) -> tuple[str, ...]:
    return (
        titles[pair["better"]],
        titles[pair["worse"]],
        str(pair["only_better_right"]),
        str(pair["only_worse_right"]),
        f"{pair['p']:.2g}",
        f"{pair['p_holm']:.2g}",
    )


def _environment(result: ModelResult) -> tuple[str, ...]:
    timing = result.timing or {}
    speed = f"{timing['sgemm_gflops']:.0f} GFLOP/s"
    return (result.title, timing["device"], str(timing["threads"]), timing["torch"], speed)


def _on(machine: Mapping[str, Any]) -> str:
    return (
        f"Speed was measured on {machine['processor']}, with {machine['threads']} threads, "
        f"PyTorch {machine['torch']} and Python {machine['python']} under {machine['system']}."
    )
