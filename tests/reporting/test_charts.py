"""The report's charts show what the files hold, in every colour vision, light and dark."""

import base64
import io
import json
import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from mnist.reporting.all_charts import make_charts
from PIL import Image

from mnist.evaluation.corruptions import CORRUPTIONS
from mnist.reporting import confidence, confusion, detection, galleries, plots, robustness
from mnist.reporting.charts import SOFT, Chart, new_panel
from mnist.reporting.comparison import compare
from mnist.reporting.results import Results
from mnist.reporting.statistics import errors_left
from mnist.reporting.style import STYLES, UNKNOWN, WRONG, css_colours
from tests.conftest import ROOT
from tests.reporting.synthetic import MODELS, corruption_accuracy, read

PAGE = {"light": "#ffffff", "dark": "#15181c"}
# Linear RGB as dichromats see it (Machado, Oliveira & Fernandes, 2009, severity 1).
VISION = {
    "normal": np.eye(3),
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "grey": [[0.2126, 0.7152, 0.0722]] * 3,
}


def change(results: Results, model: str, **values: Any) -> Results:
    """The same results with other values of one model."""
    models = [replace(r, **values) if r.name == model else r for r in results.models]
    return replace(results, models=tuple(models))


def elements(svg: str, tag: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(svg).iter(f"{{http://www.w3.org/2000/svg}}{tag}"))  # noqa: S314


def texts(chart: Chart) -> list[tuple[str, float, float]]:
    """Every text of a chart with its x and y."""
    found = []
    for element in elements(chart.svg, "text"):
        place = re.findall(r"translate\(([\d.]+) ([\d.]+)\)", element.get("transform", ""))
        x, y = place[0] if place else (element.attrib["x"], element.attrib["y"])
        found.append(("".join(element.itertext()), float(x), float(y)))
    return found


def words(chart: Chart) -> set[str]:
    return {text for text, *_ in texts(chart)}


def marks(chart: Chart, model: str) -> list[tuple[float, float]]:
    """Where the marks of a model are that the page can highlight."""
    groups = [g for g in elements(chart.svg, "g") if g.get("class") == f"m-{model}"]
    uses = [use for group in groups for use in group.iter("{http://www.w3.org/2000/svg}use")]
    return [(float(use.attrib["x"]), float(use.attrib["y"])) for use in uses]


def is_axis(values: Any, places: Any, direction: int) -> bool:
    """Whether the places, in pixels, are those of the values on one linear axis.

    Args:
        direction: 1 where larger values have larger places, as from left to right; else -1.
    """
    values, places = np.asarray(values, float), np.asarray(places, float)
    slope, start = np.polyfit(values, places, 1)
    return bool(slope * direction > 0 and np.abs(start + slope * values - places).max() < 0.1)


# --- colours


def linear(colour: str) -> np.ndarray:
    """The linear RGB of #rrggbb, 0..1."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def oklab(rgb: np.ndarray) -> np.ndarray:
    """Ottosson's OKLab (2020), in which distances are about as large as they look."""
    lms = [[0.41222147, 0.53633254, 0.05144599], [0.21190350, 0.68069955, 0.10739696],
           [0.08830246, 0.28171884, 0.62997870]]  # fmt: skip
    lab = [[0.21045426, 0.79361779, -0.00407205], [1.97799850, -2.42859221, 0.45059371],
           [0.02590404, 0.78277177, -0.80867577]]  # fmt: skip
    return np.array(lab) @ np.cbrt(np.clip(np.array(lms) @ rgb, 0, None))


@pytest.mark.parametrize("page", ["light", "dark"])
def test_every_colour_stands_out_from_the_page(page: str) -> None:
    luminance = np.array([0.2126, 0.7152, 0.0722])
    background = luminance @ linear(PAGE[page]) + 0.05
    colours = dict(re.findall(r"--(\w+): (#\w{6});", css_colours([*STYLES])[page]))
    assert colours.keys() == {*STYLES, "wrong"}
    for name, colour in colours.items():
        ratio = (luminance @ linear(colour) + 0.05) / background
        assert max(ratio, 1 / ratio) >= 3, name


