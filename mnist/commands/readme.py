"""Write the tables of README.md and docs/performance.md from the same files as the report."""

import argparse
from pathlib import Path

from mnist.atomic_io import write_text
from mnist.errors import UserError
from mnist.params import Params, load_params

# Which table is in which file.
TABLES = {"results": Path("README.md"), "benchmark": Path("docs/performance.md")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has no arguments."""


def main(arguments: argparse.Namespace) -> None:
    tables = make_tables(Path("metrics"), load_params())
    texts = {path: replace_between(path, name, tables[name]) for name, path in TABLES.items()}
    for path, text in texts.items():
        write_text(path, text)


def make_tables(metrics: Path, params: Params) -> dict[str, str]:
    """Return the tables as Markdown, by name; raises UserError when a file is missing."""
    from mnist.reporting import markdown
    from mnist.reporting.results import read_results
    from mnist.reporting.speed import benchmark_markdown
    from mnist.reporting.tables import headline

    results = read_results(metrics, params)
    table = headline(results)
    content = markdown.table(table.columns, table.rows)
    if results.spreads:
        spreads = [f"{results.titles[name]} {spread}" for name, spread in results.spreads.items()]
        content += f"\nMean ± standard deviation over n seeds: {', '.join(spreads)}.\n"
    return {"results": content, "benchmark": benchmark_markdown(results.benchmark)}


def replace_between(path: Path, name: str, content: str) -> str:
    """Return the text of `path` with `content` between <!-- name --> and <!-- /name -->.

    Raises:
        UserError: a marker is missing.
    """
    first, last = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
    before, start, rest = path.read_text(encoding="utf-8").partition(first)
    _, end, after = rest.partition(last)
    if not start or not end:
        raise UserError(f"{path} needs the lines {first.strip()} and {last.strip()}; add them.")
    return f"{before}{first}\n{content}\n{last}{after}"
