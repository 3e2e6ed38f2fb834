"""Stage `report`: the comparison, from files that are in git alone."""

import argparse
from pathlib import Path

from mnist.atomic_io import new_folder, write_json, write_text
from mnist.errors import run
from mnist.params import load_params
from mnist.reporting import page
from mnist.reporting.charts import make_charts
from mnist.reporting.comparison import compare
from mnist.reporting.results import read_result
from mnist.reporting.seeds import read_spreads

METRICS, REPORT = Path("metrics"), Path("report")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", required=True, help="their names, in table order")
    names = parser.parse_args().models
    settings = load_params().report
    results = [read_result(METRICS, name) for name in names]

    comparison = compare(results, read_spreads(METRICS / "seeds.csv"))
    charts = make_charts(results, comparison, settings.errors_shown)
    with new_folder(REPORT) as target:
        for chart in charts:
            write_text(target / f"figures/{chart.name}.svg", chart.svg)
        write_text(target / "index.html", page.html(results, comparison, charts))
        write_text(target / "README.md", page.readme(results, comparison, charts))
    write_json(METRICS / "comparison.json", comparison)


if __name__ == "__main__":
    run(main)
