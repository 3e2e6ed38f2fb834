"""The report's charts of the error: by model, against cost, and while a model learns."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from mnist.reporting.charts import (
    IN_ROW,
    INK,
    LARGE,
    LINE,
    MEDIUM,
    SOFT,
    WIDTH,
    Chart,
    compact,
    label_log_axis,
    new_panel,
    text_width,
    to_svg,
)
from mnist.reporting.results import ModelResult, Results

MEASURES = {
    "train_tflop": ("training compute", "TFLOP to train", "TFLOP"),
    "train_seconds": ("training time", "seconds to train", "s"),
    "latency_ms": ("latency", "milliseconds to classify one image", "ms"),
    "parameters": ("size", "parameters", "parameters"),
}


# Right, left, above, below, and the corners.
DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))


class Error(NamedTuple):
    """Test error in % over the seeds of a model."""

    mean: float
    interval: tuple[float, float]
    of_seeds: list[float]


def mean_error(result: ModelResult, comparison: Mapping[str, Any]) -> Error:
    """Take the error of a model from comparison.json."""
    seeds = comparison["seeds"][result.name]
    low, high = seeds["ci95"]
    errors = [100 * error for error in seeds["errors"]]
    return Error(100 * seeds["mean_error"], (100 * low, 100 * high), errors)


def hero(results: Results, comparison: Mapping[str, Any]) -> Chart:
    """Plot the test error of each model: every seed, the mean, its interval, and the lab's."""
    models = {result.name: result for result in results.models}
    ranked = [models[name] for name in comparison["ranking"]]
    errors = [mean_error(result, comparison) for result in ranked]
    labs = [100 * (1 - r.lab.accuracy) if r.lab.accuracy and results.is_mnist else None
            for r in ranked]  # fmt: skip
    ours = [x for e in errors for x in (*e.of_seeds, *e.interval)]
    least, most = min(ours), max(ours)
    reach = most + 0.5 * max(most - least, 0.1)
    ends = [*ours, *(lab for lab in labs if lab and lab <= reach)]
    pad = 0.05 * max(max(ends) - min(ends), 0.1)

    left = 62 + max(text_width(result.title, LARGE) for result in ranked)
    figure, axes = new_panel(WIDTH, 44 + 40 * len(ranked), left, 30, 4, 40)
    axes.set(xlim=(max(min(ends) - pad, 0), max(ends) + pad), ylim=(len(ranked) - 0.4, -0.5))
    for y, (result, error, lab) in enumerate(zip(ranked, errors, labs, strict=True)):
        _, colour, _, marker, _ = result.style
        axes.annotate(result.title, (0, y), (4 - left, 0), va="center", fontsize=LARGE, **IN_ROW)
        axes.annotate(f"{error.mean:.2f}", (0, y), (-10, 0), ha="right", va="center",
                      fontsize=LARGE, fontweight="bold", **IN_ROW)  # fmt: skip
        axes.plot(error.interval, [y, y], color=colour, linewidth=3, solid_capstyle="round")
        axes.plot(error.mean, y, marker, color=colour, markersize=11, gid=f"m-{result.name}")
        if len(error.of_seeds) > 1:
            below = [y + 0.27 + 0.1 * error.of_seeds[:i].count(e)
                     for i, e in enumerate(error.of_seeds)]  # fmt: skip
            axes.plot(error.of_seeds, below, "o", color=colour, markersize=4.5, alpha=0.6)
        if lab and lab <= reach:
            axes.plot(lab, y, "o", markerfacecolor="none", markeredgecolor=SOFT, markersize=10,
                      markeredgewidth=1.6)  # fmt: skip
            axes.annotate("lab", (lab, y), (9, 0), textcoords="offset points", va="center",
                          fontsize=MEDIUM, color=SOFT)  # fmt: skip
        elif lab:
            axes.annotate(f"lab: {lab:.2f} →", (1, y), (26, 0), ha="right", va="center",
                          fontsize=MEDIUM, color=SOFT, **IN_ROW)  # fmt: skip
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0, labelleft=False)
    axes.tick_params(axis="x", length=0, labelsize=MEDIUM)
    axes.locator_params(axis="x", nbins=6)
    axes.set_xlabel("test error in %, mean and its 95 % interval", fontsize=MEDIUM)
    first, last = ranked[0], ranked[-1]
    counts = sorted({len(error.of_seeds) for error in errors})
    seeds = " to ".join(map(str, sorted({counts[0], counts[-1]})))
    alt = f"{first.title} has the lowest mean test error, {errors[0].mean:.2f} %"
    if last is not first:
        alt += f", and {last.title} the highest, {errors[-1].mean:.2f} %"
    return Chart(
        "hero",
        f"{alt}.",
        f"Large marks: mean over {seeds} seed{'s' * (counts[-1] > 1)}; small dots: each seed; "
        "lines: 95 % interval of the mean."
        + (" Hollow: what the lab reported, of one training." if any(labs) else ""),
        (to_svg(figure, "hero"),),
    )


