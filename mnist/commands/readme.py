"""Command, no stage: write the tables of README.md, from the same files as the report."""

from collections.abc import Mapping
from pathlib import Path

from mnist.atomic_io import write_text
from mnist.errors import UserError, run
from mnist.pipeline import models
from mnist.reporting.results import ModelResult, read_benchmark, read_result
from mnist.reporting.seeds import Spread, read_spreads
from mnist.reporting.speed import benchmark
from mnist.reporting.table import markdown

README = Path("README.md")


def main() -> None:
    text = README.read_text(encoding="utf-8")
    write_text(README, with_figures(text, Path("metrics"), models()))


def with_figures(text: str, metrics: Path, names: list[str]) -> str:
    """Put today's figures into `text`, between the markers that are there for them.

    Raises:
        UserError: a marker is missing.
    """
    results = [read_result(metrics, name) for name in names]
    spreads = read_spreads(metrics / "seeds.csv")
    text = between(text, "results", markdown(results) + over_seeds(results, spreads))
    return between(text, "benchmark", benchmark(read_benchmark(metrics / "benchmark.json")))


def between(text: str, name: str, content: str) -> str:
    """Replace what stands between <!-- name --> and <!-- /name --> by `content`."""
    first, last = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
    before, start, rest = text.partition(first)
    _, end, after = rest.partition(last)
    if not start or not end:
        raise UserError(f"{README} needs the lines {first.strip()} and {last.strip()}; add them.")
    return f"{before}{first}\n{content}\n{last}{after}"


def over_seeds(results: list[ModelResult], spreads: Mapping[str, Spread]) -> str:
    """Say how much of the accuracies is luck; nothing where there is one seed alone."""
    parts = [
        f"{result.title} {spread.mean:.2%} ± {spread.std:.2%} ({spread.seeds} seeds)"
        for result in results
        if (spread := spreads.get(result.name))
        and spread.std is not None
        and result.quality["accuracy"] in spread.accuracies
    ]
    return f"\nMean ± standard deviation over seeds: {', '.join(parts)}.\n" if parts else ""


if __name__ == "__main__":
    run(main)
