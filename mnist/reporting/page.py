"""The report page: one HTML file that needs nothing else, and its short form for GitHub."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mnist.reporting import findings, markdown, tables
from mnist.reporting.charts import Chart
from mnist.reporting.confusion import confusion_counts
from mnist.reporting.drawing import make_drawing
from mnist.reporting.error_browser import missed_images
from mnist.reporting.leaderboard import make_leaderboard
from mnist.reporting.results import Results
from mnist.reporting.style import css_colours

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class ConfusionCell:
    """How many images of class `actual` a model takes for class `predicted`."""

    actual: int
    predicted: int
    """-1: nothing was found"""
    count: int
    share: float
    """of the largest count of all models, 0..1"""

    @property
    def diagonal(self) -> bool:
        return self.actual == self.predicted


@dataclass(frozen=True)
class ConfusionMatrix:
    """One model's errors by true class (rows) and predicted class (columns)."""

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[ConfusionCell]]]


def render(
    template: str, results: Results, comparison: Mapping[str, Any], charts: Sequence[Chart]
) -> str:
    """Render page.html.j2, with every picture inside, or page.md.j2, which links to figures/."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=template.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    scripts = [FOLDER / f"js/{name}.js" for name in ("leaderboard", "errors")]
    text = environment.get_template(template).render(
        data=results.data,
        is_mnist=results.is_mnist,
        images=len(results.labels),
        classes=results.classes,
        title=findings.title(results, comparison),
        headline=findings.headline(results, comparison),
        verdict=comparison["verdict"],
        ranking=comparison["ranking"],
        titles=results.titles,
        leaderboard=make_leaderboard(results, comparison),
        matrices=confusion_matrices(results),
        missed=missed_images(results),
        special=_special(charts),
        drawing=make_drawing(results),
        tables=tables.make_tables(results, comparison),
        overview=tables.headline(results, comparison),
        markdown_table=markdown.table,
        charts={chart.name: chart for chart in charts},
        cost_charts=[chart for chart in charts if chart.name.startswith("cost_")],
        colours=css_colours([r.name for r in results.models]),
        script="".join(path.read_text(encoding="utf-8") for path in scripts),
    )
    return re.sub(r"\n{3,}", "\n\n", text)  # tags leave blank lines


def confusion_matrices(results: Results) -> list[ConfusionMatrix]:
    """Count the errors of each model, on one scale of colours."""
    counts = confusion_counts(results)
    largest = max(1, *(int(of_model.max()) for of_model in counts.values()))
    matrices = []
    for result in results.models:
        of_model = counts[result.name]
        columns = [*results.classes, *["none"] * (of_model.shape[1] > len(results.classes))]
        labels = [*range(len(results.classes)), -1]
        rows = [
            (
                results.classes[i],
                [
                    ConfusionCell(i, labels[j], int(n), n / largest)
                    for j, n in enumerate(np.asarray(row))
                ],
            )
            for i, row in enumerate(of_model)
        ]
        matrices.append(ConfusionMatrix(result.name, result.title, columns, rows))
    return matrices


def _special(charts: Sequence[Chart]) -> str:
    """Name what only some kinds of models have charts of; empty without them."""
    kinds = {"scenes": "Detection", "attention": "Attention"}
    found = [title for kind, title in kinds.items() if any(c.name.startswith(kind) for c in charts)]
    return " and ".join([*found[:1], *(title.lower() for title in found[1:])])
