"""How each model is shown, in tables, charts and on the terminal: title, colour and marker."""

from typing import NamedTuple


class Style(NamedTuple):
    """A title, a colour as #rrggbb, and a marker as matplotlib names them."""

    title: str
    colour: str
    marker: str


# Okabe & Ito's palette: readers with any kind of colour vision can tell the colours apart.
STYLES = {
    "cnn": Style("CNN", "#0072b2", "o"),
    "frcnn": Style("Faster R-CNN", "#d55e00", "s"),
    "vgg16": Style("VGG16", "#009e73", "^"),
    "alexnet": Style("AlexNet", "#e69f00", "D"),
    "vit": Style("Vision Transformer", "#cc79a7", "v"),
}


def style(name: str) -> Style:
    """Return the style of model `name`; a model without one is shown in black by its name."""
    return STYLES.get(name, Style(name, "#000000", "o"))
