"""The charts of the error: by model, by writers, against digits, arithmetic and confidence."""

import math
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import binomtest

from mnist.reporting.charts import INK, Chart, compact, label_log_axis, new_figure, style, to_svg
from mnist.reporting.comparison import LAB
from mnist.reporting.findings import is_shown, percent, sample
from mnist.reporting.results import Results

INTERVAL: Any = {"linewidth": 3, "solid_capstyle": "butt"}
SEED: Any = {"linestyle": "none", "marker": "o", "markersize": 5, "alpha": 0.6}


def hero(results: Results, comparison: Mapping[str, Any]) -> Chart:
    """Plot the test error of each model: every training, the mean and its interval."""
    ranking, seeds = comparison["ranking"], comparison["seeds"]
    lab = {name: f", lab {percent(1 - LAB[name])}" for name in comparison.get("lab", {})}
    figure, axes = new_figure(60 + 46 * len(ranking))
    for y, name in enumerate(ranking):
        of, (_, colour, marker, _) = seeds[name], style(name)
        axes.plot([100 * end for end in of["ci95"]], [y, y], color=colour, **INTERVAL)
        axes.plot(100 * of["mean_error"], y, marker, color=colour, markersize=11)
        axes.plot([100 * error for error in of["errors"]], [y + 0.28] * of["n"], color=colour,
                  **SEED)  # fmt: skip
    texts = [
        f"{results.titles[name]}, {percent(seeds[name]['mean_error'])}{lab.get(name, '')}"
        for name in ranking
    ]
    _label_rows(axes, [text.replace(", ", "\n", 1) for text in texts], "test error in %")
    axes.set_xlim(left=max(0, axes.get_xlim()[0]))
    return Chart(
        "hero",
        f"Mean test errors, the lowest first: {'; '.join(texts)}.",
        "Large marks: mean of the trainings; small dots: each training; lines: 95% interval."
        + (" Lab: the error of the university lab's one training." if lab else ""),
        to_svg(figure, "hero"),
    )


def differences(results: Results, comparison: Mapping[str, Any]) -> Chart | None:
    """Plot the difference of each pair of models with its interval; None with one model."""
    pairs, titles = comparison["pairs"], results.titles
    if not pairs:
        return None
    figure, axes = new_figure(60 + 30 * len(pairs))
    axes.axvline(0, color=INK, linewidth=1.2)
    for y, pair in enumerate(pairs):
        colour = style(pair["better"]).colour
        inside = colour if is_shown(pair) else "none"
        axes.plot([100 * end for end in pair["ci95"]], [y, y], color=colour, **INTERVAL)
        axes.plot(100 * pair["difference"], y, "o", color=colour, markersize=10,
                  markeredgewidth=1.8, markerfacecolor=inside)  # fmt: skip
    names = [f"{titles[pair['worse']]} – {titles[pair['better']]}" for pair in pairs]
    _label_rows(axes, names, "difference of the test errors in points")
    return Chart(
        "differences",
        f"Of {len(pairs)} differences {sum(map(is_shown, pairs))} are shown to be other than zero.",
        "Difference of the mean errors with its 95% interval, paired, over "
        f"{sample(comparison)}. Filled: other than zero, after Holm's correction of all tests.",
        to_svg(figure, "differences"),
    )


def groups(results: Results, comparison: Mapping[str, Any]) -> Chart | None:
    """Plot the error of each model on each group of writers; None where they are not known."""
    if "groups" not in comparison:
        return None
    found, ranking = comparison["groups"], comparison["ranking"]
    figure, axes = new_figure(100 + 46 * len(ranking))
    for group, marker, lift in zip(found, ("o", "D"), (-0.14, 0.14), strict=True):
        for y, name in enumerate(ranking):
            of, colour = found[group][name], style(name).colour
            axes.plot([100 * end for end in of["ci95"]], [y + lift] * 2, color=colour, **INTERVAL)
            axes.plot(100 * of["mean_error"], y + lift, marker, color=colour, markersize=9)
        axes.plot([], [], marker, color=INK, label=group)
    texts = []
    for name in ranking:
        errors = [percent(group[name]["mean_error"]) for group in found.values()]
        texts.append(f"{results.titles[name]}, {' and '.join(errors)}")
    _label_rows(axes, [text.replace(", ", "\n") for text in texts], "test error in %")
    axes.set_xlim(left=0)
    figure.legend(loc="outside upper left")
    return Chart(
        "groups",
        f"Mean test errors on digits of {' and of '.join(found)}: {'; '.join(texts)}.",
        "Mean error over trainings by who wrote the digits, with 95% intervals.",
        to_svg(figure, "groups"),
    )


def digits(results: Results, comparison: Mapping[str, Any]) -> Chart | None:
    """Plot the test error over the number of training digits; None where it was not varied."""
    trained = comparison["scaling"]["images"]
    sizes = sorted({of["images"] for points in trained.values() for of in points})
    if len(sizes) == 1:
        return None
    figure, axes = _plot_trainings(trained, "images", "training images")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    texts = [
        f"{results.titles[name]} {', '.join(percent(mean(of['errors'])) for of in trained[name])}"
        for name in comparison["ranking"]
    ]
    return Chart(
        "digits",
        f"Mean test errors, from few training images to all: {'; '.join(texts)}.",
        "Marks: mean over seeds; dots: each training. The images of a size are the same for all. "
        "Trainings on a part have a quarter of the steps of those on all.",
        to_svg(figure, "digits"),
    )


