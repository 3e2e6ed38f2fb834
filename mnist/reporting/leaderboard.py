"""The leaderboard: one row per model, one column per figure, and what is best in each column."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mnist.reporting.results import ModelResult, Results

UNKNOWN = "-"


@dataclass(frozen=True)
class Cell:
    """A figure of the leaderboard."""

    text: str
    value: float | None = None
    """what the column is sorted by; None: not known, always last"""
    share: float = 0.0
    """value divided by the column's largest, 0..1; the length of the bar"""
    is_best: bool = False


@dataclass(frozen=True)
class Column:
    """A heading, what it means, and a cell per model."""

    heading: str
    meaning: str
    cells: dict[str, Cell]


def make_leaderboard(results: Results, comparison: Mapping[str, Any]) -> list[Column]:
    """Make the columns that there are figures for; rows go by `comparison["ranking"]`."""
    seeds, costs, corrupted = (comparison[key] for key in ("seeds", "cost", "corrupted"))
    lab = comparison.get("lab", {})

    def column(
        heading: str,
        meaning: str,
        value: Callable[[ModelResult], float | None],
        form: Callable[[float], str],
        best: Callable[..., float] | None = min,
    ) -> Column:
        values = {r.name: value(r) for r in results.models}
        known = [v for v in values.values() if v is not None]
        # The best of rounded figures: models whose figures read the same are equally good.
        winner = form(best(known)) if best and len(known) > 1 else None
        cells = {
            name: Cell(UNKNOWN)
            if v is None
            else Cell(form(v), v, max(v, 0) / (max(known) or 1), form(v) == winner)
            for name, v in values.items()
        }
        return Column(heading, meaning, cells)

    def cost(key: str) -> Callable[[ModelResult], float | None]:
        return lambda r: costs[r.name][key]

    columns = [
        column(
            "Error",
            "test error, mean over the seeds",
            lambda r: seeds[r.name]["mean_error"],
            "{:.2%}".format,
        ),
        Column("± seeds", "standard deviation of the test error over so many seeds, in points",
               {name: Cell(f"{100 * of['std']:.3f} ({of['n']})", of["std"])
                if of["std"] is not None else Cell(f"{UNKNOWN} ({of['n']})")
                for name, of in seeds.items()}),
        Column("95% interval", "of the mean test error, over seeds and images",
               {name: Cell("{:.2%} to {:.2%}".format(*of["ci95"]), of["ci95"][0])
                for name, of in seeds.items()}),
        column("Lab", "test error that the lab reported",
               lambda r: 1 - lab[r.name]["lab_accuracy"] if r.name in lab else None,
               "{:.2%}".format, None),
        column("vs lab", "difference from the lab's error, in points",
               lambda r: 100 * (lab[r.name]["lab_accuracy"] - lab[r.name]["accuracy"])
               if r.name in lab else None,
               "{:+.2f}".format, None),
        column("Corrupted", "error on corrupted images, mean over the corruptions",
               lambda r: 1 - corrupted[r.name]["mean"], "{:.1%}".format),
        column("UCI", "error on handwriting of other people, the UCI digits",
               lambda r: 1 - r.details["uci_digits"]["accuracy"]
               if results.is_mnist and "uci_digits" in r.details else None,
               "{:.1%}".format),
        column("Parameters", "number of weights", cost("parameters"), _count),
        column("MFLOP", "millions of additions and multiplications to classify one image",
               cost("mflop"), _three),
        column("TFLOP", "arithmetic of the whole training; a detector that starts from another "
               "model includes that one's", cost("train_tflop"), _three),
        column("Training", "seconds of training, of the same", cost("train_seconds"),
               "{:.0f} s".format),
        column("Latency", "time to classify one image alone", cost("latency_ms"),
               lambda v: f"{_three(v)} ms"),
        column("In batches", "time per image in batches of 256", cost("batch_ms"),
               lambda v: f"{_three(v)} ms"),
        column("File", "size of the weights", cost("file_mb"), lambda v: f"{_three(v)} MB"),
    ]  # fmt: skip
    return [c for c in columns if any(cell.value is not None for cell in c.cells.values())]


def _three(value: float) -> str:
    """Write three significant digits, without an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _count(value: float) -> str:
    return f"{_three(value / 1e6)} M" if value >= 1e5 else f"{value:,.0f}"
