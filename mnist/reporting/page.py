"""The report page: one HTML file that needs nothing else, and its short form for GitHub."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mnist.reporting import table
from mnist.reporting.results import ModelResult
from mnist.reporting.tables import make_tables


@dataclass(frozen=True)
class Chart:
    """A figure with its file name (without ending), heading, description and SVG text."""

    name: str
    heading: str
    description: str
    svg: str

    @property
    def data_uri(self) -> str:
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg.encode()).decode()


def html(
    results: Sequence[ModelResult], comparison: dict[str, Any], charts: Sequence[Chart]
) -> str:
    """Render page.html.j2 with every picture inside."""
    return _render("page.html.j2", results, comparison, charts)


def readme(
    results: Sequence[ModelResult], comparison: dict[str, Any], charts: Sequence[Chart]
) -> str:
    """Render page.md.j2, which links to the pictures in figures/."""
    return _render("page.md.j2", results, comparison, charts)


def _render(
    template: str,
    results: Sequence[ModelResult],
    comparison: dict[str, Any],
    charts: Sequence[Chart],
) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=template.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(
        columns=table.COLUMNS,
        rows=table.rows(results),
        markdown_table=table.markdown(results),
        verdict=comparison["verdict"],
        models=_models(results),
        checked=max((len(r.page["check"]["exact"]) for r in results if r.page), default=0),
        rounding=f"{_rounding(results):.2g}",
        script=(Path(__file__).parent / "draw.js").read_text(encoding="utf-8"),
        tables=make_tables(results, comparison),
        charts=charts,
    )


def _models(results: Sequence[ModelResult]) -> str:
    """The models that the page runs itself, as JSON; empty if there is none."""
    models = [
        {"name": r.name, "title": r.title} | {k: v for k, v in r.page.items() if k != "check"}
        for r in results
        if r.page
    ]
    return json.dumps(models, separators=(",", ":")).replace("<", "\\u003c") if models else ""


def _rounding(results: Sequence[ModelResult]) -> float:
    """By how much rounded weights move a probability at most, over the digits of the check."""
    checks = [r.page["check"] for r in results if r.page]
    return max((np.abs(np.subtract(c["exact"], c["rounded"])).max() for c in checks), default=0.0)
