"""Command, no stage: write the results table into README.md, from the same files as the report."""

from pathlib import Path

import yaml

from stages.reporting.results import read_result
from stages.reporting.table import markdown
from stages.system.errors import UserError, run
from stages.system.files import write_text

README = Path("README.md")
START, END = "<!-- results -->\n", "<!-- /results -->\n"


def main() -> None:
    text = README.read_text(encoding="utf-8")
    write_text(README, with_results(text, Path("metrics"), models()))


def models(pipeline: Path = Path("dvc.yaml")) -> list[str]:
    """Read the list of models where it stands once, in dvc.yaml."""
    (variables,) = yaml.safe_load(pipeline.read_text(encoding="utf-8"))["vars"]
    return variables["comparison"]["models"]


def with_results(text: str, metrics: Path, names: list[str]) -> str:
    """Replace what stands between the two markers in `text` by today's table.

    Raises:
        UserError: a marker is missing.
    """
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise UserError(f"{README} needs the lines {START.strip()} and {END.strip()}; add them.")
    table = markdown([read_result(metrics, name) for name in names])
    return f"{before}{START}\n{table}\n{END}{after}"


if __name__ == "__main__":
    run(main)
