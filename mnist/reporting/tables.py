"""The report's tables, each with its description."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnist.reporting import speed
from mnist.reporting.results import ModelResult, Results

UNKNOWN = "-"
CALIBRATION = (
    "nll_raw", "nll", "brier_raw", "brier", "ece_raw", "ece", "ece_null95", "temperature"
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """Cells as text; `name` is its anchor on the page."""

    name: str
    heading: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    description: str = ""


def headline(results: Results) -> Table:
    """Make the first table; on MNIST it has the lab's figures beside ours."""

    def pair(ours: str, lab: float | None, form: str) -> str:
        if not results.is_mnist:
            return ours
        return f"{ours} (lab {UNKNOWN if lab is None else form.format(lab)})"

    rows = [
        (
            result.title,
            pair(f"{result.metrics['accuracy']:.2%}", result.lab.accuracy, "{:.2%}"),
            pair(f"{result.metrics['f1_macro']:.2%}", result.lab.accuracy, "{:.2%}"),
            pair(_training_time(result), result.lab.train_seconds, "{:.0f} s, GPU"),
            _notes(result, results.is_mnist),
        )
        for result in results.models
    ]
    columns = ("Model", "Accuracy", "F1-score", "Training time", "Notes")
    return Table("results", "Results", columns, rows)


def make_tables(results: Results, comparison: Mapping[str, Any]) -> list[Table]:
    """Make the tables below the headline that there are figures for."""
    models, titles = results.models, results.titles
    machine, benchmark = results.benchmark.get("machine"), results.benchmark
    tables = [
        Table(
            "seeds",
            "Variation between seeds",
            ("Model", "n", "Mean", "Standard deviation", "Lowest", "Highest"),
            [
                (titles[name], str(spread.n), *map(_percent, (spread.mean, spread.std,
                 spread.lowest, spread.highest)))
                for name, spread in results.spreads.items()
            ],
            "Test accuracy of the same recipe, trained with n seeds: other initial weights, "
            "another order and other distortions of the same training images. The rest of the "
            "report is of one seed.",
        ),
        Table(
            "price",
            "Cost of a model",
            ("Model", "Parameters", "MFLOP per image", "File", "Training", "Peak memory"),
            [_cost(result) for result in models],
            "MFLOP: millions of additions and multiplications to classify one image. Training: "
            "time, and peak memory of the process.",
        ),
        Table(
            "speed",
            "Speed",
            speed.COLUMNS,
            [speed.row(r.name, benchmark[r.name]) for r in models if r.name in benchmark],
            "Medians of several rounds on one machine, in which the models took turns. Fraction of "
            "sgemm: arithmetic per second of the training, relative to that of large matrix "
            "products. Baseline: the same network on torchvision's data set and transforms with a "
            "DataLoader's defaults (of Faster R-CNN: torchvision's own, with larger heads)."
            + (" On {processor}, with {threads} threads, PyTorch {torch} and Python {python} under "
               "{system}.".format(**machine) if machine else ""),
        ),
        Table(
            "calibration",
            "Calibration",
            ("Model", "NLL", "NLL scaled", "Brier", "Brier scaled", "ECE", "ECE scaled",
             "ECE by chance", "Temperature"),
            [
                (r.title, *(f"{(r.details | r.metrics)[key]:.4f}" for key in CALIBRATION))
                for r in models
            ],
            "NLL: mean negative log-likelihood in nats. Brier: mean squared distance from the "
            "one-hot truth, 0 to 2. ECE: expected calibration error, the mean gap between "
            "confidence and accuracy. Scaled: with the logits divided by the temperature, which "
            "is fitted on the validation split. ECE by chance: 95 of 100 perfectly calibrated "
            "models would have a lower ECE on these images than this. A detector's probabilities "
            "are those of the classes, without the background, in the box that most probably "
            "holds an object; they are equal where it found nothing.",
        ),
        Table(
            "differences",
            "Significance of the differences",
            ("Fewer errors", "More errors", "Only the first correct", "Only the second correct",
             "p", "p, corrected"),
            [
                (titles[pair["better"]], titles[pair["worse"]], str(pair["only_better_correct"]),
                 str(pair["only_worse_correct"]), f"{pair['p']:.2g}", f"{pair['p_holm']:.2g}")
                for pair in comparison["mcnemar"]
            ],
            "Exact McNemar test of each pair on the same test images, with Holm's correction for "
            "the number of pairs. A difference with p below 0.05 is more than chance as far as "
            "these test images go; another seed of the same model may come out differently.",
        ),
    ]  # fmt: skip
    if results.is_mnist:
        uci = models[0].details["uci_digits"]
        corrected = comparison["corrected_labels"]
        tables += [
            Table(
                "uci",
                "Handwriting of other people",
                ("Model", "Accuracy"),
                [(r.title, _percent(r.details["uci_digits"]["accuracy"])) for r in models],
                f"On {uci['digits']:,} digits that are not MNIST's, by 13 people: the UCI digits "
                "that come with scikit-learn, 8x8 grey values, enlarged and cut out like a "
                "digit of a user's picture. Nothing was tuned on them.",
            ),
            Table(
                "corrected",
                "Corrected labels",
                ("Model", "Accuracy"),
                [(titles[name], _percent(rate)) for name, rate in corrected["accuracy"].items()],
                f"On {corrected['images']:,} test digits: of MNIST's 10,000, ten have a wrong "
                "label (corrected here) and five are ambiguous (left out).",
            ),
        ]
    tables.append(
        Table(
            "environment",
            "Training environment",
            ("Model", "Device", "CPU", "Threads", "Portable", "PyTorch"),
            [
                (
                    r.title,
                    r.timing["device"],
                    r.timing["cpu"],
                    str(r.timing["threads"]),
                    "yes" if r.timing["portable"] else "no",
                    r.timing["torch"],
                )
                for r in models
                if r.timing
            ],
            "Portable: with the same bits on every x86-64 CPU with AVX2.",
        )
    )
    return [table for table in tables if table.rows]


