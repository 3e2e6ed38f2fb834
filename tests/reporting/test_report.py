"""The report shows what the files under metrics/ hold, in the same bytes each time."""

import base64
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from PIL import Image
from scipy.special import softmax
from statsmodels.stats.multitest import multipletests

import stages.report
from mnist.errors import UserError
from mnist.evaluation.corruptions import CORRUPTIONS
from mnist.reporting import galleries, label_errors, markdown, plots
from mnist.reporting.comparison import compare, describe_accuracy, describe_pairs
from mnist.reporting.page import make_charts, render
from mnist.reporting.results import ModelResult, Results, read_results
from mnist.reporting.speed import benchmark_markdown
from mnist.reporting.tables import Table, headline, make_tables
from tests.reporting.synthetic import (
    BENCHMARK,
    MACHINE,
    MODELS,
    corruption_accuracy,
    make_params,
    write_json,
    write_metrics,
    write_seeds,
)

CLOTHES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal"]
CLOTHES += ["Shirt", "Sneaker", "Bag", "Boot"]


@pytest.fixture
def metrics(tmp_path: Path) -> Path:
    return write_metrics(tmp_path / "metrics")


@pytest.fixture
def results(metrics: Path) -> Results:
    """Of all five models on 100 images; the first model makes one error, the last five."""
    return read_results(metrics, make_params())


def read(tmp_path: Path, models: tuple[str, ...] = MODELS, **options: Any) -> Results:
    return read_results(write_metrics(tmp_path / "other", models, **options), make_params(models))


def as_mnist(results: Results) -> Results:
    """The same results as if the images were MNIST's 10,000."""
    models = [
        replace(
            r,
            labels=np.resize(r.labels, 10_000),
            predicted=np.resize(r.predicted, 10_000),
            probabilities=np.resize(r.probabilities, (10_000, 10)),
        )
        for r in results.models
    ]
    return replace(results, is_mnist=True, models=tuple(models))


def change(result: ModelResult, part: str, **values: Any) -> ModelResult:
    return replace(result, **{part: getattr(result, part) | values})


def table(name: str, results: Results) -> Table:
    (found,) = (t for t in make_tables(results, compare(results)) if t.name == name)
    return found


# --- tables


def test_on_mnist_the_headline_has_the_lab_beside_ours(results: Results) -> None:
    for shown, is_mnist in ((" (lab 98.50%)", True), ("", False)):
        first, second, *_ = headline(replace(results, is_mnist=is_mnist)).rows
        assert first[:3] == ("CNN", f"99.00%{shown}", f"99.00%{shown}")
        assert first[3].startswith("183 s, 2 CPU threads")
        assert "1 errors, 0.9 epochs" in first[4]
        assert "2 errors, 0 of them not found" in second[4]
        assert ("lab" in " ".join(first)) == ("lab" in " ".join(second)) == is_mnist


def test_a_timing_of_other_weights_is_not_shown(metrics: Path) -> None:
    path = metrics / "timing.json"
    path.write_text(path.read_text().replace("sha of cnn", "sha of another"))
    results = read_results(metrics, make_params())
    assert "not measured" in headline(results).rows[0][3]
    assert table("price", results).rows[0][4:] == ("-", "-")
    environment = table("environment", results)
    assert [row[0] for row in environment.rows][0] == "Faster R-CNN"
    assert environment.rows[0][1:] == ("cpu", "Z80", "2", "yes", "2.14")


def test_the_cost_and_the_speed_of_a_model(results: Results) -> None:
    cost = ("CNN", "196,698", "27.6", "0.8 MB", "183 s", "1,004 MB")
    assert table("price", results).rows[0] == cost
    assert table("speed", results).rows[0] == (
        "CNN",
        "2,500",
        "64%",
        "1.4 times",
        "2 ms",
        "0.125 ms",
    )
    without = replace(results, benchmark={})
    assert "On Xeon, 2 cores, with 2 threads" in table("speed", results).description
    assert "speed" not in [t.name for t in make_tables(without, compare(without))]


def test_the_calibration_table_tells_raw_from_scaled(results: Results) -> None:
    calibration = table("calibration", results)
    row = dict(zip(calibration.columns, calibration.rows[0], strict=True))
    assert (row["NLL"], row["NLL scaled"]) == ("0.0600", "0.0200")
    assert (row["Brier"], row["Brier scaled"]) == ("0.0120", "0.0110")
    assert (row["ECE"], row["ECE scaled"], row["ECE by chance"]) == ("0.0470", "0.0010", "0.0030")
    assert row["Temperature"] == "0.5000"


