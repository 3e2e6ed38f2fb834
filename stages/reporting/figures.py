"""The report's charts, as SVG text that is the same to the byte for the same figures."""

import base64
import io
import math
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stages.reporting.results import ModelResult

# Okabe & Ito's palette can be told apart with any kind of colour vision.
COLOURS = {
    "cnn": "#0072b2",
    "frcnn": "#d55e00",
    "vgg16": "#009e73",
    "alexnet": "#e69f00",
    "vit": "#cc79a7",
}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: small, searchable, in the reader's own font
    "svg.hashsalt": "mnist",  # fixed ids
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
}


def loss_curves(results: Sequence[ModelResult]) -> str:
    """Loss per epoch, a panel a model; the lab gave its first and last, joined by a dashed line."""
    columns = min(2, len(results))
    lines = -(-len(results) // columns)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.5 * columns, 3 * lines), layout="constrained")
        panels = figure.subplots(lines, columns, sharey=True, squeeze=False).flatten()
    for axes in panels[len(results) :]:
        axes.axis("off")
    for axes, result in zip(panels, results, strict=False):
        colour = COLOURS.get(result.name, "black")
        epochs = [row["epoch"] for row in result.curve]
        for key, line, what in (("train_loss", "-", "training"), ("val_loss", ":", "validation")):
            losses = [row[key] for row in result.curve]
            axes.plot(epochs, losses, line, color=colour, marker="o", markersize=4, label=what)
        lab = result.lab
        if lab.epochs and lab.first_loss and lab.last_loss:
            ends = [lab.first_loss, lab.last_loss]
            axes.plot([1, lab.epochs], ends, "--", color="grey", marker="s", label="the lab's")
        axes.set(title=result.title, xlabel="epoch", ylabel="loss", yscale="log")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(frameon=False)
    return _svg(figure)


def accuracy_curves(results: Sequence[ModelResult]) -> str:
    """Validation accuracy per epoch."""
    figure, axes = _figure(7, 4)
    for result in results:
        epochs = [row["epoch"] for row in result.curve]
        accuracy = [100 * row["val_accuracy"] for row in result.curve]
        colour = COLOURS.get(result.name, "black")
        axes.plot(epochs, accuracy, color=colour, marker="o", markersize=4, label=result.title)
    axes.set(xlabel="epoch", ylabel="validation accuracy in %")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)
    return _svg(figure)


def confusion_matrix(result: ModelResult) -> str:
    """Counts of actual against predicted digits; only the errors are coloured."""
    counts = result.confusion
    errors = counts.copy()
    np.fill_diagonal(errors, 0)
    figure, axes = _figure(6, 6)
    axes.imshow(errors, cmap="Blues", vmax=max(2 * errors.max(), 1))
    for (actual, predicted), count in np.ndenumerate(counts):
        if count:
            axes.text(predicted, actual, str(count), ha="center", va="center", fontsize=8)
    answers = [str(digit) for digit in range(10)] + ["none"] * (counts.shape[1] - 10)
    axes.set(xlabel="predicted", ylabel="actual", yticks=range(10))
    axes.set_xticks(range(len(answers)), answers)
    axes.grid(False)
    return _svg(figure)


def error_gallery(result: ModelResult, most: int) -> str:
    """The misclassified digits, the most confident errors first: actual, predicted, how sure."""
    errors = result.misclassified[:most]
    columns = 10
    lines = max(1, -(-len(errors) // columns))
    figure = Figure(figsize=(9, 1.15 * lines), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, error in zip(grid.flat, errors, strict=False):
        axes.imshow(_pixels(error), cmap="gray_r", vmin=0, vmax=255)
        caption = f"{error['actual']} → {error['predicted']}, {error['probability']:.0%}"
        axes.set_title(caption, fontsize=8)
    return _svg(figure)


def attention_maps(result: ModelResult) -> str:
    """Digits under the share of attention that each patch gets, right answers first."""
    columns = 10
    lines = max(1, -(-len(result.attention) // columns))
    figure = Figure(figsize=(9, 1.15 * lines), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, example in zip(grid.flat, result.attention, strict=False):
        side = math.isqrt(len(example["attention"]))
        shares = np.reshape(example["attention"], (side, side))
        whole = (0, 28, 28, 0)
        axes.imshow(_pixels(example), cmap="gray_r", vmin=0, vmax=255, extent=whole)
        axes.imshow(shares, cmap="Reds", alpha=0.55, extent=whole, interpolation="bilinear")
        axes.set_title(f"{example['actual']} → {example['predicted']}", fontsize=8)
    return _svg(figure)


def _pixels(error: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(error["pixels"]), dtype=np.uint8).reshape(28, 28)


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        return figure, figure.subplots()


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(text, format="svg", metadata={"Date": None})
    # matplotlib leaves blanks at line ends, which git complains of
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"
