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
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from mnist.reporting.results import TITLES, ModelResult

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
        colour = _colour(result)
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
        colour = _colour(result)
        axes.plot(epochs, accuracy, color=colour, marker="o", markersize=4, label=result.title)
    axes.set(xlabel="epoch", ylabel="validation accuracy in %")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)
    return _svg(figure)


def confusion_matrix(result: ModelResult) -> str:
    """Counts of actual against predicted digits; only the errors are coloured."""
    found_none = bool((result.predicted < 0).any())
    counts = np.zeros((10, 10 + found_none), dtype=int)
    np.add.at(counts, (result.labels, result.predicted), 1)  # -1 is the last column
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


def error_gallery(results: Sequence[ModelResult], most: int) -> str:
    """Digits that some model gets wrong, those wrong in most models first, with every answer."""
    pixels = {e["index"]: e for result in results for e in result.misclassified}
    wrong = np.sum([~result.right for result in results], axis=0)
    chosen = sorted(pixels, key=lambda i: (-wrong[i], i))[:most]
    figure, grid = _grid(len(chosen), 10, 1.3)
    for axes, i in zip(grid, chosen, strict=False):
        axes.imshow(_pixels(pixels[i]), cmap="gray_r", vmin=0, vmax=255)
        answers = " ".join("-" if r.predicted[i] < 0 else str(r.predicted[i]) for r in results)
        axes.set_title(f"{i} is {results[0].labels[i]}\n{answers}", fontsize=7)
    return _svg(figure)


