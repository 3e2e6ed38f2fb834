"""The report's charts of corrupted and attacked images."""

import numpy as np
from matplotlib.patches import Rectangle

from mnist.reporting.charts import (
    INK,
    MEDIUM,
    PAPER,
    SMALL,
    WRONG,
    Chart,
    new_panel,
    text_width,
    to_svg,
)
from mnist.reporting.galleries import show
from mnist.reporting.results import ModelResult, Results


def robustness(results: Results) -> Chart:
    """Show accuracy by corruption and model, with an example of the corruption beside each row."""
    models = results.models
    kinds = [*models[0].robustness]
    table = np.array([[100 * r.robustness[kind] for r in models] for kind in kinds])
    corrupted = table[np.array(kinds) != "none"]
    rows = ["clean" if kind == "none" else kind.replace("_", " ") for kind in kinds]
    rows += ["corrupted: mean", "corrupted: median"]
    table = np.vstack([table, corrupted.mean(axis=0), np.median(corrupted, axis=0)])
    left = 10 + max(text_width(name, MEDIUM) + 34 * (i < len(kinds)) for i, name in enumerate(rows))
    height, top = 27, 58
    cell = max(66, *(text_width(word) for r in models for word in r.title.split()))
    figure, axes = new_panel(
        left + cell * len(models) + 2, top + height * len(rows) + 10, left, 2, top, 10
    )
    axes.set(xlim=(0, len(models)), ylim=(len(rows) + 0.2, 0))
    for i, name in enumerate(rows):
        y = i + 0.5 + 0.2 * (i >= len(kinds))
        axes.annotate(name, (0, y), (-left + 34 * (i < len(kinds)), 0), textcoords="offset points",
                      va="center", fontsize=MEDIUM, color=INK)  # fmt: skip
        best = table[i].round(1).max()
        for j, rate in enumerate(table[i]):
            axes.add_patch(Rectangle((j + 0.02, y - 0.46), 0.96, 0.92, facecolor=WRONG, linewidth=0,
                                     alpha=0.02 + 0.5 * (100 - rate) / 100))  # fmt: skip
            weight = "bold" if round(rate, 1) == best and len(models) > 1 else "normal"
            axes.text(
                j + 0.5,
                y,
                f"{rate:.1f}",
                ha="center",
                va="center",
                fontsize=MEDIUM,
                fontweight=weight,
            )
        if i < len(kinds):
            # left edge, lower edge, width and height as fractions of the table's
            place = (-left / (cell * len(models)), 1 - (i + 0.96) / (len(rows) + 0.2),
                     25 / (cell * len(models)), 25 / (height * (len(rows) + 0.2)))  # fmt: skip
            show(axes.inset_axes(place), models[0].examples["corruptions"][kinds[i]])
    for j, result in enumerate(models):
        axes.plot(j + 0.5, -42 / height, result.style.marker, color=result.style.colour,
                  markersize=9, clip_on=False)  # fmt: skip
        for line, word in enumerate(reversed(result.title.split(" ", 1))):
            axes.annotate(word, (j + 0.5, 0), (0, 8 + 13 * line), textcoords="offset points",
                          ha="center", fontsize=SMALL)  # fmt: skip
    axes.axis("off")
    mean = corrupted.mean(axis=0)
    best, worst = models[mean.argmax()], models[mean.argmin()]
    alt = f"On corrupted images {best.title} is the most accurate, {mean.max():.1f} % on average"
    if len(models) > 1:
        alt += f", and {worst.title} the least, {mean.min():.1f} %"
    description = (
        f"Accuracy in % on {models[0].corrupted_images:,} test images, clean and corrupted in "
        f"{len(kinds) - 1} ways; the redder, the more errors. Bold: the best of a row."
    )
    if results.is_mnist:
        description += (
            " Kinds and strengths are those of MNIST-C (Mu & Gilmer, 2019); the random draws, and "
            "so the images, differ."
        )
    return Chart(
        "robustness",
        f"{alt}.",
        description,
        (to_svg(figure, "robustness"),),
    )


def attacks(results: Results) -> Chart | None:
    """Plot the accuracy under attack; None without an attack."""
    attacked = [result for result in results.models if result.attacks]
    if not attacked:
        return None
    kinds = {"fgsm": ("FGSM", "o"), "pgd": ("PGD", "X"), "pgd_margin": ("PGD on the margin", "d")}
    lines, axes = new_panel(430, 310, 50, 12, 28, 44)
    for result in attacked:
        title, colour, _, marker, dash = result.style
        eps, accuracy = _attack(result, "fgsm")
        axes.plot(eps, accuracy, color=colour, linestyle=dash, linewidth=1.8, marker=marker,
                  markersize=7, label=title, gid=f"m-{result.name}")  # fmt: skip
    axes.set(ylim=(-3, 103), title="FGSM (one step)")
    axes.set_xlabel("largest change of a pixel, 0 to 1", fontsize=MEDIUM)
    axes.set_ylabel("accuracy in %", fontsize=MEDIUM)
    axes.legend(labelcolor=INK)
    strongest = [row["eps"] for row in attacked[0].attacks if row["attack"] == "pgd"][-1]
    left = 10 + max(text_width(result.title, MEDIUM) for result in attacked)
    rows, axes = new_panel(430, 310, left, 16, 28, 44)
    for y, result in enumerate(attacked):
        for kind, (label, marker) in kinds.items():
            eps, accuracy = _attack(result, kind)
            at = [rate for e, rate in zip(eps, accuracy, strict=True) if e == float(strongest)]
            if at:
                colour = result.style.colour
                axes.plot(at, [y], marker, color=colour, markersize=8, clip_on=False,
                          markerfacecolor=PAPER if kind == "fgsm" else colour,
                          markeredgewidth=1.6, label=label if y == 0 else None)  # fmt: skip
    axes.set(
        xlim=(0, 100),
        ylim=(len(attacked) + 0.2, -0.7),
        title=f"Changes of up to {float(strongest):g}",
    )
    axes.set_yticks(range(len(attacked)), [result.title for result in attacked])
    axes.tick_params(axis="y", length=0, labelsize=MEDIUM, labelcolor=INK)
    axes.set_xlabel("accuracy in %", fontsize=MEDIUM)
    axes.legend(loc="lower left", labelcolor=INK, ncols=3, handlelength=1, columnspacing=1)
    images = int(attacked[0].attacks[0]["digits"])
    lowest = {
        r.title: min(float(row["accuracy"]) for row in r.attacks if row["eps"] == strongest)
        for r in attacked
    }
    best = max(lowest, key=lambda title: lowest[title])
    return Chart(
        "attacks",
        f"{best} withstands the attacks best: with changes of up to {float(strongest):g} it "
        f"classifies at most {lowest[best]:.0%} of the images correctly.",
        f"Accuracy on {images:,} test images that are changed, within limits, to mislead the "
        "model: by one step along the sign of its gradient (FGSM) or by many small ones (PGD; on "
        "the margin: from random starts). A stronger attack may find more, so each figure is an "
        "upper bound. A detector is not attacked.",
        (to_svg(lines, "attacks-lines"), to_svg(rows, "attacks-rows")),
    )


def _attack(result: ModelResult, kind: str) -> tuple[list[float], list[float]]:
    """Return the changes and the accuracies in % of one kind of attack."""
    rows = [row for row in result.attacks if row["attack"] == kind]
    return [float(row["eps"]) for row in rows], [100 * float(row["accuracy"]) for row in rows]
