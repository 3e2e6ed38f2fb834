"""The tables of the report, each for the page and for Markdown."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnist.reporting.charts import compact
from mnist.reporting.comparison import LAB
from mnist.reporting.findings import p_text, percent
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
        "95% interval": lambda name: _interval(seeds[name]),
        "Trainings": lambda name: str(seeds[name]["n"]),
        "Lab": lambda name: percent(1 - LAB[name]) if name in lab else UNKNOWN,
        "Corrupted": lambda name: f"{corrupted[name]['mean_error']:.1%}",
        "Parameters": lambda name: compact(costs[name]["parameters"]),
        "TFLOP": lambda name: compact(costs[name]["train_tflop"]),
    }
    shown = len(comparison["leaders"]) < len(ranking)
    description = (
        "Error: on the test images, mean over trainings by different seeds, with its 95% interval. "
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
        "Training: steps times the seconds of a step. Images/s: classified in batches. "
        "All times are of one machine: {cpu}, {threads} threads, PyTorch {torch}. "
    )
    missing = "Times that are missing were not measured with this recipe: run `make bench`."
    return Table(
        "costs",
        "What else each model costs",
        *_cells(results, comparison["ranking"], columns),
        (times.format(**machine) if known else "") + missing * (len(known) < len(costs)),
    )


def groups(results: Results, comparison: Mapping[str, Any]) -> Table:
    """Make the table of the errors on each group of writers; empty where they are not known."""
    found, columns = comparison.get("groups", {}), {}
    for group, of in found.items():
        columns[group.capitalize()] = lambda name, of=of: percent(of[name]["mean_error"])
        columns[f"95% interval, {group}"] = lambda name, of=of: _interval(of[name])
    caption = "Errors by who wrote the digits"
    return Table("groups", caption, *_cells(results, comparison["ranking"] * bool(found), columns))


def calibration(results: Results, comparison: Mapping[str, Any]) -> Table:
    """Make the table of calibration errors and of the likelihood."""
    found, models = comparison["calibration"], {r.name: r for r in results.models}
    columns: dict[str, Callable[[str], str]] = {
        "ECE, all trainings": lambda name: _known(found[name]["ece"], "{:.4f}"),
        "ECE": lambda name: f"{models[name].metrics['ece']:.4f}",
        "p, Holm": lambda name: p_text(found[name]["p_holm"]).replace("p = ", ""),
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


def _interval(of: Mapping[str, Any]) -> str:
    return " to ".join(map(percent, of["ci95"]))


def _known(value: float | None, form: str) -> str:
    return UNKNOWN if value is None else form.format(value)