def test_seeds_of_another_recipe_are_not_shown(metrics: Path) -> None:
    rows = [
        ("cnn", 1, "new", "sha of cnn", 0.994),
        ("cnn", 2, "new", "b", 0.996),
        ("cnn", 3, "old", "c", 0.5),  # trained before the recipe changed
        ("vit", 1, "new", "sha of an earlier vit", 0.5),
        ("vgg16", 1, "x", "sha of vgg16", 0.99),
    ]
    write_seeds(metrics, rows)
    results = read_results(metrics, make_params())
    cnn, vgg16 = table("seeds", results).rows
    assert cnn == ("CNN", "2", "99.50%", "0.14%", "99.40%", "99.60%")
    assert vgg16 == ("VGG16", "1", "99.00%", "-", "99.00%", "99.00%")
    assert str(results.spreads["cnn"]) == "99.50% ± 0.14% (n = 2)"
    assert str(results.spreads["vgg16"]) == "99.00% (n = 1)"
    write_seeds(metrics, [])
    results = read_results(metrics, make_params())
    assert "seeds" not in [t.name for t in make_tables(results, compare(results))]


def test_markdown_escapes_what_would_end_a_cell() -> None:
    assert markdown.table(["a"], [["x|y"]]) == "| a |\n|---|\n| x\\|y |\n"


def test_the_benchmark_is_written_in_full() -> None:
    assert "make bench" in benchmark_markdown({})
    text = benchmark_markdown({"cnn": BENCHMARK, "machine": MACHINE})
    assert "| CNN | 2,500 | 64% | 1.4 times | 2 ms | 0.125 ms |" in text
    assert "On Xeon, 2 cores: 2 threads" in text


# --- files


@pytest.mark.parametrize("file", ["test/cnn.json", "curves/vit.csv", "seeds.csv", "timing.json"])
def test_a_missing_or_damaged_file_is_named(metrics: Path, file: str) -> None:
    (metrics / file).write_text("epoch,model\n{")
    with pytest.raises(UserError, match=f"{file} is damaged"):
        read_results(metrics, make_params())
    (metrics / file).unlink()
    with pytest.raises(UserError, match=f"{file} is missing"):
        read_results(metrics, make_params())


# --- comparison


@pytest.mark.parametrize(
    ("errors", "name", "said"),
    [
        (43, "cnn", "better than the lab's 98.50% by more than chance"),
        (53, "alexnet", "the difference from the lab's 99.60% may be chance"),
        (51, "vgg16", "better than the lab's 99.21% by more than chance"),
        (80, "alexnet", "worse than the lab's 99.60% by more than chance"),
        (80, "frcnn", "the lab reported no figure"),
    ],
)
def test_the_difference_from_the_lab_is_tested(
    results: Results, errors: int, name: str, said: str
) -> None:
    labels = np.zeros(10000, dtype=int)
    predicted = (np.arange(10000) < errors).astype(int)
    ours = replace(results.models[0], name=name, labels=labels, predicted=predicted)
    assert said in describe_accuracy(ours, with_lab=True)
    assert "lab" not in describe_accuracy(ours, with_lab=False)


def test_models_are_ranked_and_their_errors_counted(tmp_path: Path) -> None:
    results = read(tmp_path, ("vit", "cnn"), wrong={"vit": [3, 5], "cnn": [3]})
    comparison = compare(results)
    assert comparison["ranking"] == ["cnn", "vit"]
    assert comparison["wrong_by_all"] == [3]
    assert comparison["wrong_by_any"] == 2
    assert comparison["disagreement"]["cnn"] == {"vit": 1, "cnn": 0}
    (pair,) = comparison["mcnemar"]
    assert (pair["better"], pair["only_better_correct"], pair["only_worse_correct"]) == (
        "cnn",
        1,
        0,
    )
    assert "lab" not in comparison


def test_every_model_has_its_part_in_the_ensemble(results: Results) -> None:
    # Of image i, model i is sure that it is class 0; each other model is less sure that it is 1.
    # Together they are right about every image; without model i they are wrong about image i.
    count = len(MODELS)
    models = []
    for i, result in enumerate(results.models):
        probabilities = np.zeros((count, 10))
        probabilities[:, 0] = np.where(np.arange(count) == i, 0.99, 0.45)
        probabilities[:, 1] = 1 - probabilities[:, 0]
        predicted = probabilities.argmax(axis=1)
        labels = np.zeros(count, dtype=int)
        models.append(
            replace(result, labels=labels, predicted=predicted, probabilities=probabilities)
        )
    comparison = compare(replace(results, models=tuple(models)))
    assert comparison["ensemble"]["errors"] == 0
    assert comparison["wrong_by_any"] == count


