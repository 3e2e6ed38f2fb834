"""The report page: one HTML file that needs nothing else, and its short form for GitHub."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mnist.reporting.canvas import make_canvas
from mnist.reporting.galleries import missed_images
from mnist.reporting.results import Results
from mnist.reporting.sections import Section

FOLDER = Path(__file__).parent


def render(template: str, results: Results, sections: Sequence[Section], errors_shown: int) -> str:
    """Render page.html.j2, with every picture inside, or page.md.j2, which links to figures/."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=template.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    text = environment.get_template(template).render(
        results=results,
        confidence={r.name: r.calibrated.max(axis=1) for r in results.models},
        sections=sections,
        missed=missed_images(results, errors_shown),
        wrong_by_any=int(np.any([~r.correct for r in results.models], axis=0).sum()),
        canvas=make_canvas(results),
        script=(FOLDER / "js/errors.js").read_text(encoding="utf-8"),
    )
    return re.sub(r"\n{3,}", "\n\n", text)  # tags leave blank lines
