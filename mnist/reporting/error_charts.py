"""The charts of the error: by model, between models, against cost, by writers, while they learn."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from mnist.reporting.charts import INK, SOFT, Chart, compact, label_log_axis, new_figure, to_svg
from mnist.reporting.findings import is_shown, percent
from mnist.reporting.reference import LAB
from mnist.reporting.results import Results

INTERVAL: Any = {"linewidth": 3, "solid_capstyle": "butt"}


def hero(results: Results, comparison: Mapping[str, Any]) -> Chart:
    """Plot the test error of each model: every training, the mean, its interval, and the lab's."""
    styles = {result.name: result.style for result in results.models}
    ranking, seeds = comparison["ranking"], comparison["seeds"]
    lab = {name: 1 - accuracy for name, accuracy in LAB.items() if results.is_mnist}
    ends = [end for of in seeds.values() for end in (*of["errors"], *of["ci95"])]
    # A figure of the lab far away must not squeeze the others.
    reach = max(ends) + 0.5 * max(max(ends) - min(ends), 0.001)
    figure, axes = new_figure(60 + 46 * len(ranking))
    for y, name in enumerate(ranking):
        of, colour = seeds[name], styles[name].colour
        axes.plot([100 * end for end in of["ci95"]], [y, y], color=colour, **INTERVAL)
        axes.plot(100 * of["mean_error"], y, styles[name].marker, color=colour, markersize=11)
        if of["n"] > 1:
            errors = [100 * error for error in of["errors"]]
            axes.plot(errors, [y + 0.28] * of["n"], "o", color=colour, markersize=5, alpha=0.6)
        if lab.get(name, reach) < reach:
            axes.plot(100 * lab[name], y, "o", color=INK, markerfacecolor="none", markersize=13,
                      markeredgewidth=1.5)  # fmt: skip
        elif name in lab:
            axes.annotate(f"lab: {percent(lab[name])} →", (1, y + 0.3), ha="right", va="center",
                          xycoords=("axes fraction", "data"), alpha=SOFT)  # fmt: skip
    texts = [f"{results.titles[name]}, {percent(seeds[name]['mean_error'])}" for name in ranking]
    _label_rows(axes, [text.replace(", ", "\n") for text in texts], "test error in %")
    axes.set_xlim(left=max(0, axes.get_xlim()[0]))
    return Chart(
        "hero",
        f"Mean test errors, the lowest first: {'; '.join(texts)}.",
        "Large marks: mean of the trainings; small dots: each training; lines: 95% interval."
        + (" Circles: the lab's one training." if lab else ""),
        to_svg(figure, "hero"),
    )


def differences(results: Results, comparison: Mapping[str, Any]) -> Chart | None:
    """Plot the difference of each pair of models with its interval; None with one model."""
    pairs, titles = comparison["pairs"], results.titles
    if not pairs:
        return None
    colours = {result.name: result.style.colour for result in results.models}
    figure, axes = new_figure(60 + 30 * len(pairs))
    axes.axvline(0, color=INK, linewidth=1.2)
    for y, pair in enumerate(pairs):
        colour = colours[pair["better"]]
        inside = colour if is_shown(pair) else "none"
        axes.plot([100 * end for end in pair["ci95"]], [y, y], color=colour, **INTERVAL)
        axes.plot(100 * pair["difference"], y, "o", color=colour, markersize=10,
                  markeredgewidth=1.8, markerfacecolor=inside)  # fmt: skip
    names = [f"{titles[pair['worse']]} – {titles[pair['better']]}" for pair in pairs]
    _label_rows(axes, names, "difference of the test errors in points")
    return Chart(
        "differences",
        f"Of {len(pairs)} differences {sum(map(is_shown, pairs))} are shown to be other than zero.",
        "Difference of the mean errors with its 95% interval, paired, over trainings and "
        f"{comparison['unit']}. Filled: other than zero with Holm's correction for {len(pairs)} "
        "tests, which is stricter than each interval alone.",
        to_svg(figure, "differences"),
    )