def test_the_ensemble_is_of_probabilities_after_temperature_scaling(results: Results) -> None:
    logits = np.random.default_rng(0).normal(size=(5, 10)) * 3
    first, *others = results.models
    result = replace(
        first, probabilities=softmax(logits, axis=1), details=first.details | {"temperature": 0.4}
    )
    np.testing.assert_allclose(result.calibrated, softmax(logits / 0.4, axis=1))
    # One model is sure of class 0 by its raw probabilities; scaled, the two others outvote it.
    flat = np.tile(np.eye(10)[0] * 0.98 + 0.002, (len(results.labels), 1))
    other = np.tile(np.eye(10)[1] * 0.35 + 0.065, (len(results.labels), 1))
    models = [
        replace(r, probabilities=p, details=r.details | {"temperature": t})
        for r, p, t in ((first, flat, 4.0), (others[0], other, 0.2), (others[1], other, 0.2))
    ]
    labels = np.ones(len(results.labels), dtype=int)
    models = [replace(r, labels=labels, predicted=labels) for r in models]
    comparison = compare(replace(results, models=tuple(models), is_mnist=False))
    assert comparison["ensemble"]["errors"] == 0


def test_p_values_are_corrected_for_the_number_of_pairs(tmp_path: Path) -> None:
    # 6 to 0 is p = 0.03 for a single pair and 0.09 as one of three.
    wrong = {"cnn": [], "vgg16": range(6), "vit": range(6, 12)}
    comparison = compare(read(tmp_path, tuple(wrong), wrong=wrong))
    p_values = [pair["p"] for pair in comparison["mcnemar"]]
    assert min(p_values) == pytest.approx(2 / 2**6)
    expected = multipletests(p_values, method="holm")[1]
    assert [p["p_holm"] for p in comparison["mcnemar"]] == pytest.approx(expected.tolist())
    assert any("No difference between the models" in text for text in comparison["verdict"])


@pytest.mark.parametrize(
    ("p_values", "said"),
    [
        ([], "only one model"),
        ([0.2, 0.5], "No difference between the models is more than chance"),
        ([0.001], "More than chance (exact McNemar test, Holm's correction, 5 %): CNN is better"),
        ([0.001, 0.5], "The other 1 of 2 differences may be chance"),
    ],
)
def test_the_verdict_names_the_significant_differences(p_values: list[float], said: str) -> None:
    pair = {"better": "cnn", "worse": "vit", "only_better_correct": 30, "only_worse_correct": 9}
    pairs = [pair | {"p": p / 100, "p_holm": p} for p in p_values]
    assert said in describe_pairs(pairs, {"cnn": "CNN", "vit": "ViT"})


def test_the_verdict_names_the_most_robust_model(results: Results) -> None:
    worst = change(results.models[0], "robustness", **dict.fromkeys(CORRUPTIONS, 0.4))
    comparison = compare(replace(results, models=(worst, *results.models[1:])))
    assert comparison["mean_accuracy_on_corrupted"]["cnn"] == pytest.approx(0.4)
    said = "Faster R-CNN is the most accurate (65.9%, mean over 15 corruptions) and CNN the least"
    assert said in comparison["verdict"][-1]


def test_labels_of_mnist_are_corrected(results: Results) -> None:
    assert "corrected_labels" not in compare(results)
    truth = np.zeros(10000, dtype=int)
    predicted = truth.copy()
    predicted[947], predicted[2130], predicted[5] = 9, 3, 4
    cnn = replace(results.models[0], labels=truth, predicted=predicted)
    corrected = compare(replace(results, is_mnist=True, models=(cnn,)))["corrected_labels"]
    assert corrected["images"] == 9995
    # 2130 does not count and 947 is a 9; of the ten corrected labels, two are 0 as they were here.
    wrong = 1 + sum(digit != 0 for i, digit in label_errors.CORRECTED.items() if i != 947)
    assert corrected["accuracy"]["cnn"] == pytest.approx(1 - wrong / 9995)


# --- charts


def elements(svg: str, tag: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(svg).iter(f"{{http://www.w3.org/2000/svg}}{tag}"))  # noqa: S314


def texts(svg: str) -> list[tuple[str, float, float]]:
    """Every text of a chart with its x and y."""
    found = []
    for element in elements(svg, "text"):
        place = re.findall(r"-?[\d.]+", element.get("transform", ""))[-2:]
        x, y = element.get("x") or place[0], element.get("y") or place[1]
        found.append(("".join(element.itertext()), float(x), float(y)))
    return found