def cost(results: Results, comparison: Mapping[str, Any]) -> Chart:
    """Plot the test error over the arithmetic of the training."""
    trained = comparison["scaling"]["steps"]
    figure, axes = _plot_trainings(trained, "train_tflop", "TFLOP of training")
    label_log_axis(axes.xaxis)
    shown = [len(points) for points in trained.values()]
    texts = [
        f"{results.titles[name]} {compact(trained[name][-1]['train_tflop'])} TFLOP"
        for name in comparison["ranking"]
    ]
    return Chart(
        "cost",
        f"Arithmetic of the training, the lowest error first: {', '.join(texts)}.",
        "Marks: mean over seeds; dots: each training, on all images. "
        + "Lines: from a ninth of the steps to a third and to all. " * (max(shown) > 1)
        + "TFLOP: 10¹² floating-point operations.",
        to_svg(figure, "cost"),
    )


def learning_curves(results: Results, comparison: Mapping[str, Any]) -> Chart:
    """Plot the validation error over the epochs of the training."""
    curves: dict[str, list[dict[str, Any]]] = {
        r.name: [
            {"epoch": float(row["epoch"]), "errors": [1 - float(row["val_accuracy"])]}
            for row in r.curve
        ]
        for r in results.models
    }
    figure, axes = _plot_trainings(curves, "epoch", "epochs", "validation")
    label_log_axis(axes.xaxis)
    ends = [points[-1]["errors"][0] for points in curves.values()]
    return Chart(
        "learning_curves",
        f"Validation errors of the committed seed end between {min(ends):.2%} and {max(ends):.2%}.",
        f"Error on {int(results.models[0].curve[-1]['val_digits']):,} validation images, of the "
        "committed seed.",
        to_svg(figure, "learning_curves"),
    )


def _plot_trainings(
    trained: Mapping[str, Any], key: str, x_label: str, split: str = "test"
) -> tuple[Figure, Axes]:
    """Plot the errors of trainings over their figure `key`, with a line of means per model.

    A logarithmic axis has no 0, so trainings without an error are on its lower edge.
    """
    figure, axes = new_figure(360)
    found = [error for points in trained.values() for of in points for error in of["errors"]]
    edge = 50 * min(filter(None, found), default=0.01)
    for name, points in trained.items():
        title, colour, marker, dash = style(name)
        for of in points:
            errors = [max(100 * error, edge) for error in of["errors"]]
            axes.plot([of[key]] * len(errors), errors, color=colour, **SEED)
        means = [max(100 * mean(of["errors"]), edge) for of in points]
        axes.plot([of[key] for of in points], means, color=colour, linestyle=dash, linewidth=1.8,
                  marker=marker, markersize=7, label=title)  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel=x_label, ylabel=f"{split} error in %")
    if not all(found):
        axes.set(ylim=(edge, None), ylabel=f"{split} error in %, 0 on the edge")
    label_log_axis(axes.yaxis)
    figure.legend(loc="outside upper left", ncols=3)
    return figure, axes


def reliability(results: Results, comparison: Mapping[str, Any]) -> Chart:
    """Plot the error rate over that which the confidence says, before and after temperature."""
    lowest, none = 1e-4, 3e-5
    columns = min(3, len(results.models))
    rows = math.ceil(len(results.models) / columns)
    figure, grid = new_figure(50 + 160 * rows, rows, columns, sharex=True, sharey=True,
                              squeeze=False)  # fmt: skip
    for axes, result in zip(grid.flat, results.models, strict=False):
        _, colour, marker, _ = result.style
        axes.set(xscale="log", yscale="log", xlim=(lowest, 1), ylim=(none, 1))
        axes.set_title(result.title, fontsize=12)
        axes.plot([lowest, 1], [lowest, 1], color=INK, linewidth=1, dashes=(4, 3))
        for row in result.reliability:
            images, after = int(row["count"]), row["scaling"] == "temperature"
            stated, error = 1 - float(row["confidence"]), 1 - float(row["accuracy"])
            x, y = max(stated, lowest), max(error, none)
            if after:
                interval = binomtest(round(error * images), images).proportion_ci(method="wilson")
                ends = [max(end, none) for end in interval]
                axes.plot([x, x], ends, color=colour, linewidth=1, alpha=0.5)
            axes.plot(x, y, marker, color=colour, markersize=6, clip_on=False,
                      markerfacecolor=colour if after else "none")  # fmt: skip
        axes.set_xticks([1e-3, 1e-1], ["0.1%", "10%"])
        axes.set_yticks([none, 1e-3, 1e-2, 1e-1, 1], ["none", "0.1%", "1%", "10%", "100%"])
        axes.minorticks_off()
    for axes in grid.flat[len(results.models) :]:
        axes.axis("off")
    figure.supxlabel("error rate that the confidence states", fontsize=13)
    figure.supylabel("error rate", fontsize=13)
    worst = max(results.models, key=lambda r: r.details["ece_raw"])
    return Chart(
        "reliability",
        f"The largest calibration error is that of {worst.title}: {worst.details['ece_raw']:.2%}, "
        f"and {worst.metrics['ece']:.2%} after temperature scaling.",
        "Each mark is a bin of as many images. Hollow: the model as it is; filled: after "
        "temperature scaling, with 95% interval. On the dashed line confidence is right; below it "
        "the model is better than it says. Committed seed.",
        to_svg(figure, "reliability"),
    )


def _label_rows(axes: Axes, names: Sequence[str], x_label: str) -> None:
    """Name the rows at 0, 1, ... from above, and what is plotted along them."""
    axes.set_yticks(range(len(names)), names)
    axes.set(ylim=(len(names) - 0.4, -0.5), xlabel=x_label)
    axes.grid(axis="y", visible=False)