@pytest.mark.parametrize("page", ["light", "dark"])
@pytest.mark.parametrize("vision", VISION)
def test_no_two_models_look_alike(vision: str, page: str) -> None:
    colours = {name: s.colour if page == "light" else s.dark for name, s in STYLES.items()}
    seen = {name: oklab(np.array(VISION[vision]) @ linear(c)) for name, c in colours.items()}
    for a, b in combinations(seen, 2):
        assert np.linalg.norm(seen[a] - seen[b]) > (0.03 if vision == "grey" else 0.09), (a, b)


def test_each_model_has_its_own_marker_and_dashes() -> None:
    for part in ("title", "marker", "dash"):
        assert len({getattr(style, part) for style in STYLES.values()}) == len(STYLES)


# --- all charts


def test_many_charts_on_one_page_have_colours_of_the_page_and_ids_of_their_own(
    results: Results,
) -> None:
    charts = make_charts(results, compare(results), 5)
    page = "".join(chart.inline for chart in charts)
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', page)) == set(ids)
    assert "<style" not in page
    for chart in charts:
        colours = set(re.findall(r"#[0-9a-f]{6}\b", chart.inline))
        # Boxes on white pictures keep the colours that they have on white.
        allowed = {STYLES["frcnn"].colour, WRONG[0], PAGE["light"]} if chart.white_tiles else set()
        assert colours <= allowed, chart.name
        assert f'role="img" aria-label="{chart.alt}"' in chart.inline
        sizes = map(float, re.findall(r"font-size: ([\d.]+)px", chart.svg))
        assert min(sizes) >= 11, chart.name


def test_charts_are_the_same_bytes_each_time(results: Results) -> None:
    comparison = compare(results)
    first, again = (
        [(c.svg, c.inline) for c in make_charts(results, comparison, 5)] for _ in range(2)
    )
    assert first == again


def test_one_model_of_many_classes_is_drawn_in_full(tmp_path: Path) -> None:
    results = read(tmp_path, ("frcnn",), labels=tuple(range(26)) * 4)
    names = tuple(f"letter {chr(97 + i)}" for i in range(26))
    charts = make_charts(replace(results, classes=names), compare(results), 5)
    assert "attacks" not in {chart.name for chart in charts}  # a detector is not attacked
    for chart in charts:
        if chart.name in ("confusion", "precision_frcnn"):
            assert set(names) <= words(chart), chart.name
        # No text begins outside the file.
        width, height = map(int, re.findall(r'viewBox="0 0 (\d+) (\d+)"', chart.svg)[0])
        assert all(0 <= x <= width and 0 <= y <= height for _, x, y in texts(chart)), chart.name


def test_a_class_name_is_shown_as_it_is(results: Results) -> None:
    names = ("$x_1$", "<b>", "a|b", *"3456789")
    chart = confusion.confusion(replace(results, classes=names))
    assert set(names) <= words(chart)
    assert "<b>" not in chart.inline


def test_a_model_without_a_style_goes_by_its_name(results: Results) -> None:
    results = change(results, "vit", name="lenet")
    chart = plots.learning_curves(results, compare(results))
    assert "lenet" in words(chart)
    assert f"stroke: {UNKNOWN[0]}" in chart.svg


# --- error and cost


def with_seeds(results: Results, **seeds: dict[str, Any]) -> dict[str, Any]:
    """A comparison in which the models have these errors."""
    comparison = compare(results)
    for name, values in seeds.items():
        comparison["seeds"][name] |= values
    return comparison


def test_the_labs_figure_is_a_mark_or_stands_at_the_edge(results: Results) -> None:
    ours = {"mean_error": 0.006, "ci95": [0.004, 0.008], "errors": [0.005, 0.006, 0.007]}
    comparison = with_seeds(results, **dict.fromkeys(MODELS, ours))
    shown = [text for text, *_ in texts(plots.hero(replace(results, is_mnist=True), comparison))]
    assert shown.count("0.60") == 5
    assert "lab: 1.50 →" in shown  # the CNN's
    assert shown.count("lab") == 3  # VGG16, AlexNet and the Vision Transformer
    assert "lab" not in " ".join(words(plots.hero(results, comparison)))


