"""The charts of confidence: is it right, and does it find the errors?"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import binomtest

from mnist.reporting.charts import INK, Chart, new_figure, to_svg
from mnist.reporting.results import Results
from mnist.reporting.statistics import errors_left

SET_ASIDE = 0.03  # of the images, on the axis of risk and coverage


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


def risk_coverage(results: Results, comparison: Mapping[str, Any]) -> Chart:
    """Plot the errors left when the least certain images are set aside."""
    figure, axes = new_figure(360)
    left = []
    for result in results.models:
        title, colour, marker, dash = result.style
        errors = errors_left(result.correct, result.calibrated.max(axis=1))
        errors = errors[: int(SET_ASIDE * len(result.labels)) + 1]
        share = 100 * np.arange(len(errors)) / len(result.labels)
        axes.plot(share, errors, color=colour, linestyle=dash, linewidth=1.8, marker=marker,
                  markersize=7, markevery=max(1, len(errors) // 6), label=title)  # fmt: skip
        left.append(errors[len(errors) // 3])
    axes.set_ylim(top=max(1, axes.get_ylim()[1]))
    axes.set(xlabel="images set aside in %, least certain first", ylabel="errors left")
    figure.legend(loc="outside upper left", ncols=3)
    return Chart(
        "risk_coverage",
        f"With the least certain {SET_ASIDE / 3:.0%} of the images set aside, {min(left)} to "
        f"{max(left)} errors are left, by model.",
        "Errors that are left when a person looks at the images set aside. Certainty: the "
        "probability of the predicted class after temperature scaling. Committed seed.",
        to_svg(figure, "risk_coverage"),
    )
