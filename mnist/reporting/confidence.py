"""The report's charts of confidence: is it right, and does it find the errors?"""

import numpy as np
from scipy.stats import binomtest

from mnist.reporting.charts import (
    INK,
    LARGE,
    MEDIUM,
    SMALL,
    SOFT,
    WIDTH,
    Chart,
    new_panel,
    to_svg,
)
from mnist.reporting.results import Results
from mnist.reporting.statistics import errors_left

SET_ASIDE = 0.03  # of the images, on the axis of risk and coverage


def reliability(results: Results) -> Chart:
    """Plot the error rate over that which the confidence says, before and after temperature."""
    panels, lowest, none = [], 1e-4, 3e-5
    for result in results.models:
        figure, axes = new_panel(168, 180, 46, 14, 24, 36)
        axes.set(xscale="log", yscale="log", xlim=(lowest, 1), ylim=(none, 1))
        figure.text(0, 0.985, result.title, va="top", fontweight="bold")
        axes.plot([lowest, 1], [lowest, 1], color=SOFT, linewidth=1, dashes=(4, 3))
        _, colour, _, marker, _ = result.style
        most = max(int(row["count"]) for row in result.reliability)
        for row in result.reliability:
            images = int(row["count"])
            stated, error = 1 - float(row["confidence"]), 1 - float(row["accuracy"])
            x, y = max(stated, lowest), max(error, none)
            after = row["scaling"] == "temperature"
            if after:
                interval = binomtest(round(error * images), images).proportion_ci(method="wilson")
                ends = [max(end, none) for end in interval]
                axes.plot([x, x], ends, color=colour, linewidth=1, alpha=0.45)
            axes.scatter([x], [y], s=36 * images / most, marker=marker, clip_on=False,
                         facecolor=colour if after else "none", zorder=3,
                         edgecolor=colour, linewidth=0 if after else 1)  # fmt: skip
        axes.set_xticks([1e-3, 1e-1], ["0.1 %", "10 %"])
        axes.set_yticks([none, 1e-3, 1e-2, 1e-1, 1], ["none", "0.1 %", "1 %", "10 %", "100 %"])
        axes.minorticks_off()
        axes.set_xlabel("stated error", fontsize=SMALL, labelpad=2)
        axes.set_ylabel("error", fontsize=SMALL, labelpad=-4)
        axes.tick_params(length=0)
        panels.append(to_svg(figure, f"reliability-{result.name}"))
    worst = max(results.models, key=lambda r: r.details["ece_raw"])
    return Chart(
        "reliability",
        f"The largest calibration error is that of {worst.title}: {worst.details['ece_raw']:.1%}, "
        f"and {worst.metrics['ece']:.1%} after temperature scaling.",
        "Error rate against the error rate that the confidence states, in bins of as many images "
        "each (area: their number). Hollow: the model as it is; filled: after temperature scaling, "
        "with 95 % interval. On the dashed line a model is calibrated, below it better than it "
        "says.",
        tuple(panels),
    )


def risk_coverage(results: Results) -> Chart:
    """Plot the errors left when the least certain images are set aside."""
    figure, axes = new_panel(WIDTH, 320, 50, 16, 12, 46)
    left = {}
    for result in results.models:
        title, colour, _, marker, dash = result.style
        errors = errors_left(result.correct, result.calibrated.max(axis=1))
        errors = errors[: int(SET_ASIDE * len(result.labels)) + 1]
        share = 100 * np.arange(len(errors)) / len(result.labels)
        axes.plot(share, errors, color=colour, linestyle=dash, linewidth=1.8, marker=marker,
                  markersize=7, markevery=max(1, len(errors) // 6), label=title,
                  gid=f"m-{result.name}")  # fmt: skip
        left[title] = int(errors[len(errors) // 3])
    axes.set(xlim=(0, 100 * SET_ASIDE), ylim=(0, None))
    axes.tick_params(labelsize=MEDIUM)
    axes.set_xlabel("images set aside in %, least certain first", fontsize=LARGE)
    axes.set_ylabel("errors left", fontsize=LARGE)
    axes.legend(labelcolor=INK)
    best = min(left, key=lambda title: left[title])
    return Chart(
        "risk_coverage",
        f"With the least certain {SET_ASIDE / 3:.0%} of the images set aside, {best} makes the "
        f"fewest errors, {left[best]}.",
        "A person would look at the images set aside. Certainty is the probability of the "
        "predicted class after temperature scaling.",
        (to_svg(figure, "risk_coverage"),),
    )
