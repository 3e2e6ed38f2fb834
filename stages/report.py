"""Stage `report`: the comparison, from files that are in git alone."""

import argparse
from pathlib import Path

from stages.params import load_params
from stages.reporting import figures, page
from stages.reporting.comparison import compare
from stages.reporting.results import ModelResult, read_result
from stages.system.errors import run
from stages.system.files import new_folder, write_json, write_text

METRICS, REPORT = Path("metrics"), Path("report")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", required=True, help="their names, in table order")
    names = parser.parse_args().models
    settings = load_params().report
    results = [read_result(METRICS, name) for name in names]

    comparison = compare(results)
    charts = _charts(results, settings.errors_shown)
    with new_folder(REPORT) as target:
        for chart in charts:
            write_text(target / f"figures/{chart.name}.svg", chart.svg)
        write_text(target / "index.html", page.html(results, comparison["verdict"], charts))
        write_text(target / "README.md", page.readme(results, comparison["verdict"], charts))
    write_json(METRICS / "comparison.json", comparison)


def _charts(results: list[ModelResult], errors_shown: int) -> list[page.Chart]:
    charts = [
        page.Chart(
            "loss",
            "Loss per epoch",
            "Training loss, on augmented images and smoothed labels, which keep it from falling "
            "to 0, and validation loss on plain ones. "
            "The dashed line joins the first and the last loss that the lab reported.",
            figures.loss_curves(results),
        ),
        page.Chart(
            "accuracy",
            "Accuracy per epoch",
            "Share of the validation images classified correctly.",
            figures.accuracy_curves(results),
        ),
    ]
    for result in results:
        charts.append(
            page.Chart(
                f"confusion_{result.name}",
                f"Confusion matrix: {result.title}",
                "Test digits by actual and predicted class; the darker, the more errors.",
                figures.confusion_matrix(result),
            )
        )
        charts.append(
            page.Chart(
                f"errors_{result.name}",
                f"Misclassified digits: {result.title}",
                "Actual → predicted digit and the model's confidence, the most confident first.",
                figures.error_gallery(result, errors_shown),
            )
        )
        if result.attention:
            charts.append(
                page.Chart(
                    f"attention_{result.name}",
                    f"Where it looks: {result.title}",
                    "Attention rollout: the redder, the more of a patch reaches the classifier. "
                    "Above right answers, below errors (actual → predicted).",
                    figures.attention_maps(result),
                )
            )
    return charts


if __name__ == "__main__":
    run(main)
