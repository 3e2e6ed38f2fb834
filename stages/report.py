"""Stage `report`: compare the models, from files in git only."""

from pathlib import Path

from mnist.errors import run
from mnist.files import new_folder, write_json, write_text
from mnist.params import load_params
from mnist.reporting.comparison import compare
from mnist.reporting.page import render
from mnist.reporting.results import read_results
from mnist.reporting.sections import make_sections

METRICS, REPORT = Path("metrics"), Path("report")


def main() -> None:
    params = load_params()
    results = read_results(METRICS, params)
    comparison = compare(results)
    sections = make_sections(results, comparison)
    shown = params.report.errors_shown
    with new_folder(REPORT) as target:
        for chart in (chart for section in sections for chart in section.charts):
            write_text(target / f"figures/{chart.name}.svg", chart.file)
        for name, template in (("index.html", "page.html.j2"), ("README.md", "page.md.j2")):
            write_text(target / name, render(template, results, sections, shown))
    write_json(METRICS / "comparison.json", comparison)


if __name__ == "__main__":
    run(main)
