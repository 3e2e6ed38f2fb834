"""What the charts of the report have in common: styles, settings, and how one becomes an SVG."""

import io
import re
from dataclasses import dataclass
from typing import Any, NamedTuple

import matplotlib
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

INK = "#15181c"  # all text and lines that are no model's; the page gives them its own colour
WRONG = "#d92b3a"
WIDTH = 480  # of a chart in px; a phone shows it a quarter smaller, a desktop a third larger

SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: small, searchable, read aloud
    "text.parse_math": False,  # a $ in a class name is a $
    "text.color": INK,
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib
    "font.size": 13,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlesize": 13,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": INK,
    "grid.alpha": 0.15,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}
matplotlib.rcParams.update(SETTINGS)


class Style(NamedTuple):
    """A title; a colour for white and dark pages; marker and dashes as matplotlib names them."""

    title: str
    colour: str
    marker: str
    dash: str | tuple[float, tuple[float, ...]]


# Each colour has a contrast of at least 3 to 1 with white and with the dark page. Markers and
# dashes tell the models apart for readers who do not see the colours.
STYLES = {
    "cnn": Style("CNN", "#2f74d0", "s", "-"),
    "frcnn": Style("Faster R-CNN", "#d95f02", "P", (0, (1, 1.5))),
    "vgg16": Style("VGG16", "#7a4fd1", "^", (0, (5, 1.5, 1, 1.5))),
    "alexnet": Style("AlexNet", "#1b9e77", "o", (0, (7, 2))),
    "vit": Style("Vision Transformer", "#c2327e", "D", (0, (3, 1.5))),
}


def style(name: str) -> Style:
    """Return the style of model `name`; a model without one is shown in grey by its name."""
    return STYLES.get(name, Style(name, "#737d8a", "o", "-"))


@dataclass(frozen=True)
class Chart:
    """A picture with its texts."""

    name: str  # file name without ending, and anchor on the page
    alt: str  # what it shows, in one sentence, for those who do not see it
    description: str  # how to read it
    svg: str

    @property
    def file(self) -> str:
        """The SVG to stand alone, on white."""
        return self.svg.replace("<svg ", '<svg style="background: white" ', 1)

    @property
    def inline(self) -> str:
        """The SVG to stand in HTML, whose colour its ink takes."""
        return self.svg.replace(INK, "currentColor")


def new_figure(height: int, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, Any]:
    """Make a figure of so many px and its axes, as `Figure.subplots` does."""
    figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
    return figure, figure.subplots(rows, columns, **options)


def to_svg(figure: Figure, name: str) -> str:
    """Return a figure as SVG with the same bytes each time; `name` keeps its ids unique."""
    file = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    text = file.getvalue()
    # Groups are numbered anew in each figure; no id may come twice on a page.
    return re.sub(r' id="[\w.]+_\d+"', "", text[text.index("<svg") :])


def label_log_axis(axis: Axis) -> None:
    """Label a logarithmic axis with plain numbers: 0.1, 0.2, 0.5, 1."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
    axis.set_minor_locator(NullLocator())


def compact(value: float) -> str:
    """Write a number with three digits or all before the point: 0.769, 13.5, 6,180, 14.7 M."""
    if value >= 1e5:
        return f"{value / 1e6:.3g} M"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
