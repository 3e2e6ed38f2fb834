"""A chart of the report: SVGs that are the same to the byte for the same figures, and their text.

One unit of an SVG is one CSS pixel. Charts are drawn for a white page; on the HTML page their
colours are CSS variables, so that they follow its dark mode.
"""

import io
import math
import re
from dataclasses import dataclass
from html import escape
from typing import Any
from xml.etree import ElementTree

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from mnist.reporting import style

INK, SOFT, LINE, PAPER = "#15181c", "#59626e", "#d7dbe0", "#ffffff"
WRONG = style.WRONG[0]
# The CSS variables of the colours.
TEXT = {INK: "ink", SOFT: "soft", LINE: "line"}
MARKS = {PAPER: "paper", WRONG: "wrong"} | {
    model.colour: name for name, model in style.STYLES.items()
}
SMALL, MEDIUM, LARGE = 11, 12, 13
"""text in pixels; charts wider than 400 px shrink on a phone and use the larger ones"""
GAP = 12
WIDTH, WIDEST = 480, 900
"""of a chart of one panel, and of a row of panels in a file"""

SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: small, searchable, in the reader's own font
    "svg.hashsalt": "report",  # fixed ids
    "text.parse_math": False,  # a $ in a class name is a $
    "text.color": INK,
    "font.family": "sans-serif",
    "font.size": MEDIUM,
    "axes.facecolor": "none",
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.labelsize": MEDIUM,
    "axes.titlelocation": "left",
    "axes.titlesize": MEDIUM,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "xtick.color": LINE,
    "xtick.labelcolor": SOFT,
    "xtick.labelsize": SMALL,
    "ytick.color": LINE,
    "ytick.labelcolor": SOFT,
    "ytick.labelsize": SMALL,
    "lines.markeredgewidth": 1.2,
    "legend.frameon": False,
    "legend.handlelength": 2.6,
    "legend.fontsize": MEDIUM,
}
matplotlib.rcParams.update(SETTINGS)
# For annotations: x as a fraction of the axis, y in data; the text's offset in pixels.
IN_ROW: Any = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}


@dataclass(frozen=True)
class Chart:
    """One or more SVGs with their texts."""

    name: str
    """file name without ending, and anchor on the page"""
    alt: str
    """what the chart shows, in one sentence, for those who do not see it"""
    description: str
    """how to read it"""
    panels: tuple[str, ...]
    """SVGs that stand side by side as far as there is room"""
    white_tiles: bool = False
    """whether colours are on pictures, which stay white on a dark page"""
    heading: str = ""
    """above it, where it has no section of its own, or its name in a choice of charts"""

    @property
    def svg(self) -> str:
        """One SVG file of all panels on white."""
        x = y = width = bottom = 0
        placed = []
        for panel in self.panels:
            size = [int(n) for n in re.findall(r'viewBox="0 0 (\d+) (\d+)"', panel)[0]]
            if x and x + size[0] > WIDEST:
                x, y = 0, bottom + GAP
            place = f'<svg x="{x}" y="{y}" width="{size[0]}" height="{size[1]}"'
            placed.append(panel.replace("<svg", place, 1))
            x, width, bottom = x + size[0] + GAP, max(width, x + size[0]), max(bottom, y + size[1])
        font = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{bottom}" '
            f'viewBox="0 0 {width} {bottom}" font-family="{font}" role="img">\n'
            f"<title>{escape(self.alt)}</title>\n"
            f'<rect width="100%" height="100%" fill="{PAPER}"/>\n'
            + "\n".join(placed)
            + "\n</svg>\n"
        )

    @property
    def inline(self) -> str:
        """HTML of the panels, whose colours are CSS variables of the page."""
        variables = TEXT if self.white_tiles else TEXT | MARKS
        panels = "\n".join(self.panels)
        for colour, variable in variables.items():
            panels = panels.replace(colour, f"var(--{variable})")
        # Without a width of its own, each panel is as wide as the page lets it be.
        panels = re.sub(
            r'<svg viewBox="0 0 (\d+) (\d+)"',
            r'<svg viewBox="0 0 \1 \2" style="width: 100%; max-width: \1px" aria-hidden="true"',
            panels,
        )
        label = escape(self.alt, quote=True)
        layout = f"display: flex; flex-wrap: wrap; gap: {GAP}px"
        return f'<div role="img" aria-label="{label}" style="{layout}">\n{panels}\n</div>'


