"""The report page: one HTML file that needs nothing else, and its short form for GitHub."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mnist.reporting import findings, markdown, tables
from mnist.reporting.canvas import make_canvas
from mnist.reporting.charts import Chart
from mnist.reporting.confusion import confusion_counts
from mnist.reporting.error_browser import missed_images
from mnist.reporting.leaderboard import make_leaderboard
from mnist.reporting.results import Results
from mnist.reporting.style import css_colours

FOLDER = Path(__file__).parent


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
        confusion={name: counts.tolist() for name, counts in confusion_counts(results).items()},
        missed=missed_images(results),
        wrong_by_any=comparison["wrong_by_any"],
        special=_special(charts),
        drawing=make_canvas(results),
        tables=tables.make_tables(results, comparison),
        overview=tables.headline(results, comparison),
        markdown_table=markdown.table,
        charts={chart.name: chart for chart in charts},
        cost_charts=[chart for chart in charts if chart.name.startswith("cost_")],
        colours=css_colours([r.name for r in results.models]),
        script="".join(path.read_text(encoding="utf-8") for path in scripts),
    )
    return re.sub(r"\n{3,}", "\n\n", text)  # tags leave blank lines


def _special(charts: Sequence[Chart]) -> str:
    """Name what only some kinds of models have charts of; empty without them."""
    kinds = {"scenes": "Detection", "attention": "Attention"}
    found = [title for kind, title in kinds.items() if any(c.name.startswith(kind) for c in charts)]
    return " and ".join([*found[:1], *(title.lower() for title in found[1:])])
