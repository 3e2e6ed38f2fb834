"""The sections of the report, each defined once for the page and for Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnist.reporting import confidence, confusion, findings, pictures, robustness, tables
from mnist.reporting import error_charts as errors
from mnist.reporting.charts import Chart
from mnist.reporting.results import Results
from mnist.reporting.tables import Table

# Of each section the question, the charts and the tables; the first one opens the report. The
# sentences are in findings.py and, of the last two, below.
CONTENTS: dict[str, tuple[str, Sequence[Any], Sequence[Any]]] = {
    "best": ("Which is best?", [errors.hero], [tables.leaderboard, tables.trainings]),
    "differences": ("Which differences are real?", [errors.differences], [tables.differences]),
    "cost": ("What does it cost?", [errors.cost], [tables.cost]),
    "failures": ("Where do they fail?", [confusion.chart, errors.groups], [confusion.table]),
    "confidence": (
        "Can confidence be trusted?",
        [confidence.reliability, confidence.risk_coverage],
        [tables.calibration],
    ),
    "unlike": ("What happens on corrupted images?", [robustness.chart], [tables.corrupted]),
    "detector": (
        "What does the detector find?",
        [pictures.first_scenes, pictures.worst_scenes],
        [],
    ),
    "attention": ("What does a Vision Transformer look at?", [pictures.attention], []),
    "training": ("How were they trained?", [errors.learning_curves], []),
}
LOG = ("Log of the trials, and of what was seen on the test split", "../docs/experiments.md")
LINKS = {
    "training": [
        ("All settings", "../params.yaml"),
        ("Figures behind this report", "../metrics/comparison.json"),
        ("Every training", "../metrics/seeds.csv"),
    ],
}
ROLLOUT = (
    "Patches are the squares that the image is cut into. Attention rollout (Abnar & Zuidema, 2020) "
    "adds up over all layers how much each contributes to the prediction."
)
# By the log, of the recipes for MNIST.
SELECTION = (
    "Recipes were chosen on validation images, but test figures of earlier ones had been seen: 14 "
    "times AlexNet's, 13 times the CNN's and the Vision Transformer's, 5 times VGG16's and Faster "
    "R-CNN's. Three choices for AlexNet used one. So a lead of a few digits may be luck."
)


@dataclass(frozen=True)
class Section:
    """A question, and what answers it."""

    name: str
    """anchor on the page"""
    question: str
    heading: str
    """the finding"""
    sentences: Sequence[str]
    charts: Sequence[Chart]
    tables: Sequence[Table]
    links: Sequence[tuple[str, str]]
    """text and address, from the report's folder"""


def make_sections(results: Results, comparison: Mapping[str, Any]) -> list[Section]:
    """Make the sections that there are findings for."""
    said = comparison["verdict"] | {"training": _training(results)}
    selection = [SELECTION] if results.is_mnist else []
    said["best"] = [findings.title(results, comparison), *said["best"][1:], *selection]
    links = LINKS | {"best": [LOG]} if results.is_mnist else LINKS
    sections = []
    for name, (question, makers, folded) in CONTENTS.items():
        charts = [chart for make in makers if (chart := make(results, comparison))]
        if name == "attention" and charts:
            said[name] = [charts[0].alt, ROLLOUT]
        if name in said:
            heading, *text = said[name]
            made = [table for make in folded if (table := make(results, comparison)).rows]
            of = links.get(name, [])
            sections.append(Section(name, question, heading.rstrip("."), text, charts, made, of))
    return sections


def _training(results: Results) -> list[str]:
    images = results.models[0].curve[-1]["val_digits"]
    return [
        "Each model has a recipe of its own",
        f"The recipes were chosen on {images:,.0f} validation images. Each names its own number of "
        "epochs, so costs compare recipes rather than architectures.",
        "All figures come from the committed code and params.yaml: dvc repro trains and measures "
        "everything anew, and dvc.lock holds the hash of every input and output.",
    ]