def groups(results: Results, comparison: Mapping[str, Any]) -> Chart | None:
    """Plot the error of each model on each group of writers; None where they are not known."""
    if "groups" not in comparison:
        return None
    found, ranking = comparison["groups"], comparison["ranking"]
    colours = {result.name: result.style.colour for result in results.models}
    figure, axes = new_figure(100 + 46 * len(ranking))
    for group, marker, lift in zip(found, ("o", "D"), (-0.14, 0.14), strict=True):
        for y, name in enumerate(ranking):
            of, colour = found[group]["models"][name], colours[name]
            axes.plot([100 * end for end in of["ci95"]], [y + lift] * 2, color=colour, **INTERVAL)
            axes.plot(100 * of["mean_error"], y + lift, marker, color=colour, markersize=9)
        text = "{writers} {}, {images:,} digits".format(group, **found[group])
        axes.plot([], [], marker, color=INK, label=text)
    errors = [
        [percent(group["models"][name]["mean_error"]) for group in found.values()]
        for name in ranking
    ]
    texts = [
        f"{results.titles[n]}\n{' and '.join(e)}" for n, e in zip(ranking, errors, strict=True)
    ]
    _label_rows(axes, texts, "test error in %")
    axes.set_xlim(left=0)
    figure.legend(loc="outside upper left")
    return Chart(
        "groups",
        f"Mean test errors on digits of {' and of '.join(found)}: {'; '.join(texts)}.",
        "Mean error over trainings by who wrote the digits, with 95% intervals.",
        to_svg(figure, "groups"),
    )


def cost(results: Results, comparison: Mapping[str, Any]) -> Chart:
    """Plot the test error over the arithmetic of the training."""
    figure, axes = new_figure(340)
    texts = []
    for result in results.models:
        title, colour, marker, _ = result.style
        of = comparison["seeds"][result.name]
        tflop = comparison["cost"][result.name]["train_tflop"]
        axes.plot([tflop, tflop], [100 * end for end in of["ci95"]], color=colour, **INTERVAL)
        axes.plot(tflop, 100 * of["mean_error"], marker, color=colour, markersize=11, label=title)
        texts.append(f"{title}, {compact(tflop)} TFLOP and {percent(of['mean_error'])}")
    axes.set(xscale="log", ylim=(0, None), xlabel="TFLOP of training", ylabel="test error in %")
    axes.margins(x=0.15)
    label_log_axis(axes.xaxis)
    figure.legend(loc="outside upper left", ncols=3)
    return Chart(
        "cost",
        f"Arithmetic of the training and mean test error: {'; '.join(texts)}.",
        "Mean test error with its 95% interval. TFLOP: 10¹² floating-point operations.",
        to_svg(figure, "cost"),
    )


def learning_curves(results: Results, comparison: Mapping[str, Any]) -> Chart:
    """Plot the validation error over the arithmetic of the training."""
    figure, axes = new_figure(360)
    for result in results.models:
        title, colour, marker, dash = result.style
        own = result.training["train_tflop"]
        # A model that starts from another's weights starts where that one's training ended.
        before = comparison["cost"][result.name]["train_tflop"] - own
        tflop = [before + own * row["epoch"] / result.training["epochs"] for row in result.curve]
        # No error on so many images is shown as half an error.
        least = 0.5 / result.curve[-1]["val_digits"]
        error = [100 * max(1 - row["val_accuracy"], least) for row in result.curve]
        axes.plot(tflop, error, color=colour, linestyle=dash, linewidth=1.8, marker=marker,
                  markersize=7, label=title)  # fmt: skip
    axes.set(xscale="log", yscale="log")
    axes.set(xlabel="TFLOP of training so far", ylabel="validation error in %")
    label_log_axis(axes.xaxis)
    label_log_axis(axes.yaxis)
    figure.legend(loc="outside upper left", ncols=3)
    ends = [percent(1 - result.curve[-1]["val_accuracy"]) for result in results.models]
    return Chart(
        "learning_curves",
        f"Validation errors of the committed seed end between {min(ends)} and {max(ends)}.",
        f"Error on {results.models[0].curve[-1]['val_digits']:,.0f} validation images, of one "
        "training. A model that starts from another trained model starts where that training "
        "ended.",
        to_svg(figure, "learning_curves"),
    )


def _label_rows(axes: Axes, names: Sequence[str], x_label: str) -> None:
    """Name the rows at 0, 1, ... from above, and what is plotted along them."""
    axes.set_yticks(range(len(names)), names)
    axes.set(ylim=(len(names) - 0.4, -0.5), xlabel=x_label)
    axes.grid(axis="y", visible=False)
