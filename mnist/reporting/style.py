"""How each model is shown, in tables, charts and on the terminal."""

from typing import NamedTuple


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
