"""The errors by true and predicted class, of the committed seed."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from mnist.reporting.charts import Chart, new_figure, show_red, to_svg
from mnist.reporting.results import ModelResult, Results
from mnist.reporting.tables import Table

LARGEST = 12  # classes that a matrix can show; of more there is the list alone
LISTED = 20


def confusions(*models: ModelResult) -> Counter[tuple[int, int]]:
    """Count the errors by true and predicted class, which is -1 where nothing was found."""
    return Counter(
        (int(r.labels[i]), int(r.predicted[i])) for r in models for i in np.flatnonzero(~r.correct)
    )


def table(results: Results, comparison: Mapping[str, Any]) -> Table:
    """List the most frequent confusions, with a column per model."""
    counts = [confusions(*results.models), *map(confusions, results.models)]
    ordered = sorted(counts[0], key=lambda pair: (-counts[0][pair], pair))
    rows = [
        [
            f"{results.class_name(true)} read as {results.class_name(predicted, 'nothing')}",
            *(str(of[true, predicted]) for of in counts),
        ]
        for true, predicted in ordered[:LISTED]
    ]
    return Table(
        "confusions",
        f"The {len(rows)} most frequent of {len(ordered)} confusions",
        ("Confusion", "All", *results.titles.values()),
        rows,
        "Errors of the committed seed.",
    )


def chart(results: Results, comparison: Mapping[str, Any]) -> Chart | None:
    """Draw the errors of all models together; None where there are none or too many classes."""
    names, counts = results.classes, confusions(*results.models)
    if not counts or len(names) > LARGEST:
        return None
    columns = [*names, "none"] if any(predicted < 0 for _, predicted in counts) else names
    matrix = np.zeros((len(names), len(columns)), dtype=int)
    for place, number in counts.items():  # -1 is the last column
        matrix[place] = number
    figure, axes = new_figure(70 + 30 * len(names))
    show_red(axes, matrix / matrix.max(), [[str(n or "") for n in row] for row in matrix])
    axes.set_xticks(range(len(columns)), columns, rotation=90 * (max(map(len, columns)) > 4))
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="predicted class", ylabel="true class")
    ((true, predicted), number) = max(counts.items(), key=lambda item: (item[1], item[0]))
    return Chart(
        "confusion",
        f"The most frequent error is {names[true]} read as {columns[predicted]}: {number} times "
        "by all models together.",
        "Number of errors of all models together, committed seed.",
        to_svg(figure, "confusion"),
    )