def cost(results: Results, comparison: Mapping[str, Any]) -> list[Chart]:
    """Plot the test error over each kind of cost that is known."""
    charts = []
    for measure, (heading, label, unit) in MEASURES.items():
        points = [
            (x, mean_error(result, comparison), result)
            for result in results.models
            if (x := comparison["cost"][result.name][measure]) is not None
        ]
        if points:
            charts.append(_cost(f"cost_{measure}", heading, label, unit, points))
    return charts


def _cost(
    name: str,
    heading: str,
    label: str,
    unit: str,
    points: Sequence[tuple[float, Error, ModelResult]],
) -> Chart:
    figure, axes = new_panel(WIDTH, 330, 50, 16, 12, 46)
    ends = [end for _, error, _ in points for end in (error.mean, *error.interval)]
    lowest, highest = min(ends), max(ends)
    pad = 0.1 * max(highest - lowest, 0.1)
    x = [cost for cost, *_ in points]
    axes.set(
        xscale="log", xlim=(min(x) / 1.6, max(x) * 1.8), ylim=(max(lowest - pad, 0), highest + pad)
    )
    front = pareto_front([(cost, error.mean) for cost, error, _ in points])
    right, top = axes.get_xlim()[1], axes.get_ylim()[1]
    steps_x = [front[0][0], *(cost for cost, _ in front), right]
    steps_y = [top, *(error for _, error in front), front[-1][1]]
    axes.fill_between(steps_x, steps_y, top, step="post", color=LINE, alpha=0.4, linewidth=0)
    axes.step(steps_x, steps_y, where="post", color=SOFT, linewidth=1.2)
    for cost, error, result in points:
        _, colour, _, marker, _ = result.style
        axes.plot([cost, cost], error.interval, color=colour, linewidth=2.5, solid_capstyle="round")
        axes.plot(cost, error.mean, marker, color=colour, markersize=11, gid=f"m-{result.name}")
    label_points(
        axes,
        [(cost, error.mean, result.title) for cost, error, result in points],
        [(cost, y) for cost, error, _ in points
         for y in np.linspace(*error.interval, 12)]
        + [(x, y) for y, x1, x2 in zip(steps_y[:-1], steps_x[:-1], steps_x[1:], strict=True)
           for x in np.geomspace(x1, x2, 40)],
    )  # fmt: skip
    axes.set_xlabel(label, fontsize=LARGE)
    axes.set_ylabel("test error in %", fontsize=LARGE)
    axes.tick_params(labelsize=MEDIUM)
    axes.locator_params(axis="y", nbins=6)
    label_log_axis(axes.xaxis)
    best, cheapest = min(points, key=lambda p: p[1].mean), min(points, key=lambda p: p[0])

    def at(point: tuple[float, Error, ModelResult]) -> str:
        return f"({point[1].mean:.2f} %, {compact(point[0])} {unit})"

    alt = f"{best[2].title} has the lowest test error {at(best)}"
    also = "also costs the least" if cheapest is best else f"{cheapest[2].title} costs the least"
    alt += f" and {also}" if cheapest is best else f", {also} {at(cheapest)}"
    return Chart(
        name,
        f"{alt}.",
        "Mean test error over seeds with its 95 % interval. In the shaded area another model is "
        "both better and cheaper; its edge is the Pareto front.",
        (to_svg(figure, name),),
        heading=heading,
    )