def _training_time(result: ModelResult) -> str:
    if result.timing is None:
        return "not measured"
    device, threads = result.timing["device"], result.timing["threads"]
    where = f"{threads} CPU thread{'s' * (threads > 1)}" if device == "cpu" else device.upper()
    if (processes := result.timing["world_size"]) > 1:
        where = f"{processes} processes of {where}"
    return f"{result.timing['train_seconds']:.0f} s, {where}"


def _notes(result: ModelResult, with_lab: bool) -> str:
    metrics, lab = result.metrics, result.lab
    lab_epochs = f" (lab {lab.epochs})" if with_lab and lab.epochs else ""
    epochs = f"{result.training['epochs']:.3g}"
    notes = [
        f"{metrics['errors']} errors",
        f"{epochs} epoch{'' if epochs == '1' else 's'}{lab_epochs}",
        f"{result.details['parameters']:,} parameters",
        f"{result.details['flops'] / 1e6:.1f} MFLOP per image",
    ]
    if "map" in metrics:
        notes.insert(1, f"{metrics['missed']} of them not found")
        notes.append(f"mAP {metrics['map']:.3f} in scenes of several objects")
    return ", ".join(notes) + (f"; lab: {lab.note}" if with_lab and lab.note else "")


def _percent(rate: float | None) -> str:
    return UNKNOWN if rate is None else f"{rate:.2%}"


def _cost(result: ModelResult) -> tuple[str, ...]:
    details, timing = result.details, result.timing
    return (
        result.title,
        f"{details['parameters']:,}",
        f"{details['flops'] / 1e6:.1f}",
        f"{details['file_bytes'] / 1e6:.1f} MB",
        f"{timing['train_seconds']:.0f} s" if timing else UNKNOWN,
        f"{timing['peak_memory_mb']:,.0f} MB" if timing else UNKNOWN,
    )
