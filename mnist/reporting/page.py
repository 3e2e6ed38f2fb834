"""The report page: one HTML file that needs nothing else, and its short form for GitHub."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mnist.reporting import galleries, markdown, plots, tables
from mnist.reporting.charts import Chart
from mnist.reporting.results import Results


def make_charts(results: Results, comparison: dict[str, Any], errors_shown: int) -> list[Chart]:
    """Draw the charts of all models, then each model's own charts."""
    charts = [
        plots.accuracy_against_cost(results),
        plots.loss_curves(results),
        plots.accuracy_curves(results),
        plots.disagreement(results, comparison["disagreement"]),
        plots.reliability_diagram(results),
        galleries.error_gallery(results, errors_shown),
        galleries.robustness(results),
        plots.attacks(results),
    ]
    for result in results.models:
        charts.append(plots.confusion_matrix(results, result))
        if "attention" in result.examples:
            charts.append(galleries.attention_maps(results, result))
        if "scenes" in result.examples:
            charts.append(galleries.scenes(results, result))
            charts.append(plots.precision_per_class(results, result))
    return [chart for chart in charts if chart]


def render(
    template: str, results: Results, comparison: dict[str, Any], charts: Sequence[Chart]
) -> str:
    """Render page.html.j2, with every picture inside, or page.md.j2, which links to figures/."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=template.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # The canvas is for digits.
    pages = {r.title: r.examples["page"] for r in results.models if "page" in r.examples}
    pages = pages if results.is_mnist else {}
    models = [
        {"title": title} | {key: value for key, value in page.items() if key != "check"}
        for title, page in pages.items()
    ]
    checks = [page["check"] for page in pages.values()]
    # By how much rounded weights move a probability at most.
    rounding = [np.abs(np.subtract(c["exact"], c["rounded"])).max() for c in checks]
    return environment.get_template(template).render(
        data=results.data,
        is_mnist=results.is_mnist,
        images=len(results.labels),
        headline=tables.headline(results),
        verdict=comparison["verdict"],
        models=json.dumps(models, separators=(",", ":")).replace("<", "\\u003c") if models else "",
        rounding=f"{max(rounding, default=0):.2g}",
        checked=max((len(check["exact"]) for check in checks), default=0),
        script=(Path(__file__).parent / "draw.js").read_text(encoding="utf-8"),
        tables=tables.make_tables(results, comparison),
        markdown_table=markdown.table,
        charts=charts,
    )