def images(svg: str) -> list[tuple[int, float]]:
    """The small images of a chart: the grey value in the middle of each, and its y."""
    found = []
    for element in elements(svg, "image"):
        data = base64.b64decode(element.attrib["{http://www.w3.org/1999/xlink}href"].split(",")[1])
        pixels = np.asarray(Image.open(io.BytesIO(data)).convert("L"))
        # matplotlib turns images over: scale(1 -1) translate(0 -height)
        shift = float(re.findall(r"-?[\d.]+", element.attrib["transform"])[-1])
        middle = float(element.attrib["y"]) + shift + float(element.attrib["height"]) / 2
        if float(element.attrib["height"]) < 50:
            found.append((int(pixels[len(pixels) // 2, len(pixels) // 2]), -middle))
    return found


def test_each_corruption_stands_beside_its_accuracy_and_its_picture(results: Results) -> None:
    svg = galleries.robustness(results).svg
    kinds = ["none", *CORRUPTIONS]
    rows = {text.replace(" ", "_"): y for text, _, y in texts(svg)}
    pictures = images(svg)
    assert len(pictures) == 16
    for i, kind in enumerate(kinds):
        cells = [text for text, _, y in texts(svg) if abs(y - rows[kind]) < 3 and "." in text]
        assert cells == [f"{100 * corruption_accuracy(n, kind):.1f}" for n in range(5)]
        nearest = min(pictures, key=lambda picture: abs(picture[1] - rows[kind]))
        assert nearest[0] == pytest.approx(255 - 10 * i, abs=2), kind


def test_the_error_gallery_has_the_prediction_of_each_model(results: Results) -> None:
    shown = [text for text, *_ in texts(galleries.error_gallery(results, 3).svg)]
    assert "0 is 0" in shown
    assert "1 1 1 1 1" in shown  # of image 0, which every model misclassifies
    assert "1 2 2 2 2" in shown
    assert "3 is 3" not in shown  # the fourth


def test_an_image_in_which_nothing_was_found_is_an_error_of_its_own(results: Results) -> None:
    result = results.models[1]
    assert ">none<" not in plots.confusion_matrix(results, result).svg
    result = replace(result, predicted=np.where(np.arange(100) == 7, -1, result.predicted))
    assert not result.correct[7]
    assert ">none<" in plots.confusion_matrix(results, result).svg


def test_curves_of_less_than_an_epoch_have_ticks_between_epochs(results: Results) -> None:
    chart = plots.accuracy_curves(results)
    assert {"0.2", "0.8"} <= {text for text, *_ in texts(chart.svg)}
    assert "5,000 validation images (a stratified 1,000 of them" in chart.description


def test_reliability_is_solid_as_it_is_and_dotted_when_scaled(results: Results) -> None:
    results = replace(results, models=results.models[:1])
    colour = f"stroke: {results.models[0].style.colour}; "
    points = {}
    for path in elements(plots.reliability_diagram(results).svg, "path"):
        if colour in path.attrib.get("style", "") and "clip-path" in path.attrib:
            points["dasharray" in path.attrib["style"]] = len(re.findall("[ML]", path.attrib["d"]))
    assert points == {False: 2, True: 3}


def test_the_pareto_front_has_the_models_that_no_other_beats_in_both(results: Results) -> None:
    def front(*models: tuple[int, int]) -> int:
        made = [
            change(change(results.models[0], "details", flops=f), "metrics", errors=e)
            for f, e in models
        ]
        return len(plots.pareto_front(made))

    assert front((10, 50), (20, 40)) == 2
    assert front((10, 40), (20, 40)) == 1
    assert front((10, 50), (20, 60), (30, 40)) == 2


def test_the_scenes_show_true_and_found_classes(results: Results) -> None:
    shown = [text for text, *_ in texts(galleries.scenes(results, results.models[1]).svg)]
    assert shown == ["8", "3: 2 wrong"]


def test_a_detector_alone_has_no_chart_of_attacks(tmp_path: Path) -> None:
    results = read(tmp_path, ("frcnn",))
    names = [chart.name for chart in make_charts(results, compare(results), 5)]
    assert "attacks" not in names
    assert "scenes_frcnn" in names


# --- the page


def test_the_page_needs_nothing_but_itself(results: Results) -> None:
    comparison = compare(results) | {"verdict": ["<b>better</b>"]}
    text = render(
        "page.html.j2",
        results,
        comparison,
        [plots.disagreement(results, comparison["disagreement"])],
    )
    assert "&lt;b&gt;better&lt;/b&gt;" in text
    addresses = re.findall(r'(?:src|href)="([^"]*)"', text)
    anchors = set(re.findall(r' id="([^"]*)"', text))
    assert {address[1:] for address in addresses if address.startswith("#")} <= anchors
    assert all(address.startswith(("data:", "#")) for address in addresses)


def test_a_model_without_a_style_goes_by_its_name(results: Results) -> None:
    lenet = replace(results.models[0], name="lenet")
    results = replace(results, models=(results.models[0], lenet), spreads={})
    assert "<td>lenet</td>" in render("page.html.j2", results, compare(results), [])
    assert ">lenet<" in plots.accuracy_curves(results).svg


def test_the_models_on_the_page_cannot_break_out_of_it(results: Results) -> None:
    page = {"layers": [], "mean": 0, "std": 1, "check": {"exact": [[0.9]], "rounded": [[0.89]]}}
    name = "</script><!--<script>alert(1)"
    hostile = change(replace(results.models[0], name=name), "examples", page=page)
    results = as_mnist(replace(results, models=(hostile,), spreads={}))
    text = render("page.html.j2", results, compare(results), [])
    assert "<script>alert" not in text
    block = text.split('id="models">')[1].split("</script>")[0]
    assert json.loads(block)[0]["title"] == name
    assert "<" not in block
    assert "changes a probability by 0.01 at" in text


def test_the_short_form_links_its_figures(results: Results) -> None:
    comparison = compare(results)
    chart = plots.disagreement(results, comparison["disagreement"])
    text = render("page.md.j2", results, comparison, [chart])
    assert "![Disagreement](figures/disagreement.svg)" in text
    assert "| CNN | 99.00% | 99.00% | 183 s, 2 CPU threads |" in text


def run_stage(folder: Path, monkeypatch: pytest.MonkeyPatch, **data: Any) -> dict[str, bytes]:
    """Run stage `report` in `folder` for three models; returns the content of its outputs."""
    params = make_params(("cnn", "frcnn", "vit"), **data).model_dump()
    (folder / "params.yaml").write_text(yaml.safe_dump(params, allow_unicode=True))
    monkeypatch.chdir(folder)
    stages.report.main()
    files = [*Path("report").rglob("*.*"), Path("metrics/comparison.json")]
    return {str(file): file.read_bytes() for file in files if file.is_file()}


def test_another_data_set_is_reported_by_its_own_name_and_classes(
    metrics: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = metrics / "examples/cnn.json"
    page = {"layers": [], "mean": 0, "std": 1, "check": {"exact": [[0.9]], "rounded": [[0.89]]}}
    write_json(path, json.loads(path.read_text()) | {"page": page})
    (metrics / "predictions/vgg16.csv").write_text("of a model that params.yaml does not list")
    outputs = run_stage(tmp_path, monkeypatch, name="Clothes", classes=CLOTHES)
    texts = {name: re.sub(r'"data:[^"]*"', "", data.decode()) for name, data in outputs.items()}
    assert len(texts) > 12
    for name, text in texts.items():
        found = re.search(r"\blabs?\b|mnist|handwriting|canvas|digit", text, re.IGNORECASE)
        assert not found, f"{found[0]} in {name}"
    for name in ("report/README.md", "report/index.html"):
        assert "Clothes model comparison" in texts[name]
    for chart in ("confusion_cnn", "errors", "scenes_frcnn", "precision_frcnn", "attention_vit"):
        assert re.search("Dress|T-shirt/top", texts[f"report/figures/{chart}.svg"]), chart
    assert run_stage(tmp_path, monkeypatch, name="Clothes", classes=CLOTHES) == outputs


def test_on_mnist_the_report_has_what_is_known_of_mnist(results: Results) -> None:
    results = as_mnist(results)
    charts = [plots.loss_curves(results), galleries.robustness(results)]
    text = render("page.html.j2", results, compare(results), charts)
    for name in ("uci", "corrected"):
        assert f'id="table-{name}"' in text
    assert "(lab 98.50%)" in text
    assert "figures of the university lab" in text
    assert "loss that the lab reported" in text
    assert "MNIST-C" in text


def test_a_class_name_is_shown_as_it_is(results: Results) -> None:
    names = ("$x_1$", "<b>", "a|b", *"3456789")
    results = replace(results, classes=names)
    shown = {text for text, *_ in texts(plots.confusion_matrix(results, results.models[0]).svg)}
    assert set(names) <= shown
