"""Every chart can be drawn for any number of models, and is the same each time."""

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from mnist.reporting import confusion, error_charts, robustness, style
from mnist.reporting.charts import INK, Chart, compact
from mnist.reporting.comparison import compare
from mnist.reporting.confusion import confusions
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


def test_charts_are_the_same_each_time(results: Results, made: dict[str, Chart]) -> None:
    assert {"hero", "differences", "cost", "confusion", "reliability", "robustness"} <= made.keys()
    assert {"first_scenes", "attention", "learning_curves"} <= made.keys()
    assert charts(results) == made


def test_one_model_without_an_error_has_charts(tmp_path: Path) -> None:
    names = charts(read(tmp_path, ("cnn",), wrong={"cnn": []})).keys()
    assert {"hero", "cost", "reliability", "risk_coverage", "robustness"} <= names
    assert not names & {"differences", "confusion", "first_scenes", "attention"}


def test_ids_differ_from_chart_to_chart(made: dict[str, Chart]) -> None:
    ids = [set(re.findall(r' id="([^"]+)"', chart.svg)) for chart in made.values()]
    assert len(set.union(*ids)) == sum(map(len, ids)) > 0


def test_on_the_page_ink_is_the_colour_of_the_text(made: dict[str, Chart]) -> None:
    for chart in made.values():
        assert INK in chart.svg
        assert INK not in chart.inline
        assert WHITE not in chart.inline  # nothing white on a dark page
        assert "background: white" in chart.file


def test_texts_are_escaped_and_not_read_as_formulas(tmp_path: Path) -> None:
    results = read(tmp_path, ("cnn",))
    classes = ("<b>", "$a$", *results.classes[2:])
    chart = confusion.chart(replace(results, classes=classes), {})
    assert chart
    assert {"<b>", "$a$"} <= set(texts(chart))


def test_colours_have_contrast_on_white_and_on_the_dark_page() -> None:
    def luminance(colour: str) -> float:
        rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    for name in (*MODELS, "another"):
        own = luminance(style.style(name).colour)
        assert (luminance(WHITE) + 0.05) / (own + 0.05) > 3
        assert (own + 0.05) / (luminance(DARK) + 0.05) > 3


def test_the_lab_is_shown_for_mnist_alone(results: Results) -> None:
    found = compare(results)
    other, mnist = (
        error_charts.hero(replace(results, is_mnist=is_mnist), found) for is_mnist in (False, True)
    )
    assert "lab" not in other.description
    assert "lab" in mnist.description
    assert other.svg != mnist.svg


def test_a_difference_that_is_shown_looks_different(results: Results) -> None:
    found = compare(results)
    pair = found["pairs"][0]
    shown, not_shown = (
        error_charts.differences(results, found | {"pairs": [pair | {"p_holm": p}]})
        for p in (0.01, 0.5)
    )
    assert shown and not_shown
    assert shown.svg != not_shown.svg
    assert "Of 1 differences 1 " in shown.alt
    assert "Of 1 differences 0 " in not_shown.alt


def test_groups_of_writers_are_shown_where_they_are_known(results: Results) -> None:
    found = compare(results)
    assert error_charts.groups(results, found) is None
    of = {name: {"mean_error": 0.0123, "ci95": [0.01, 0.02]} for name in MODELS}
    group = {"images": 50, "writers": 7, "models": of}
    chart = error_charts.groups(results, found | {"groups": {"students": group, "others": group}})
    assert chart
    assert "7 students, 50 digits" in texts(chart)
    assert texts(chart).count("1.23% and 1.23%") == len(MODELS)


def test_confusions_are_counted_as_they_are_drawn(tmp_path: Path) -> None:
    results = read(tmp_path, ("cnn", "frcnn"), wrong={"cnn": [3, 13, 4], "frcnn": [3]})
    cnn, frcnn = results.models
    frcnn.predicted[5] = -1  # the detector finds nothing
    assert confusions(cnn) == {(3, 4): 2, (4, 5): 1}
    assert confusions(frcnn) == {(3, 4): 1, (5, -1): 1}
    chart = confusion.chart(results, {})
    assert chart
    assert "3 read as 4: 3 times" in chart.alt
    assert "none" in texts(chart)
    assert confusion.table(results, {}).rows == [
        ["3 read as 4", "3", "2", "1"],
        ["4 read as 5", "1", "1", "0"],
        ["5 read as nothing", "1", "0", "1"],
    ]


def test_many_classes_have_a_list_and_no_matrix(tmp_path: Path) -> None:
    letters = tuple("abcdefghijklmnopqrstuvwxyz")
    labels = list(range(26)) * 4
    results = replace(read(tmp_path, labels=labels), classes=letters)
    assert confusion.chart(results, {}) is None
    assert confusion.table(results, {}).rows[0][0] == "a read as b"


def test_the_heat_map_holds_each_accuracy(results: Results) -> None:
    chart = robustness.chart(results, compare(results))
    said = texts(chart)
    for number, result in enumerate(results.models):
        for kind in result.robustness:
            assert f"{100 - 2 * corruption_errors(number, kind):.1f}" in said  # of 50 images
    assert "clean" in said
    assert "motion blur" in said


def test_a_scene_says_what_is_wrong_in_it(made: dict[str, Chart]) -> None:
    assert "1 wrong, 1 missed" in texts(made["first_scenes"])
    assert "0 of 1 objects; 1 boxes are wrong" in made["first_scenes"].alt
    assert "worst_scenes" not in made  # the example has one scene


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.7694, "0.769"), (13.52, "13.5"), (618.4, "618"), (1234, "1,234"), (14_700_000, "14.7 M")],
)
def test_numbers_are_written_with_three_digits(value: float, text: str) -> None:
    assert compact(value) == text
