"""A chart of the report: an SVG that is the same to the byte for the same figures, and its text."""

import base64
import io
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: small, searchable, in the reader's own font
    "svg.hashsalt": "report",  # fixed ids
    "text.parse_math": False,  # a $ in a class name is a $
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
}


@dataclass(frozen=True)
class Chart:
    """An SVG with its file name (without ending), heading and description."""

    name: str
    heading: str
    description: str
    svg: str

    @property
    def data_uri(self) -> str:
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg.encode()).decode()


def new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """Make a figure of so many inches with a single panel."""
    figure, (axes,) = new_panels(1, 1, width, height)
    return figure, axes


def new_panels(
    count: int, columns: int, width: float, height: float, **options: Any
) -> tuple[Figure, list[Axes]]:
    """Make a figure with `count` panels of so many inches each, row by row.

    Args:
        options: as `Figure.subplots` takes them.
    """
    rows = max(1, -(-count // columns))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
        panels = list(figure.subplots(rows, columns, squeeze=False, **options).flat)
    for axes in panels[count:]:
        axes.axis("off")
    return figure, panels[:count]


def label_log_axis(axis: Axis) -> None:
    """Label a logarithmic axis with plain numbers: 0.1, 0.2, 0.5, 1."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())


def to_svg(figure: Figure) -> str:
    text = io.StringIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(text, format="svg", metadata={"Date": None})
    # matplotlib leaves blanks at the ends of lines, which git reports as errors
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"