def test_the_models_stand_by_rank_with_their_seeds(results: Results) -> None:
    comparison = with_seeds(results, vit={"mean_error": 0.001, "errors": [0.0005, 0.001, 0.0015]})
    comparison["ranking"] = ["vit", "alexnet", "cnn", "frcnn", "vgg16"]
    chart = plots.hero(results, comparison)
    rows = {text: y for text, _, y in texts(chart)}
    titles = [STYLES[name].title for name in comparison["ranking"]]
    assert sorted(titles, key=lambda title: rows[title]) == titles
    assert "1 to 3 seeds" in chart.description
    means = [marks(chart, name)[0] for name in comparison["ranking"]]
    assert abs(means[0][1] - rows["Vision Transformer"]) < 6
    errors = [comparison["seeds"][name]["mean_error"] for name in comparison["ranking"]]
    assert is_axis(errors, [x for x, _ in means], 1)
    assert "Vision Transformer has the lowest mean test error, 0.10 %" in chart.alt


def test_a_cost_that_was_not_measured_is_left_out(results: Results) -> None:
    comparison = compare(results)
    for name in MODELS:
        comparison["cost"][name] |= {"train_seconds": None}
    comparison["cost"]["cnn"]["latency_ms"] = None
    charts = {chart.name: chart for chart in plots.cost(results, comparison)}
    assert charts.keys() == {"cost_train_tflop", "cost_latency_ms", "cost_parameters"}
    assert "CNN" not in words(charts["cost_latency_ms"])
    assert len(marks(charts["cost_parameters"], "cnn")) == 1


