"""The chart of corrupted images."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mnist.reporting.charts import Chart, new_figure, show_red, to_svg
from mnist.reporting.pictures import to_array
from mnist.reporting.results import Results


def chart(results: Results, comparison: Mapping[str, Any]) -> Chart:
    """Show accuracy by corruption and model, with an example of each corruption."""
    models, kinds = results.models, list(results.models[0].robustness)
    accuracy = np.array([[r.robustness[kind].mean() for r in models] for kind in kinds])
    figure, (left, right) = new_figure(
        60 + 25 * len(kinds), 1, 2, width_ratios=[1, 11], sharey=True
    )
    show_red(right, 1 - accuracy, [[f"{100 * rate:.1f}" for rate in row] for row in accuracy])
    digits = np.vstack([to_array(models[0].examples["corruptions"][kind]) for kind in kinds])
    left.imshow(digits, cmap="gray_r", aspect="auto", interpolation="none", vmin=0, vmax=255,
                extent=(0, 1, len(kinds) - 0.5, -0.5))  # fmt: skip
    left.set(xticks=[])
    left.set_yticks(range(len(kinds)), [kind.replace("_", " ") for kind in ("clean", *kinds[1:])])
    right.xaxis.tick_top()
    right.set_xticks(range(len(models)), [r.title.replace(" ", "\n") for r in models], fontsize=12)
    right.tick_params(labelleft=False)
    mean = {name: of["mean_error"] for name, of in comparison["corrupted"]["models"].items()}
    texts = [
        f"{results.titles[name]} {mean[name]:.1%}" for name in sorted(mean, key=mean.__getitem__)
    ]
    return Chart(
        "robustness",
        f"Mean errors over {len(kinds) - 1} corruptions, the lowest first: {'; '.join(texts)}.",
        f"Accuracy in % on {comparison['corrupted']['images']:,} test images, committed seed; the "
        "redder, the more errors. Kinds and strengths are those of MNIST-C (Mu & Gilmer, 2019).",
        to_svg(figure, "robustness"),
    )
