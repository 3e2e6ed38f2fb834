"""The tables of the report, each for the page and for Markdown."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnist.reporting.charts import compact
from mnist.reporting.comparison import LAB
from mnist.reporting.findings import p_text, percent, sample
from mnist.reporting.results import Results

UNKNOWN = "-"


@dataclass(frozen=True)
class Table:
    """Cells as text."""

    name: str  # anchor on the page
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    description: str = ""
    marked: Sequence[int] = ()  # the rows whose first figure is in bold

    @property
    def markdown(self) -> str:
        """The table without its texts; ends with a line break."""
        rows = [[cell.replace("|", r"\|") for cell in row] for row in self.rows]
        for i in self.marked:
            rows[i][1] = f"**{rows[i][1]}**"
        lines = [self.columns, ["---"] * len(self.columns), *rows]
        return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def leaderboard(results: Results, comparison: Mapping[str, Any]) -> Table:
    """Make the table of all models, the lowest mean error first."""
    seeds, costs, lab = comparison["seeds"], comparison["cost"], comparison.get("lab", {})
    corrupted, ranking = comparison["corrupted"]["models"], comparison["ranking"]
    columns: dict[str, Callable[[str], str]] = {
        "Error": lambda name: percent(seeds[name]["mean_error"]),
        "95% interval": lambda name: " to ".join(map(percent, seeds[name]["ci95"])),
        "Trainings": lambda name: str(seeds[name]["n"]),
        "Lab": lambda name: percent(1 - LAB[name]) if name in lab else UNKNOWN,
        "Corrupted": lambda name: f"{corrupted[name]['mean_error']:.1%}",
        "Parameters": lambda name: compact(costs[name]["parameters"]),
        "TFLOP": lambda name: compact(costs[name]["train_tflop"]),
    }
    shown = len(comparison["leaders"]) < len(ranking)
    description = (
        "Error: on the test images, mean over the trainings, with its 95% interval. "
        "Corrupted: mean error on corrupted images. TFLOP: arithmetic of the training, with that "
        "of the model it starts from."
        + " Lab: the error of the university lab's one training." * bool(lab)
        + " Bold: the lowest error, and those not shown to be higher." * shown
    )
    return Table(
        "leaderboard",
        "All models, the lowest mean error first",
        *_cells(results, ranking, columns),
        description,
        [i for i, name in enumerate(ranking) if shown and name in comparison["leaders"]],
    )


def differences(results: Results, comparison: Mapping[str, Any]) -> Table:
    """Make the table of all pairs of models, by their errors on the test images."""
    rows = []
    for pair in comparison["pairs"]:
        better, worse = (results.titles[pair[side]] for side in ("better", "worse"))
        gap, low, high = (f"{100 * rate:.2f}" for rate in (pair["difference"], *pair["ci95"]))
        rows.append([better, worse, gap, f"{low} to {high}", _p(pair["p"]), _p(pair["p_holm"])])
    return Table(
        "pairs",
        "All pairs of models",
        ("Fewer errors", "More errors", "Difference", "95% interval", "p", "p, Holm"),
        rows,
        f"Difference of the mean errors in points, with its interval and test over "
        f"{sample(comparison)}. Holm: corrected for the number of pairs; intervals are of one pair "
        "at a time.",
    )


def cost(results: Results, comparison: Mapping[str, Any]) -> Table:
    """Make the table of the costs that the leaderboard does not have."""
    costs, machine = comparison["cost"], results.machine
    columns: dict[str, Callable[[str], str]] = {
        "Training": lambda name: _known(costs[name]["train_seconds"], "{:,.0f} s"),
        "Latency": lambda name: _known(costs[name]["latency_ms"], "{:.2g} ms"),
        "Images/s": lambda name: _known(costs[name]["images_per_second"], "{:,.0f}"),
        "MFLOP/image": lambda name: compact(costs[name]["mflop"]),
        "File": lambda name: f"{costs[name]['file_mb']:.3g} MB",
    }
    known = [name for name in costs if costs[name]["latency_ms"] is not None]
    times = (
        "Training: steps times the seconds of a step, with those of the model it starts from. "
        "Images/s: classified in batches. All times are of one machine: {device}, {threads} "
        "threads, PyTorch {torch}. "
    )
    missing = "Times that are missing were not measured with this recipe: run `make bench`."
    return Table(
        "costs",
        "What else each model costs",
        *_cells(results, comparison["ranking"], columns),
        (times.format(**machine) if known else "") + missing * (len(known) < len(costs)),
    )


def confusions(results: Results, comparison: Mapping[str, Any]) -> Table:
    """List the confusions of the committed seed, the most frequent first."""
    counts = {}
    for r in results.models:
        true, predicted = (classes[~r.correct].tolist() for classes in (r.labels, r.predicted))
        counts[r.title] = Counter(zip(true, predicted, strict=True))
    total = sum(counts.values(), Counter[tuple[int, int]]())
    rows = [
        [
            f"{results.class_name(true)} read as {results.class_name(predicted)}",
            *(str(of[true, predicted]) for of in (total, *counts.values())),
        ]
        for true, predicted in sorted(total, key=lambda pair: (-total[pair], pair))
    ]
    return Table("confusions", "Confusions, committed seed", ("Confusion", "All", *counts), rows)


def calibration(results: Results, comparison: Mapping[str, Any]) -> Table:
    """Make the table of calibration errors and of the likelihood."""
    found, models = comparison["calibration"], {r.name: r for r in results.models}
    columns: dict[str, Callable[[str], str]] = {
        "ECE, all trainings": lambda name: _known(found[name]["ece"], "{:.4f}"),
        "ECE": lambda name: f"{models[name].metrics['ece']:.4f}",
        "p, Holm": lambda name: _p(found[name]["p_holm"]),
        "ECE before": lambda name: f"{models[name].details['ece_raw']:.4f}",
        "NLL": lambda name: f"{models[name].metrics['nll']:.4f}",
        "Errors": lambda name: str(models[name].metrics["errors"]),
    }
    return Table(
        "calibration",
        "How right the probabilities are",
        *_cells(results, comparison["ranking"], columns),
        "ECE: expected calibration error, the mean gap between confidence and accuracy in bins of "
        "as many images each; mean over all trainings, then of the committed seed, as all columns "
        "that follow. p: share of perfectly calibrated models whose ECE would be at least as "
        "large. Before: without temperature scaling. NLL: mean negative log-likelihood in nats.",
    )


def _cells(
    results: Results, names: Sequence[str], columns: Mapping[str, Callable[[str], str]]
) -> tuple[list[str], list[list[str]]]:
    """Write a row for each model; a column of which nothing is known is left out."""
    cells = {head: [cell(name) for name in names] for head, cell in columns.items()}
    cells = {head: column for head, column in cells.items() if set(column) != {UNKNOWN}}
    titles = [results.titles[name] for name in names]
    return ["Model", *cells], [list(row) for row in zip(titles, *cells.values(), strict=True)]


def _p(value: float) -> str:
    return p_text(value).removeprefix("p = ").removeprefix("p ")


def _known(value: float | None, form: str) -> str:
    return UNKNOWN if value is None else form.format(value)
