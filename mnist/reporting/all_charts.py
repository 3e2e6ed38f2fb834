"""The report's charts, in the order of the page."""

from typing import Any

from mnist.reporting import confidence, confusion, detection, galleries, plots, robustness
from mnist.reporting.charts import Chart
from mnist.reporting.results import Results


def make_charts(results: Results, comparison: dict[str, Any], errors_shown: int) -> list[Chart]:
    """Draw the charts of all models, then each model's own charts."""
    charts = [
        plots.hero(results, comparison),
        *plots.cost(results, comparison),
        galleries.error_gallery(results, errors_shown),
        confusion.confusion(results),
        confidence.reliability(results),
        confidence.risk_coverage(results),
        plots.learning_curves(results, comparison),
        robustness.robustness(results),
        robustness.attacks(results),
    ]
    for result in results.models:
        if "scenes" in result.examples:
            charts.append(detection.precision(results, result))
            charts.append(detection.scenes(results, result))
        if "attention" in result.examples:
            charts.append(galleries.attention_maps(results, result))
    return [chart for chart in charts if chart]