def test_each_model_stands_at_its_cost_and_its_mean_error(results: Results) -> None:
    comparison = compare(results)
    costs = dict(zip(MODELS, (10, 30, 1000, 20, 500), strict=True))
    errors = dict(zip(MODELS, (0.005, 0.004, 0.001, 0.009, 0.002), strict=True))
    for name in MODELS:
        comparison["cost"][name]["train_tflop"] = costs[name]
        error = errors[name]
        comparison["seeds"][name] |= {"mean_error": error, "ci95": [error - 3e-4, error + 7e-4]}
    chart = next(c for c in plots.cost(results, comparison) if c.name == "cost_train_tflop")
    places = [place for name in MODELS for place in marks(chart, name)]
    x, y = zip(*places, strict=True)
    assert is_axis(np.log([*costs.values()]), x, 1)
    assert is_axis([*errors.values()], y, -1)
    assert "VGG16 has the lowest test error (0.10 %, 1,000 TFLOP)" in chart.alt
    assert "CNN costs the least (0.50 %, 10 TFLOP)" in chart.alt
    # The Pareto front: down the stairs from the CNN to Faster R-CNN, the ViT and VGG16.
    soft = [p for p in elements(chart.svg, "path") if f"stroke: {SOFT}" in p.get("style", "")]
    (stairs,) = (path.attrib["d"] for path in soft)
    corners = {(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", stairs)}
    assert {marks(chart, name)[0] for name in ("cnn", "frcnn", "vit", "vgg16")} <= corners
    assert marks(chart, "alexnet")[0] not in corners


def test_the_pareto_front_has_the_points_that_no_other_beats_in_both() -> None:
    assert plots.pareto_front([(20, 0.4), (10, 0.5)]) == [(10, 0.5), (20, 0.4)]
    assert plots.pareto_front([(10, 0.4), (20, 0.4)]) == [(10, 0.4)]
    assert plots.pareto_front([(10, 0.5), (20, 0.6), (30, 0.4)]) == [(10, 0.5), (30, 0.4)]


def test_labels_of_points_do_not_cover_each_other() -> None:
    _, axes = new_panel(400, 300)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    points = [(0.5, 0.5, "first"), (0.51, 0.5, "second"), (0.99, 0.5, "at the edge")]
    plots.label_points(axes, points, [])
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    assert boxes[2].x1 <= 400


def test_a_model_that_starts_from_another_starts_where_its_training_ended(
    results: Results,
) -> None:
    chart = plots.learning_curves(results, compare(results))
    (*_, cnn_end), (frcnn_start, *_) = marks(chart, "cnn"), marks(chart, "frcnn")
    assert frcnn_start[0] > cnn_end[0]
    tflop, error, places = [], [], []
    for result in (results.models[0], results.models[4]):
        whole = result.training["train_tflop"] / result.training["epochs"]
        tflop += [row["epoch"] * whole for row in result.curve]
        error += [1 - row["val_accuracy"] for row in result.curve]
        places += marks(chart, result.name)
    x, y = zip(*places, strict=True)
    assert is_axis(np.log(tflop), x, 1)
    assert is_axis(np.log(error), y, -1)
    assert "5,000 validation images (a stratified 1,000 of them" in chart.description


# --- confusion, confidence


def test_errors_are_counted_by_true_and_predicted_class(results: Results) -> None:
    counts = confusion.confusion_counts(results)
    assert counts["cnn"].shape == (10, 10)
    assert counts["vit"].sum() == 5
    assert counts["vit"][3, 4] == 1
    assert counts["vit"].trace() == 0
    assert {"Vision Transformer: 5"} <= words(confusion.confusion(results))
    # All ten images of class 3 are read as 4.
    predicted = np.where(results.labels == 3, 4, results.labels)
    one = change(replace(results, models=results.models[4:]), "vit", predicted=predicted)
    chart = confusion.confusion(one)
    assert "The most frequent error is 3 read as 4: 10 times" in chart.alt
    assert "none" not in words(chart)
    ((x, y),) = [(x, y) for text, x, y in texts(chart) if text == "10"]
    _, row = min((x, y) for text, x, y in texts(chart) if text == "3")  # left of the table
    _, column = max((y, x) for text, x, y in texts(chart) if text == "4")  # below it
    assert abs(x - column) < 4
    assert abs(y - row) < 4


def test_an_image_in_which_nothing_was_found_is_an_error_of_its_own(results: Results) -> None:
    predicted = np.where(np.arange(100) == 7, -1, results.labels)
    results = change(results, "frcnn", predicted=predicted)
    counts = confusion.confusion_counts(results)["frcnn"]
    assert counts.shape == (10, 11)
    assert counts[7, 10] == counts.sum() == 1
    assert "none" in words(confusion.confusion(results))


def test_a_bin_is_hollow_as_it_is_and_filled_when_scaled(results: Results) -> None:
    results = replace(results, models=results.models[:1])
    colour = results.models[0].style.colour
    svg = confidence.reliability(results).svg
    assert len(re.findall(f'z" style="fill: none; stroke: {colour}"', svg)) == 2
    assert len(re.findall(f'<use [^>]*style="fill: {colour}"', svg)) == 3


def test_a_bin_stands_at_the_error_that_is_stated_and_the_one_that_is_made(
    results: Results,
) -> None:
    bins = [(0.9, 0.8), (0.99, 0.96), (0.6, 0.7)]
    rows = [{"scaling": "temperature", "confidence": stated, "accuracy": made, "count": 100}
            for stated, made in bins]  # fmt: skip
    results = change(replace(results, models=results.models[:1]), "cnn", reliability=rows)
    svg = confidence.reliability(results).svg
    fill = f"fill: {results.models[0].style.colour}"
    shown = [use.attrib for use in elements(svg, "use") if use.get("style") == fill]
    assert is_axis([np.log(1 - stated) for stated, _ in bins], [use["x"] for use in shown], 1)
    assert is_axis([np.log(1 - made) for _, made in bins], [use["y"] for use in shown], -1)


def test_the_area_of_a_bin_is_its_number_of_images(results: Results) -> None:
    rows = [{"scaling": "temperature", "confidence": 0.9, "accuracy": 0.8, "count": n}
            for n in (100, 25)]  # fmt: skip
    results = change(replace(results, models=results.models[:1]), "cnn", reliability=rows)
    svg = confidence.reliability(results).svg
    paths = {path.get("id"): path.attrib["d"] for path in elements(svg, "path")}
    fill = f"fill: {results.models[0].style.colour}"
    marks = [use for use in elements(svg, "use") if use.get("style") == fill]
    large, small = (
        max(map(float, re.findall(r"[\d.]+", paths[mark.attrib["href"][1:]]))) for mark in marks
    )
    assert large == pytest.approx(2 * small, rel=0.02)


def test_the_least_certain_images_are_set_aside_first(results: Results) -> None:
    result = results.models[0]
    certain = np.tile(np.eye(10)[0] * 0.9 + 0.01, (100, 1))
    certain[:2] = 0.1  # the two least certain ones
    wrong = np.isin(np.arange(100), [1, 50])
    labels = wrong.astype(int)
    result = replace(
        result, labels=labels, predicted=np.zeros(100, dtype=int), probabilities=certain
    )
    left = errors_left(result.correct, result.calibrated.max(axis=1))
    assert left.tolist()[:4] == [2, 2, 1, 1]
    assert left[-1] == 0
    chart = confidence.risk_coverage(replace(results, models=(result,)))
    assert "With the least certain 1% of the images set aside, CNN makes the fewest errors, 2" in (
        chart.alt
    )
    heights = [y for _, y in marks(chart, "cnn")]
    assert is_axis(left[:4], heights, -1)


# --- robustness


def pictures(chart: Chart) -> list[tuple[Image.Image, float]]:
    """The pictures of a chart, each with the y of its middle."""
    found: list[tuple[Image.Image, float]] = []
    for element in elements(chart.svg, "image"):
        data = base64.b64decode(element.attrib["href"].split(",")[1])
        *_, scale, _, top = map(float, re.findall(r"-?[\d.]+", element.attrib["transform"]))
        middle = top + scale * float(element.attrib["height"]) / 2
        found.append((Image.open(io.BytesIO(data)), middle))
    return found


def test_each_corruption_stands_beside_its_accuracy_and_its_picture(results: Results) -> None:
    chart = robustness.robustness(results)
    rows = {text.replace(" ", "_").replace("clean", "none"): y for text, _, y in texts(chart)}
    shown = pictures(chart)
    assert len(shown) == 16
    for i, kind in enumerate(["none", *CORRUPTIONS]):
        cells = [text for text, _, y in texts(chart) if abs(y - rows[kind]) < 3 and "." in text]
        assert cells == [f"{100 * corruption_accuracy(n, kind):.1f}" for n in range(5)]
        picture, _ = min(shown, key=lambda found: abs(found[1] - rows[kind]))
        assert picture.convert("L").getpixel((14, 14)) == pytest.approx(255 - 10 * i, abs=2), kind


def test_the_corruptions_are_summarised_by_mean_and_median(results: Results) -> None:
    rates = dict(zip(["none", *CORRUPTIONS], [1.0] + [0.8] * 14 + [0.1], strict=True))
    worst = dict.fromkeys(rates, 0.5) | {"none": 0.0}
    models = [results.models[0], results.models[4]]
    models = [replace(r, robustness=new) for r, new in zip(models, (rates, worst), strict=True)]
    chart = robustness.robustness(replace(results, models=tuple(models)))
    rows = {text: y for text, _, y in texts(chart)}
    for name, expected in (("mean", ["75.3", "50.0"]), ("median", ["80.0", "50.0"])):
        y = rows[f"corrupted: {name}"]
        assert [t for t, _, at in texts(chart) if abs(at - y) < 3 and "." in t] == expected
    assert "CNN is the most accurate, 75.3 % on average" in chart.alt
    assert "Vision Transformer the least, 50.0 %" in chart.alt


def test_the_best_of_each_row_is_bold(results: Results) -> None:
    rates = results.models[2].robustness | {"fog": 0.999}
    chart = robustness.robustness(change(results, "vgg16", robustness=rates))
    cells = elements(chart.svg, "text")
    bold = ["".join(c.itertext()) for c in cells if "font-weight: 700" in c.attrib["style"]]
    assert "99.9" in bold
    assert len(bold) == 16 + 2


def test_attacks_of_one_strength_stand_side_by_side(results: Results) -> None:
    row = {"attack": "pgd_margin", "eps": "0.1", "accuracy": "0.42", "digits": "20"}
    with_margin = change(results, "cnn", attacks=[*results.models[0].attacks, row])
    for shown, labels in ((results, {"FGSM", "PGD"}), (with_margin, {"PGD on the margin"})):
        chart = robustness.attacks(shown)
        assert chart
        assert labels <= words(chart)
        assert "VGG16 withstands the attacks best" in chart.alt or shown is results
        assert "at most 50% of the images" in chart.alt
        assert "upper bound" in chart.description


def test_the_accuracy_under_attack_is_in_per_cent(results: Results) -> None:
    rows = [{"attack": "fgsm", "eps": eps, "accuracy": accuracy, "digits": "20"}
            for eps, accuracy in (("0", "1.0"), ("0.1", "0.8"), ("0.2", "0.5"))]  # fmt: skip
    rows.append(rows[-1] | {"attack": "pgd"})
    one = replace(results, models=results.models[:1])
    chart = robustness.attacks(change(one, "cnn", attacks=rows))
    assert chart
    ticks = {text: y for text, _, y in reversed(texts(chart))}  # of the first panel
    heights = [y for _, y in marks(chart, "cnn")]
    assert is_axis([100, 80, 50], heights[:3], -1)
    assert heights[1] - heights[0] == pytest.approx(ticks["80"] - ticks["100"], abs=1)


# --- images


def test_the_error_gallery_has_the_prediction_of_each_model(
    results: Results, tmp_path: Path
) -> None:
    chart = galleries.error_gallery(results, 3)
    assert chart
    assert len(chart.panels) == 3
    assert {"0", "1 1 1 1 1", "1", "1 2 2 2 2"} <= words(chart)  # images 0 and 1
    two = read(tmp_path / "two", ("cnn", "vit"), wrong={"cnn": [0, 7], "vit": [7]})
    first = galleries.error_gallery(two, 1)
    assert first
    assert {"7", "8 8"} == words(first)  # the image that most models misclassify


def test_without_errors_there_is_no_gallery(tmp_path: Path) -> None:
    results = read(tmp_path, ("cnn",), wrong={"cnn": []})
    assert galleries.error_gallery(results, 3) is None


def test_the_scenes_show_what_is_right_wrong_and_missed(results: Results) -> None:
    detector = results.models[1]
    chart = detection.scenes(results, detector)
    assert words(chart) == {"8", "1 wrong, 1 missed"}
    assert f"stroke: {WRONG[0]}" in chart.svg
    assert "stroke-dasharray" in chart.svg
    right = {"true": [[0, 0, 20, 20, 8, True]], "found": [[1, 1, 20, 20, 8, 0.9, True]]}
    scene = detector.examples["scenes"][0] | right
    detector = replace(detector, examples=detector.examples | {"scenes": [scene]})
    chart = detection.scenes(results, detector)
    assert words(chart) == {"8", "all right"}
    assert WRONG[0] not in chart.svg
    assert f"stroke: {STYLES['frcnn'].colour}" in chart.inline  # not a variable: on white


def test_precision_says_how_wide_the_boxes_are(results: Results) -> None:
    detector = results.models[1]
    boxes = [[0, 0, 4, 20, 1], [0, 0, 6, 20, 1], [0, 0, 20, 20, 2], [0, 0, 20, 20, 2]]
    scene = {"pixels": "", "true": [[*box, True] for box in boxes], "found": []}
    detector = replace(
        detector,
        details=detector.details | {"map_per_digit": {"1": 0.9, "2": 0.98, "3": 0.97}},
        examples=detector.examples | {"scenes": [scene]},
    )
    chart = detection.precision(results, detector)
    assert {"0.900", "5 px", "0.980", "20 px", "-"} <= words(chart)
    assert "The lowest mAP is that of class 1, 0.900; its boxes are 5 px wide" in chart.alt


def test_attention_is_shown_as_squares(results: Results) -> None:
    vit = results.models[4]
    (example,) = vit.examples["attention"]
    second = example | {"attention": [0, 1, *[0] * 14]}  # the second patch of the first row
    shown = replace(vit, examples=vit.examples | {"attention": [second]})
    found = pictures(galleries.attention_maps(results, shown))
    (patches,) = [picture for picture, _ in found if picture.size == (4, 4)]
    opaque = np.asarray(patches.convert("RGBA"))[..., 3] > 0
    assert np.argwhere(opaque).tolist() == [[0, 1]]
    chart = galleries.attention_maps(results, vit)
    assert "0 → 1" in words(chart)
    titles = {"".join(t.itertext()): t.attrib["style"] for t in elements(chart.svg, "text")}
    assert {title for title, style in titles.items() if WRONG[0] in style} == {"0 → 1"}
    assert {picture.size for picture, _ in pictures(chart)} == {(28, 28), (4, 4)}


# --- DVC's own plots


def test_dvcs_plots_have_templates_in_the_colours_of_the_report() -> None:
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text())
    named = {settings["template"] for plot in pipeline["plots"] for settings in plot.values()}
    assert named == {"models", "reliability", "corruptions", "attacks"}
    colours = {name: style.colour for name, style in STYLES.items()}
    for template in named:
        spec = json.loads((ROOT / f".dvc/plots/{template}.json").read_text())
        scale = spec["encoding"]["color"]["condition"]["scale"]
        assert dict(zip(scale["domain"], scale["range"], strict=True)) == colours
