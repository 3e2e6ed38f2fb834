"""Write the finding and the table of results into README.md, from the files of the report."""

import argparse
from pathlib import Path

from mnist.errors import UserError
from mnist.files import write_text
from mnist.params import load_params

README, METRICS = Path("README.md"), Path("metrics")
START, END = "<!-- results -->\n", "<!-- /results -->\n"


def main(arguments: argparse.Namespace) -> None:
    from mnist.reporting.results import read_json, read_results
    from mnist.reporting.tables import leaderboard

    results = read_results(METRICS, load_params())
    comparison = read_json(METRICS / "comparison.json")
    table, verdict = leaderboard(results, comparison), comparison["verdict"]
    finding = " ".join(["**" + verdict["best"][0] + "**", *verdict.get("digits", [])[:2]])
    before, start, rest = README.read_text(encoding="utf-8").partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise UserError(f"{README} needs the lines {START.strip()} and {END.strip()}; add them.")
    text = f"\n{finding}\n\n{table.markdown}\n{table.description}\n\n"
    write_text(README, f"{before}{START}{text}{END}{after}")