def new_panel(
    width: int, height: int, left: int = 0, right: int = 0, top: int = 0, bottom: int = 0
) -> tuple[Figure, Axes]:
    """Make a figure of so many pixels with one panel, inside margins of so many pixels."""
    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    figure.patch.set_visible(False)
    axes = figure.add_axes(
        (left / width, bottom / height, 1 - (left + right) / width, 1 - (top + bottom) / height)
    )
    return figure, axes


def text_width(text: str, size: float = SMALL) -> int:
    """Return about how many pixels wide a text is: readers' fonts are seldom wider."""
    return math.ceil(TextPath((0, 0), text, size=size).get_extents().x1)


def compact(value: float) -> str:
    """Format a number with three digits: 0.769, 13.5, 618, 14.7 M."""
    if value >= 1e6:
        return f"{value / 1e6:.3g} M"
    if value >= 1e4:
        return f"{value / 1e3:.3g} k"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def label_log_axis(axis: Axis) -> None:
    """Label a logarithmic axis with plain numbers: 0.1, 0.2, 0.5, 1."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
    axis.set_minor_locator(NullLocator())


def to_svg(figure: Figure, name: str) -> str:
    """Return a figure as an SVG to stand within another one or in HTML.

    Its ids begin with `name`. A group whose gid begins with `m-` keeps it as its class.
    """
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    text = re.sub(r' xmlns(:xlink)?="[^"]*"|xlink:(?=href)|<metadata.*</metadata>', "",
                  file.getvalue(), flags=re.DOTALL)  # fmt: skip
    root = ElementTree.fromstring(text)  # noqa: S314 (our own)
    used = sorted(set(re.findall(r'(?:href="#|url\(#)([^")]+)', text)))
    ids = {old: f"{name}-{number}" for number, old in enumerate(used)}
    for element in root.iter():
        _simplify(element, ids)
    _flatten(root)
    size = f"0 0 {figure.get_figwidth() * 72:.0f} {figure.get_figheight() * 72:.0f}"
    root.attrib = {"viewBox": size, "stroke-linejoin": "round"}
    return ElementTree.tostring(root, encoding="unicode").strip()


def _simplify(element: ElementTree.Element, ids: dict[str, str]) -> None:
    """Rename the ids that something refers to, drop the others, and round all numbers."""
    old = element.attrib.pop("id", "")
    if old in ids:
        element.set("id", ids[old])
    elif old.startswith("m-"):
        element.set("class", old)
    if element.get("transform", "").startswith("rotate(-0 "):
        del element.attrib["transform"]
    for key, value in element.items():
        if value.startswith("data:"):
            value = re.sub(r"\s", "", value)
        elif value.startswith(("#", "url(#")):
            value = re.sub(r"(?<=#)[^)]+", lambda match: ids[match[0]], value)
        elif key == "style":
            value = re.sub(r"font-family: [^;]*;? ?", "", value)
        else:
            value = re.sub(r"-?\d+\.\d+", lambda match: f"{round(float(match[0]), 2):g}", value)
            value = " ".join(value.split())
        element.set(key, value)


def _flatten(element: ElementTree.Element) -> None:
    """Replace groups without attributes by what is in them; drop matplotlib's global style."""
    children: list[ElementTree.Element] = []
    for child in element:
        _flatten(child)
        if child.tag == "style" or (child.tag == "defs" and not len(child)):
            continue
        children += list(child) if child.tag == "g" and not child.attrib else [child]
    for child in children:
        child.tail = "\n"
    element[:] = children
    if element.tag != "text":
        element.text = "\n" if children else None
