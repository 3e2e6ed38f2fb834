"""The sections of the report, each defined once for the page and for Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnist.reporting import error_charts as errors
from mnist.reporting import galleries, tables
from mnist.reporting.charts import Chart
from mnist.reporting.results import Results
from mnist.reporting.tables import Table

# Of each section the question, the charts and the tables; the first one opens the report. The
# sentences are in findings.py.
CONTENTS: dict[str, tuple[str, Sequence[Any], Sequence[Any]]] = {
    "best": ("Which is best?", [errors.hero], [tables.leaderboard]),
    "differences": ("Which differences are real?", [errors.differences], [tables.differences]),
    "cost": ("How much does each need?", [errors.digits, errors.cost], [tables.cost]),
    "failures": ("Where do they fail?", [errors.groups], [tables.confusions]),
    "confidence": ("Can confidence be trusted?", [errors.reliability], [tables.calibration]),
    "unlike": ("What happens on corrupted images?", [galleries.corruptions], []),
    "detector": ("What does the detector find?", [galleries.scenes], []),
    "training": ("How were they trained?", [errors.learning_curves], []),
}
LOG = ("Log of the trials, and of what was seen on the test split", "../docs/experiments.md")
SETTINGS = [
    ("All settings", "../params.yaml"),
    ("Figures behind this report", "../metrics/comparison.json"),
]
SELECTION = (
    "Recipes were chosen on validation images, but test figures of earlier ones had been seen, and "
    "three choices for AlexNet used one. So a lead of a few digits may be luck."
)


@dataclass(frozen=True)
class Section:
    """A question, and what answers it."""

    name: str  # anchor on the page
    question: str
    heading: str  # the finding
    sentences: Sequence[str]
    charts: Sequence[Chart]
    tables: Sequence[Table]
    links: Sequence[tuple[str, str]]  # text and address, from the report's folder


def make_sections(results: Results, comparison: Mapping[str, Any]) -> list[Section]:
    """Make the sections that there are findings for."""
    said, links = {**comparison["verdict"]}, {"training": SETTINGS}
    if results.is_mnist:
        said["best"], links["best"] = [*said["best"], SELECTION], [LOG]
    sections = []
    for name, (question, makers, folded) in CONTENTS.items():
        charts = [chart for make in makers if (chart := make(results, comparison))]
        if name in said:
            heading, *text = said[name]
            made = [table for make in folded if (table := make(results, comparison)).rows]
            of = links.get(name, [])
            sections.append(Section(name, question, heading.rstrip("."), text, charts, made, of))
    return sections