def reliability_diagram(results: Sequence[ModelResult]) -> str:
    """Share of right answers over confidence; on the diagonal a model is as good as it says."""
    figure, axes = _figure(6, 5)
    axes.plot([0, 1], [0, 1], "--", color="grey")
    for result in results:
        confidence, right = (
            [b[key] for b in result.reliability] for key in ("confidence", "right")
        )
        colour = _colour(result)
        axes.plot(confidence, right, color=colour, marker="o", markersize=4, label=result.title)
    axes.set(xlabel="confidence", ylabel="share of right answers", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend(frameon=False)
    return _svg(figure)


def disagreement(names: Sequence[str], counts: dict[str, dict[str, int]]) -> str:
    """On how many digits two models answer differently."""
    table = np.array([[counts[a][b] for b in names] for a in names])
    titles = [TITLES.get(name, name) for name in names]
    figure, axes = _figure(6, 5)
    axes.imshow(table, cmap="Blues", vmax=max(2 * table.max(), 1))
    for (i, j), count in np.ndenumerate(table):
        axes.text(j, i, str(count), ha="center", va="center", fontsize=9)
    axes.set_xticks(range(len(names)), titles, rotation=20, ha="right")
    axes.set_yticks(range(len(names)), titles)
    axes.grid(False)
    return _svg(figure)


def pareto_front(results: Sequence[ModelResult]) -> list[ModelResult]:
    """The models that no other beats in both arithmetic and errors, the cheapest first."""
    front: list[ModelResult] = []
    for result in sorted(results, key=lambda r: (r.quality["flops"], r.quality["errors"])):
        if not front or result.quality["errors"] < front[-1].quality["errors"]:
            front.append(result)
    return front


def accuracy_against_cost(results: Sequence[ModelResult]) -> str:
    """Test errors with their 95 % interval over the arithmetic of one answer.

    The line joins the models that no other beats in both: the Pareto front.
    """
    figure, axes = _figure(7, 4)
    for result in results:
        quality = result.quality
        error = 100 * (1 - quality["accuracy"])
        low, high = (100 * (1 - quality[f"accuracy_ci95_{end}"]) for end in ("high", "low"))
        spread = [[error - low], [high - error]]
        mega = quality["flops"] / 1e6
        colour = _colour(result)
        axes.errorbar(mega, error, yerr=spread, fmt="o", color=colour, capsize=3)
        axes.annotate(result.title, (mega, error), (6, 4), textcoords="offset points", fontsize=9)
    front = pareto_front(results)
    steps = [(r.quality["flops"] / 1e6, 100 * (1 - r.quality["accuracy"])) for r in front]
    axes.step(*zip(*steps, strict=True), where="post", color="grey", linewidth=1, zorder=0)
    axes.set(xlabel="MFLOP for one digit", ylabel="test error in %", xscale="log", yscale="log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 3, 4, 5, 7)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_locator(NullLocator())
    return _svg(figure)


def robustness(results: Sequence[ModelResult]) -> str:
    """Accuracy by corruption and model, a picture of the corruption beside each row."""
    shares = [{kind: share for kind, _, share in r.robustness} for r in results]
    for result, of_model in zip(results, shares, strict=True):
        of_model["mean of all"] = result.mean_corrupted
    kinds = ["none", *results[0].corrupted, "mean of all"]
    table = np.array([[100 * of_model[kind] for of_model in shares] for kind in kinds])
    figure, axes = _figure(7.5, 0.5 * len(kinds) + 1)
    axes.imshow(table, cmap="Blues_r", vmin=0, vmax=130, aspect="auto")
    for (i, j), share in np.ndenumerate(table):
        colour = "white" if share < 60 else "black"
        axes.text(j, i, f"{share:.1f}", ha="center", va="center", fontsize=9, color=colour)
    axes.set_xticks(range(len(results)), [r.title for r in results], rotation=20, ha="right")
    axes.set_yticks(range(len(kinds)), [kind.replace("_", " ") for kind in kinds])
    axes.tick_params(axis="y", pad=44, length=0)
    axes.grid(False)
    pictures = results[0].robustness_examples["pictures"]
    for row, kind in enumerate(kinds):
        if kind in pictures:
            # left of the table: left edge, lower edge, width and height as shares of the table's
            place = (-0.095, 1 - (row + 0.96) / len(kinds), 0.085, 0.92 / len(kinds))
            picture = axes.inset_axes(place)
            pixels = _pixels({"pixels": pictures[kind]})
            picture.imshow(pixels, cmap="gray_r", vmin=0, vmax=255)
            picture.axis("off")
    return _svg(figure)


def attacks(results: Sequence[ModelResult]) -> str:
    """Accuracy over the largest change of a pixel: FGSM as lines, PGD as crosses."""
    figure, axes = _figure(7, 4)
    for result in results:
        for kind, form in (("fgsm", "o-"), ("pgd", "X")):
            eps, shares = zip(*result.attacked(kind), strict=True)
            percent = [100 * share for share in shares]
            label = result.title if kind == "fgsm" else None
            colour = _colour(result)
            size = 5 if kind == "fgsm" else 9
            axes.plot(eps, percent, form, color=colour, markersize=size, label=label)
    axes.set(xlabel="largest change of a pixel (0 to 1)", ylabel="accuracy in %", ylim=(-2, 102))
    axes.legend(frameon=False)
    return _svg(figure)


def attention_maps(result: ModelResult) -> str:
    """Digits under the share of attention that each patch gets, right answers first."""
    figure, grid = _grid(len(result.attention), 10, 1.15)
    for axes, example in zip(grid, result.attention, strict=False):
        side = math.isqrt(len(example["attention"]))
        shares = np.reshape(example["attention"], (side, side))
        whole = (0, 28, 28, 0)
        axes.imshow(_pixels(example), cmap="gray_r", vmin=0, vmax=255, extent=whole)
        axes.imshow(shares, cmap="Reds", alpha=0.55, extent=whole, interpolation="bilinear")
        axes.set_title(f"{example['actual']} → {example['predicted']}", fontsize=8)
    return _svg(figure)


def scenes(result: ModelResult) -> str:
    """Scenes with the true boxes (dotted) and those found; the worst scenes below."""
    figure, grid = _grid(len(result.scenes), 6, 1.75)
    colour = _colour(result)
    for axes, scene in zip(grid, result.scenes, strict=False):
        pixels = _pixels(scene)
        whole = (0, *pixels.shape, 0)
        axes.imshow(pixels, cmap="gray_r", vmin=0, vmax=255, extent=whole)
        for left, top, right, bottom, _ in scene["true"]:
            size = (right - left, bottom - top)
            axes.add_patch(Rectangle((left, top), *size, fill=False, linestyle=":", color="grey"))
        for left, top, right, bottom, digit, _ in scene["found"]:
            size = (right - left, bottom - top)
            axes.add_patch(Rectangle((left, top), *size, fill=False, color=colour))
            axes.text(left, top, str(digit), color=colour, fontsize=8, va="bottom")
        truth = " ".join(str(box[-1]) for box in scene["true"])
        axes.set_title(f"{truth}: {scene['mistakes']} wrong", fontsize=8)
    return _svg(figure)


def precision_per_digit(result: ModelResult) -> str:
    """COCO mean average precision of each digit."""
    scores = result.quality["detection"]["map_per_digit"]
    figure, axes = _figure(7, 3)
    bars = axes.bar(list(scores), list(scores.values()), color=_colour(result))
    axes.bar_label(bars, fmt="{:.3f}", fontsize=8)
    axes.set(xlabel="digit", ylabel="mAP", ylim=(0, 1.05))
    axes.grid(axis="x", visible=False)
    return _svg(figure)


def _pixels(example: dict[str, Any]) -> np.ndarray:
    """The square picture that an evaluation kept."""
    pixels = np.frombuffer(base64.b64decode(example["pixels"]), dtype=np.uint8)
    side = math.isqrt(pixels.size)
    return pixels.reshape(side, side)


def _colour(result: ModelResult) -> str:
    return COLOURS.get(result.name, "black")


def _grid(pictures: int, columns: int, height: float) -> tuple[Figure, list[Axes]]:
    """Room for so many pictures, row by row, each line `height` inches high."""
    lines = max(1, -(-pictures // columns))
    figure = Figure(figsize=(9, height * lines), layout="constrained")
    grid = list(figure.subplots(lines, columns, squeeze=False).flat)
    for axes in grid:
        axes.axis("off")
    return figure, grid


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
