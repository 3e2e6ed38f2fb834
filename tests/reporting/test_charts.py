"""Every chart can be drawn for any number of models."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from mnist.reporting import galleries, style
from mnist.reporting.charts import INK, Chart
from mnist.reporting.comparison import compare
from mnist.reporting.results import Results
from mnist.reporting.sections import make_sections
from tests.reporting.synthetic import MODELS, corruption_errors, read

WHITE, DARK = "#ffffff", "#15181c"


def charts(results: Results) -> dict[str, Chart]:
    sections = make_sections(results, compare(results))
    return {chart.name: chart for section in sections for chart in section.charts}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Chart]:
    """The charts of all five models."""
    return charts(read(tmp_path_factory.mktemp("charts")))


def texts(chart: Chart) -> list[str]:
    root = ElementTree.fromstring(chart.svg)  # noqa: S314 (our own)
    return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_one_model_without_an_error_has_charts(tmp_path: Path) -> None:
    names = charts(read(tmp_path, ("cnn",), wrong={"cnn": []})).keys()
    assert names == {"hero", "cost", "reliability", "corruptions", "learning_curves"}


def test_ids_differ_from_chart_to_chart(made: dict[str, Chart]) -> None:
    ids = [set(re.findall(r' id="([^"]+)"', chart.svg)) for chart in made.values()]
    assert len(set.union(*ids)) == sum(map(len, ids)) > 0


def test_on_the_page_ink_is_the_colour_of_the_text(made: dict[str, Chart]) -> None:
    assert INK in made["hero"].svg
    for chart in made.values():
        assert INK not in chart.inline
        assert WHITE not in chart.inline  # nothing white on a dark page
        assert "background: white" in chart.file


def test_colours_have_contrast_on_white_and_on_the_dark_page() -> None:
    def luminance(colour: str) -> float:
        rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    for name in (*MODELS, "another"):
        own = luminance(style.style(name).colour)
        assert (luminance(WHITE) + 0.05) / (own + 0.05) > 3
        assert (own + 0.05) / (luminance(DARK) + 0.05) > 3


def test_the_heat_map_holds_each_accuracy(results: Results) -> None:
    chart = galleries.corruptions(results, compare(results))
    said = texts(chart)
    for number, result in enumerate(results.models):
        for kind in result.robustness:
            assert f"{100 - 2 * corruption_errors(number, kind):.1f}" in said  # of 50 images
    assert "clean" in said
    assert "motion blur" in said
