"""The report's plots of numbers; galleries.py draws images."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from mnist.reporting.charts import Chart, label_log_axis, new_figure, new_panels, to_svg
from mnist.reporting.results import ModelResult, Results


def accuracy_against_cost(results: Results) -> Chart:
    """Plot the test error with its 95 % interval over the FLOP to classify one image."""
    figure, axes = new_figure(7, 4)
    for result in results.models:
        error = 100 * (1 - result.metrics["accuracy"])
        low, high = (100 * (1 - result.details[f"accuracy_ci95_{end}"]) for end in ("high", "low"))
        mflop = result.details["flops"] / 1e6
        _, colour, marker = result.style
        interval = [[error - low], [high - error]]
        axes.errorbar(mflop, error, yerr=interval, fmt=marker, color=colour, capsize=3)
        axes.annotate(result.title, (mflop, error), (6, 4), textcoords="offset points", fontsize=9)
    front = [
        (r.details["flops"] / 1e6, 100 * (1 - r.metrics["accuracy"]))
        for r in pareto_front(results.models)
    ]
    axes.step(*zip(*front, strict=True), where="post", color="grey", linewidth=1, zorder=0)
    axes.set(xlabel="MFLOP per image", ylabel="test error in %", xscale="log", yscale="log")
    label_log_axis(axes.xaxis)
    label_log_axis(axes.yaxis)
    return Chart(
        "cost",
        "Accuracy against cost",
        "Test error with its 95 % interval over the arithmetic to classify one image. The line "
        "joins the models for which no other is better in both (the Pareto front).",
        to_svg(figure),
    )


def pareto_front(models: Sequence[ModelResult]) -> list[ModelResult]:
    """Select the models for which no other has fewer FLOP and fewer errors, cheapest first."""
    front: list[ModelResult] = []
    for result in sorted(models, key=lambda r: (r.details["flops"], r.metrics["errors"])):
        if not front or result.metrics["errors"] < front[-1].metrics["errors"]:
            front.append(result)
    return front


def loss_curves(results: Results) -> Chart:
    """Plot the losses over the epochs, a panel per model."""
    models = results.models
    figure, panels = new_panels(len(models), min(2, len(models)), 4.5, 3, sharey=True)
    for axes, result in zip(panels, models, strict=True):
        epochs = [row["epoch"] for row in result.curve]
        _, colour, marker = result.style
        for key, line, label in (("train_loss", "-", "training"), ("val_loss", ":", "validation")):
            losses = [row[key] for row in result.curve]
            axes.plot(epochs, losses, marker + line, color=colour, markersize=3, label=label)
        lab = result.lab
        if results.is_mnist and lab.epochs and lab.first_loss and lab.last_loss:
            ends = [lab.first_loss, lab.last_loss]
            axes.plot([1, lab.epochs], ends, "--", color="grey", marker="s", label="the lab's")
        axes.set(title=result.title, xlabel="epoch", ylabel="loss", yscale="log")
        axes.set_xlim(left=0)
        label_log_axis(axes.yaxis)
        axes.legend(frameon=False)
    description = (
        "Training loss, on augmented images and smoothed labels, which keep it from falling to 0 "
        "(of a detector: the sum of its losses), and validation loss on plain images. After the "
        "first epoch a classifier sees hard images more often, which raises its training loss."
    )
    if results.is_mnist:
        description += " The dashed line joins the first and the last loss that the lab reported."
    return Chart("loss", "Learning curves: loss", description, to_svg(figure))


def accuracy_curves(results: Results) -> Chart:
    """Plot the validation accuracy over the epochs."""
    figure, axes = new_figure(7, 4)
    for result in results.models:
        epochs = [row["epoch"] for row in result.curve]
        accuracy = [100 * row["val_accuracy"] for row in result.curve]
        title, colour, marker = result.style
        axes.plot(epochs, accuracy, color=colour, marker=marker, markersize=4, label=title)
    axes.set(xlabel="epoch", ylabel="validation accuracy in %")
    axes.set_xlim(left=0)
    axes.legend(frameon=False)
    counts = [int(row["val_digits"]) for result in results.models for row in result.curve]
    some = f" (a stratified {min(counts):,} of them before the last point)"
    return Chart(
        "accuracy",
        "Learning curves: accuracy",
        f"Accuracy on {max(counts):,} validation images{some * (min(counts) < max(counts))}.",
        to_svg(figure),
    )


def disagreement(results: Results, counts: dict[str, dict[str, int]]) -> Chart:
    """Show for each pair of models how many predictions differ."""
    names = [result.name for result in results.models]
    titles = [result.title for result in results.models]
    table = np.array([[counts[a][b] for b in names] for a in names])
    figure, axes = new_figure(6, 5)
    _show_counts(axes, table, table, titles, titles)
    return Chart(
        "disagreement",
        "Disagreement",
        "Number of test images that two models classify differently.",
        to_svg(figure),
    )


def reliability_diagram(results: Results) -> Chart:
    """Plot accuracy over confidence; a calibrated model is on the diagonal."""
    figure, axes = new_figure(6, 5)
    axes.plot([0, 1], [0, 1], "--", color="grey")
    for result in results.models:
        title, colour, marker = result.style
        for scaling, line, label in (("none", "-", title), ("temperature", ":", None)):
            bins = [row for row in result.reliability if row["scaling"] == scaling]
            confidence = [float(row["confidence"]) for row in bins]
            accuracy = [float(row["accuracy"]) for row in bins]
            axes.plot(confidence, accuracy, marker + line, color=colour, markersize=4, label=label)
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend(frameon=False)
    return Chart(
        "reliability",
        "Reliability",
        "Accuracy of predictions with about the same confidence, in bins of as many predictions "
        "each. Solid: the model as it is; dotted: after temperature scaling. Above the diagonal a "
        "model is better than its confidence, below it is too confident.",
        to_svg(figure),
    )


def attacks(results: Results) -> Chart | None:
    """Plot accuracy under attack over the largest change of a pixel; None without an attack."""
    figure, axes = new_figure(7, 4)
    attacked = [result for result in results.models if result.attacks]
    for result in attacked:
        title, colour, marker = result.style
        for kind, form, size, label in (("fgsm", f"{marker}-", 5, title), ("pgd", "X", 9, None)):
            rows = [row for row in result.attacks if row["attack"] == kind]
            eps = [float(row["eps"]) for row in rows]
            accuracy = [100 * float(row["accuracy"]) for row in rows]
            axes.plot(eps, accuracy, form, color=colour, markersize=size, label=label)
    axes.set(xlabel="largest change of a pixel (0 to 1)", ylabel="accuracy in %", ylim=(-2, 102))
    if not attacked:
        return None
    axes.legend(frameon=False)
    images = int(attacked[0].attacks[0]["digits"])
    return Chart(
        "attacks",
        "Adversarial attacks",
        f"Accuracy on {images:,} test images that are changed, within limits, to mislead the "
        "model: by one step along the sign of its gradient (FGSM, lines) and by many small steps "
        "(PGD, crosses). A detector is not attacked.",
        to_svg(figure),
    )


def confusion_matrix(results: Results, result: ModelResult) -> Chart:
    """Count images by actual and predicted class; only the errors are coloured."""
    classes = len(results.classes)
    columns = [*results.classes, *["none"] * bool((result.predicted < 0).any())]
    counts = np.zeros((classes, len(columns)), dtype=int)
    np.add.at(counts, (result.labels, result.predicted), 1)  # -1 is the last column
    errors = counts.copy()
    np.fill_diagonal(errors, 0)
    figure, axes = new_figure(6, 6)
    _show_counts(axes, counts, errors, results.classes, columns)
    axes.set(xlabel="predicted", ylabel="actual")
    return Chart(
        f"confusion_{result.name}",
        f"Confusion matrix: {result.title}",
        "Test images by actual and predicted class; the darker, the more errors.",
        to_svg(figure),
    )


def precision_per_class(results: Results, result: ModelResult) -> Chart:
    """Plot a detector's mean average precision of each class."""
    precision = result.details["map_per_digit"]
    names = [results.class_name(int(label)) for label in precision]
    figure, axes = new_figure(7, 3)
    bars = axes.bar(range(len(names)), list(precision.values()), color=result.style.colour)
    axes.bar_label(bars, fmt="{:.3f}", fontsize=8)
    axes.set_xticks(range(len(names)), names, rotation=_rotation(names))
    axes.set(xlabel="class", ylabel="mAP", ylim=(0, 1.05))
    axes.grid(axis="x", visible=False)
    metrics = result.metrics
    return Chart(
        f"precision_{result.name}",
        f"Mean average precision: {result.title}",
        "COCO's mAP, the mean over overlaps of 0.5 to 0.95, of each class; of all "
        f"{metrics['map']:.3f}, at an overlap of 0.5 {metrics['map_50']:.3f}, at 0.75 "
        f"{metrics['map_75']:.3f}.",
        to_svg(figure),
    )


def _show_counts(
    axes: Axes, counts: np.ndarray, colours: np.ndarray, rows: Sequence[str], columns: Sequence[str]
) -> None:
    """Write the counts that are not 0 into a grid; the higher `colours`, the darker the cell."""
    axes.imshow(colours, cmap="Blues", vmax=max(2 * colours.max(), 1))
    for (i, j), count in np.ndenumerate(counts):
        if count:
            axes.text(j, i, str(count), ha="center", va="center", fontsize=8)
    axes.set_xticks(range(len(columns)), columns, rotation=_rotation(columns))
    axes.set_yticks(range(len(rows)), rows)
    axes.grid(False)


def _rotation(names: Sequence[str]) -> int:
    """Return the degrees by which names below an axis are turned, so that they do not overlap."""
    return 0 if max(map(len, names)) <= 4 else 40
