"""How each model is shown, in tables, charts and on the terminal."""

from collections.abc import Sequence
from typing import NamedTuple


class Style(NamedTuple):
    """A title; colours on white and on a dark page; marker and dashes as matplotlib names them."""

    title: str
    colour: str
    dark: str
    marker: str
    dash: str | tuple[float, tuple[float, ...]]


# Chosen for readers with any kind of colour vision and for print: under simulated deuteranopia and
# protanopia, and in shades of grey, no two of a page's colours come out alike.
STYLES = {
    "cnn": Style("CNN", "#395db4", "#6daeff", "s", "-"),
    "frcnn": Style("Faster R-CNN", "#cb5604", "#ffa142", "P", (0, (1, 1.5))),
    "vgg16": Style("VGG16", "#52088e", "#9072d9", "^", (0, (5, 1.5, 1, 1.5))),
    "alexnet": Style("AlexNet", "#209878", "#6ddfa4", "o", (0, (7, 2))),
    "vit": Style("Vision Transformer", "#a40f65", "#de6a98", "D", (0, (3, 1.5))),
}
UNKNOWN = "#59626e", "#a3abb5"
WRONG = "#c8102e", "#ff7b7b"


def style(name: str) -> Style:
    """Return the style of model `name`; a model without one is shown in grey by its name."""
    return STYLES.get(name, Style(name, *UNKNOWN, "o", "-"))


def css_colours(names: Sequence[str]) -> dict[str, str]:
    """Return the CSS variables of the models and of what is wrong, `light` and `dark`."""
    colours = {name: (style(name).colour, style(name).dark) for name in names}
    colours["wrong"] = WRONG
    return {
        page: " ".join(f"--{name}: {pair[i]};" for name, pair in colours.items())
        for i, page in enumerate(("light", "dark"))
    }
