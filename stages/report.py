"""Stage `report`: compare the models, from files in git only."""

from pathlib import Path

from mnist.atomic_io import new_folder, write_json, write_text
from mnist.errors import run
from mnist.params import load_params
from mnist.reporting.all_charts import make_charts
from mnist.reporting.comparison import compare
from mnist.reporting.page import render
from mnist.reporting.results import read_results

METRICS, REPORT = Path("metrics"), Path("report")


def main() -> None:
    params = load_params()
    results = read_results(METRICS, params)
    comparison = compare(results)
    charts = make_charts(results, comparison, params.report.errors_shown)
    with new_folder(REPORT) as target:
        for chart in charts:
            write_text(target / f"figures/{chart.name}.svg", chart.svg)
        for name, template in (("index.html", "page.html.j2"), ("README.md", "page.md.j2")):
            write_text(target / name, render(template, results, comparison, charts))
    write_json(METRICS / "comparison.json", comparison)


if __name__ == "__main__":
    run(main)
