"""Every chart can be drawn for any number of models."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mnist.reporting import galleries
from mnist.reporting.charts import INK, Chart
from mnist.reporting.comparison import compare
from mnist.reporting.results import Results, read_results
from mnist.reporting.sections import make_sections
from tests.reporting.synthetic import (
    corruption_errors,
    make_params,
    read,
    write_metrics,
    write_scaling,
)

WHITE = "#ffffff"


def charts(results: Results) -> dict[str, Chart]:
    sections = make_sections(results, compare(results))
    return {chart.name: chart for section in sections for chart in section.charts}


FEWER = {  # errors of each seed, by model, images and steps
    ("cnn", 100, 2): [0.3, 0.2], ("cnn", 1000, 1): [0.5], ("cnn", 1000, 3): [0.05, 0.06],
    ("vit", 100, 4): [0.6, 0.4], ("vit", 1000, 1): [0.8],
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Chart]:
    """The charts of all five models, of which two were trained on fewer images, too."""
    folder = write_metrics(tmp_path_factory.mktemp("charts"))
    write_scaling(folder, FEWER)
    return charts(read_results(folder, make_params()))


def texts(chart: Chart) -> list[str]:
    root = ElementTree.fromstring(chart.svg)  # noqa: S314 (our own)
    return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_one_model_without_an_error_has_charts(tmp_path: Path) -> None:
    made = charts(read(tmp_path, ("cnn",), wrong={"cnn": []}))
    assert set(made) == {"hero", "cost", "reliability", "corruptions", "learning_curves"}
    assert "test error in %, 0 on the edge" in texts(made["cost"])


def test_ids_differ_from_chart_to_chart(made: dict[str, Chart]) -> None:
    ids = [set(re.findall(r' id="([^"]+)"', chart.svg)) for chart in made.values()]
    assert len(set.union(*ids)) == sum(map(len, ids)) > 0


def test_on_the_page_ink_is_the_colour_of_the_text(made: dict[str, Chart]) -> None:
    assert INK in made["hero"].svg
    for chart in made.values():
        assert INK not in chart.inline
        assert WHITE not in chart.inline  # nothing white on a dark page
        assert "background: white" in chart.file


def test_errors_are_shown_by_images_and_by_arithmetic(made: dict[str, Chart]) -> None:
    # Of 1,000 images, which are all, the full training counts: one error of 100 images, or five.
    assert "CNN 25.00%, 1.00%; " in made["digits"].alt
    assert "Vision Transformer 50.00%, 5.00%." in made["digits"].alt
    assert {"100", "1,000", "training images", "test error in %"} <= {*texts(made["digits"])}
    # Marks of the seeds: those on 100 images, and the full training of each of five models.
    assert marks(made["digits"]) == 4 + 5
    assert marks(made["cost"]) == 1 + 2 + 1 + 5  # on all images, for fewer steps and for all
    assert "a third" in made["cost"].description
    assert {"epochs", "validation error in %"} <= {*texts(made["learning_curves"])}
    assert "end between 1.25% and 1.25%" in made["learning_curves"].alt


def marks(chart: Chart) -> int:
    """The number of half-transparent dots, one a training."""
    return len(re.findall(r"<use [^>]*fill-opacity: 0.6", chart.svg))


def test_the_heat_map_holds_each_accuracy(results: Results) -> None:
    chart = galleries.corruptions(results, compare(results))
    said = texts(chart)
    for number, result in enumerate(results.models):
        for kind in result.robustness:
            assert f"{100 - 2 * corruption_errors(number, kind):.1f}" in said  # of 50 images
    assert "clean" in said
    assert "motion blur" in said


def test_long_names_of_classes_do_not_shrink_the_scenes(
    metrics: Path, made: dict[str, Chart]
) -> None:
    names = [f"{'long ' * 20}{i}" for i in range(10)]
    charts_of = charts(read_results(metrics, make_params(classes=names)))
    sizes = [re.findall(r'<image[^>]* width="([^"]+)"', c["scenes"].svg) for c in (charts_of, made)]
    assert sizes[0] == sizes[1] != []
