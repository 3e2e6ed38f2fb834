"""The report page: one HTML file that needs nothing else, and its short form for GitHub."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stages.reporting import table
from stages.reporting.results import ModelResult
from stages.reporting.sections import make_tables


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
        tables=make_tables(results, comparison),
        charts=charts,
    )
