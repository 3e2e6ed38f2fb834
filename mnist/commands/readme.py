"""Write the figures of README.md and docs/ from the same files as the report."""

import argparse
from pathlib import Path

from mnist.atomic_io import write_text
from mnist.errors import UserError
from mnist.params import Params, load_params

# Which generated block is in which file.
BLOCKS = {
    "findings": Path("README.md"),
    "results": Path("README.md"),
    "benchmark": Path("docs/performance.md"),
    "lab": Path("docs/lab.md"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has no arguments."""


def main(arguments: argparse.Namespace) -> None:
    blocks = make_blocks(Path("metrics"), load_params())
    texts: dict[Path, str] = {}
    for name, path in BLOCKS.items():
        text = texts[path] if path in texts else path.read_text(encoding="utf-8")
        texts[path] = replace_between(text, path, name, blocks[name])
    for path, text in texts.items():
        write_text(path, text)


def make_blocks(metrics: Path, params: Params) -> dict[str, str]:
    """Return the blocks as Markdown, by name; raises UserError when a file is missing."""
    from mnist.reporting import findings, markdown
    from mnist.reporting.comparison import compare
    from mnist.reporting.results import read_results
    from mnist.reporting.speed import benchmark_markdown
    from mnist.reporting.tables import accuracy, headline, make_tables

    results = read_results(metrics, params)
    comparison = compare(results)
    table = headline(results, comparison)
    lab = make_tables(results, comparison)["recipes"]
    title, *columns = lab.columns
    lab_rows = []
    for result, (name, *cells) in zip(results.models, lab.rows, strict=True):
        reported = result.lab.accuracy
        theirs = "-" if reported is None else f"{reported:.2%}"
        lab_rows.append((name, accuracy(result), theirs, *cells))
    return {
        "findings": "".join(f"- {text}\n" for text in findings.headline(results, comparison)),
        "results": f"{markdown.table(table.columns, table.rows)}\n{table.description}\n",
        "benchmark": benchmark_markdown(results.benchmark),
        "lab": markdown.table((title, "Test accuracy", "The lab's", *columns), lab_rows)
        + "\nTest accuracy: mean ± standard deviation over n seeds. "
        + f"{lab.description}\n",
    }


def replace_between(text: str, path: Path, name: str, content: str) -> str:
    """Return `text`, that of `path`, with `content` between <!-- name --> and <!-- /name -->.

    Raises:
        UserError: a marker is missing.
    """
    first, last = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
    before, start, rest = text.partition(first)
    _, end, after = rest.partition(last)
    if not start or not end:
        raise UserError(f"{path} needs the lines {first.strip()} and {last.strip()}; add them.")
    return f"{before}{first}\n{content}\n{last}{after}"