def pareto_front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Select the points of (cost, error) for which no other is lower in both, cheapest first."""
    front: list[tuple[float, float]] = []
    for cost, error in sorted(points):
        if not front or error < front[-1][1]:
            front.append((cost, error))
    return front


def label_points(
    axes: Axes, points: Sequence[tuple[float, float, str]], obstacles: Sequence[tuple[float, float]]
) -> None:
    """Write each text beside its point, where it covers no obstacle and no other text."""
    place = axes.transData.transform
    marks = place([*obstacles, *((x, y) for x, y, _ in points)])
    taken = [Bbox.from_bounds(x - 7, y - 7, 14, 14) for x, y in marks]
    for x, y, text in points:
        width, height = text_width(text, MEDIUM), MEDIUM + 2
        side, lift = width / 2 + 11, height / 2 + 10
        offsets = [(dx * side, dy * lift) for dx, dy in DIRECTIONS]
        left, low = place((x, y)) - (width / 2, height / 2)
        boxes = [Bbox.from_bounds(left + dx, low + dy, width, height) for dx, dy in offsets]
        covered = [
            box.count_overlaps(taken)
            + sum(not axes.bbox.contains(*end) for end in (box.min, box.max))
            for box in boxes
        ]
        best = covered.index(min(covered))
        taken.append(boxes[best])
        axes.annotate(text, (x, y), offsets[best], textcoords="offset points", ha="center",
                      va="center", fontsize=MEDIUM, color=INK)  # fmt: skip


def learning_curves(results: Results, comparison: Mapping[str, Any]) -> Chart:
    """Plot the validation error over the arithmetic of the training."""
    figure, axes = new_panel(WIDTH, 340, 56, 16, 12, 46)
    axes.set(xscale="log", yscale="log")
    ends = []
    for result in results.models:
        title, colour, _, marker, dash = result.style
        own = result.training["train_tflop"]
        # A model that starts from another's weights starts where that one's training ended.
        before = comparison["cost"][result.name]["train_tflop"] - own
        share = [row["epoch"] / result.training["epochs"] for row in result.curve]
        tflop = [before + own * part for part in share]
        # No error on so many images is shown as half an error.
        error = [
            max(100 * (1 - row["val_accuracy"]), 50 / row["val_digits"]) for row in result.curve
        ]
        axes.plot(tflop, error, color=colour, linestyle=dash, linewidth=1.8, marker=marker,
                  markersize=6, label=title, gid=f"m-{result.name}")  # fmt: skip
        ends.append((tflop[-1], error[-1], title))
    axes.legend(labelcolor=INK)
    label_log_axis(axes.xaxis)
    label_log_axis(axes.yaxis)
    axes.tick_params(labelsize=MEDIUM)
    axes.set_xlabel("TFLOP of training so far", fontsize=LARGE)
    axes.set_ylabel("validation error in %", fontsize=LARGE)
    counts = [int(row["val_digits"]) for result in results.models for row in result.curve]
    some = f" (a stratified {min(counts):,} of them before the last point)"
    best = min(ends, key=lambda end: end[1])
    return Chart(
        "learning_curves",
        f"{best[2]} ends with the lowest validation error, {best[1]:.2f} %, after "
        f"{compact(best[0])} TFLOP.",
        f"Error on {max(counts):,} validation images{some * (min(counts) < max(counts))}. A model "
        "that starts from another trained model starts where that training ended.",
        (to_svg(figure, "learning_curves"),),
    )
