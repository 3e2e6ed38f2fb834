"""The report shows what the files under metrics/ hold, in the same bytes each time."""

import base64
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from mnist.reporting.all_charts import make_charts
from mnist.reporting.leaderboard import make_leaderboard
from mnist.reporting.speed import benchmark_markdown
from PIL import Image

import stages.report
from mnist.errors import UserError
from mnist.reporting import markdown, plots
from mnist.reporting.comparison import compare
from mnist.reporting.error_browser import missed_images
from mnist.reporting.page import render
from mnist.reporting.results import ModelResult, Results, read_results
from mnist.reporting.tables import Table, headline, make_tables
from tests.reporting.synthetic import (
    BENCHMARK,
    MACHINE,
    MODELS,
    make_params,
    write_json,
    write_seeds,
)

CLOTHES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal"]
CLOTHES += ["Shirt", "Sneaker", "Bag", "Boot"]


def as_mnist(results: Results) -> Results:
    """The same results as if the images were MNIST's 10,000."""
    models = [
        replace(
            r,
            labels=np.resize(r.labels, 10_000),
            predicted=np.resize(r.predicted, 10_000),
            probabilities=np.resize(r.probabilities, (10_000, 10)),
            runs=replace(r.runs, wrong=np.resize(r.runs.wrong, (r.runs.n, 10_000))),
        )
        for r in results.models
    ]
    return replace(results, is_mnist=True, models=tuple(models))


def change(result: ModelResult, part: str, **values: Any) -> ModelResult:
    return replace(result, **{part: getattr(result, part) | values})


def table(name: str, results: Results) -> Table:
    return make_tables(results, compare(results))[name]


# --- tables


def test_on_mnist_the_headline_has_the_lab_beside_ours(results: Results) -> None:
    mnist = replace(results, is_mnist=True)
    overview = headline(mnist, compare(results))
    first, second, *_ = overview.rows
    figures = ("99.00% (n = 1)", "99.00%", "98.50%", "1", "196,698", "1", "183 s, 2 CPU threads")
    assert first == ("CNN", *figures)
    assert second[3] == "-"  # the lab has no figure of the detector
    assert overview.columns[3] == "Lab"
    assert "Lab:" in overview.description
    assert "time of Faster R-CNN include those of CNN" in overview.description
    other = headline(results, compare(results))
    assert "Lab" not in other.columns
    assert other.rows[0] == (first[:3] + first[4:])
    assert "Lab" not in other.description
    two = replace(results, models=results.models[1:3])
    assert "it starts" not in headline(two, compare(two)).description


def test_times_of_different_cpus_are_said_to_be_so(results: Results) -> None:
    assert "different CPUs" not in headline(results, compare(results)).description
    first, *others = results.models
    assert first.timing
    other = replace(first, timing=first.timing | {"cpu": "6502"})
    mixed = replace(results, models=(other, *others))
    assert "different CPUs" in headline(mixed, compare(mixed)).description


def test_a_timing_of_other_weights_is_not_shown(metrics: Path) -> None:
    path = metrics / "timing.json"
    path.write_text(path.read_text().replace("sha of cnn", "sha of another"))
    results = read_results(metrics, make_params())
    assert headline(results, compare(results)).rows[0][-1] == "not measured"
    environment = table("environment", results)
    assert [row[0] for row in environment.rows][0] == "Faster R-CNN"
    assert environment.rows[0][1:] == ("md5 of frcnn", "cpu", "Z80", "2", "yes", "2.14", "1,004 MB")
    assert compare(results)["cost"]["frcnn"]["train_seconds"] is None  # without the CNN's


def test_the_speed_of_a_model(results: Results) -> None:
    row = ("CNN", "2,500", "200", "1.4 times", "2 ms", "0.125 ms")
    assert table("speed", results).rows[0] == row
    assert "On Xeon, 2 cores, with 2 threads" in table("speed", results).description
    without = replace(results, benchmark={})
    assert "speed" not in make_tables(without, compare(without))


def test_the_hyperparameters_are_those_of_params_yaml(results: Results) -> None:
    params, shown = make_params(), table("hyperparameters", results)
    assert shown.columns == ("Key", "CNN", "Faster R-CNN", "VGG16", "AlexNet", "Vision Transformer")
    rows = {key: cells for key, *cells in shown.rows}
    assert len(rows) == len(shown.rows)
    assert rows["lr"] == [str(getattr(params, name).lr) for name in MODELS]
    widths = ", ".join(map(str, params.cnn.widths))
    assert rows["widths"] == [widths, "", "", "", ""]
    assert rows["scenes.side"] == ["", str(params.frcnn.scenes.side), "", "", ""]
    assert rows["last_pool"][2:4] == ["false", "false"]
    assert rows["optimizer"][0] == "sgd"


def test_the_page_says_what_was_not_found_and_how_many_errors_it_shows(results: Results) -> None:
    models = [
        replace(r, examples=r.examples | {"misclassified": r.examples["misclassified"][:1]})
        for r in results.models
    ]
    nothing_in_7 = np.where(np.arange(100) == 7, -1, results.labels)
    models[1] = replace(models[1], predicted=nothing_in_7)
    results = replace(results, models=tuple(models))
    comparison = compare(results)
    text = render("page.html.j2", results, comparison, make_charts(results, comparison, 5))
    assert "1 of 6 images that some model misclassifies" in text
    assert 'data-model="frcnn" data-true="7" data-predicted="-1"' in text
    assert text.count('<th scope="col">none</th>') == 1  # a column of the detector alone


def test_the_leaderboard_marks_the_best_of_each_column(results: Results) -> None:
    columns = {c.heading: c for c in make_leaderboard(results, compare(results))}
    error = columns["Error"].cells
    assert [error[name].text for name in MODELS] == ["1.00%", "2.00%", "3.00%", "4.00%", "5.00%"]
    assert [name for name in MODELS if error[name].is_best] == ["cnn"]
    assert error["vit"].share == 1
    assert error["frcnn"].share == pytest.approx(0.4)
    assert all(cell.is_best for cell in columns["Latency"].cells.values())  # all are the same
    assert "± seeds" not in columns  # there is one seed
    assert columns["95% interval"].cells["cnn"].text == "0.00% to 3.00%"
    assert not any(cell.is_best for cell in columns["95% interval"].cells.values())
    assert columns["Parameters"].cells["cnn"].text == "0.197 M"
    assert columns["Corrupted"].cells["cnn"].text == "40.0%"
    shown = {heading: columns[heading].cells["cnn"].text for heading in columns}
    assert (shown["Latency"], shown["In batches"]) == ("2 ms", "0.125 ms")
    assert (shown["MFLOP"], shown["TFLOP"], shown["File"]) == ("27.6", "1", "0.792 MB")
    assert "Lab" not in columns
    mnist = as_mnist(results)
    lab = {"cnn": {"accuracy": 0.99, "lab_accuracy": 0.985}}
    columns = {c.heading: c for c in make_leaderboard(mnist, compare(results) | {"lab": lab})}
    assert columns["vs lab"].cells["cnn"].text == "-0.50"
    assert columns["vs lab"].cells["frcnn"].text == "-"
    assert columns["UCI"].cells["vit"].text == "5.0%"


def test_the_calibration_table_tells_raw_from_scaled(results: Results) -> None:
    calibration = table("calibration", results)
    row = dict(zip(calibration.columns, calibration.rows[0], strict=True))
    assert (row["NLL"], row["NLL scaled"]) == ("0.0600", "0.0200")
    assert (row["Brier"], row["Brier scaled"]) == ("0.0120", "0.0110")
    assert (row["ECE"], row["ECE scaled"], row["ECE by chance"]) == ("0.0470", "0.0010", "0.0030")
    assert row["Temperature"] == "0.5000"


def test_the_seeds_have_a_table(metrics: Path) -> None:
    write_seeds(metrics, {("cnn", 1): [0], ("cnn", 2): [5, 6, 7], ("vit", 1): range(5)})
    results = read_results(metrics, make_params())
    rows = table("seeds", results).rows
    assert rows[0] == ("CNN", "2", "98.00%", "1.41%", "97.00%", "99.00%", "99.00%")
    assert rows[4] == ("Vision Transformer", "1", "95.00%", "-", "95.00%", "95.00%", "99.00%")
    assert rows[1] == ("Faster R-CNN", "1", "98.00%", "-", "98.00%", "98.00%", "-")  # at hand
    overview = {row[0]: row for row in headline(results, compare(results)).rows}
    assert overview["CNN"][1:4] == ("98.00% ± 1.41% (n = 2)", "98.00%", "2")  # of both seeds
    assert overview["Faster R-CNN"][1:4] == ("98.00% (n = 1)", "98.00%", "2")
    columns = {c.heading: c for c in make_leaderboard(results, compare(results))}
    assert columns["± seeds"].cells["cnn"].text == "1.414 (2)"


def test_pairs_risk_and_corruptions_have_tables(results: Results) -> None:
    comparison = compare(results)
    counts = {"only_better_correct": 30, "only_worse_correct": 2, "p": 0.003, "p_holm": 0.004}
    pair = {"better": "cnn", "worse": "vit", "difference": 0.0123, "ci95": [0.001, 0.024]}
    comparison["pairs"] = [pair | {"p": 0.01, "p_holm": 0.02, "mcnemar": counts}]
    (row,) = make_tables(results, comparison)["differences"].rows
    assert row == (
        "CNN", "Vision Transformer", "1.23", "0.10 to 2.40", "0.02", "30 to 2", "0.004"
    )  # fmt: skip
    assert table("risk", results).rows[0][0::4] == ("CNN", "1")
    assert table("corrupted", results).rows[1][1] == "59.0% (50.0% to 70.0%)"
    recipes = table("recipes", as_mnist(results)).rows
    assert recipes[0][:4] == ("CNN", "0.9 (10)", "1.000 (0.381)", "0.125 (0.041)")
    assert recipes[1][1] == "0.9 (-)"
    assert table("recipes", results).rows[0][:2] == ("CNN", "0.9")


def test_markdown_escapes_what_would_end_a_cell() -> None:
    assert markdown.table(["a"], [["x|y"]]) == "| a |\n|---|\n| x\\|y |\n"


def test_the_benchmark_is_written_in_full() -> None:
    assert "make bench" in benchmark_markdown({})
    detector = {key: value for key, value in BENCHMARK.items() if key != "speedup"}
    text = benchmark_markdown({"cnn": BENCHMARK, "frcnn": detector, "machine": MACHINE})
    assert "| CNN | 2,500 | 200 | 1.4 times | 2 ms | 0.125 ms |" in text
    assert "| Faster R-CNN | 2,500 | 200 | - | 2 ms | 0.125 ms |" in text
    assert "On Xeon, 2 cores: 2 threads" in text


# --- files


@pytest.mark.parametrize(
    "file", ["test/cnn.json", "curves/vit.csv", "seeds.csv", "seed_errors.csv", "timing.json"]
)
def test_a_missing_or_damaged_file_is_named(metrics: Path, file: str) -> None:
    (metrics / file).write_text("epoch,model\n{")
    with pytest.raises(UserError, match=f"{file} is damaged"):
        read_results(metrics, make_params())
    (metrics / file).unlink()
    with pytest.raises(UserError, match=f"{file} is missing"):
        read_results(metrics, make_params())


# --- the page


def test_the_page_escapes_what_it_shows(results: Results) -> None:
    comparison = compare(results)
    comparison["verdict"].append("<b>better</b>")
    text = render("page.html.j2", results, comparison, make_charts(results, comparison, 5))
    assert "&lt;b&gt;better&lt;/b&gt;" in text


def test_a_model_without_a_style_goes_by_its_name(results: Results) -> None:
    lenet = replace(results.models[0], name="lenet")
    results = replace(results, models=(results.models[0], lenet))
    assert "</span>lenet</th>" in render("page.html.j2", results, compare(results), [])


def test_the_short_form_links_its_figures(results: Results) -> None:
    comparison = compare(results)
    chart = plots.hero(results, comparison)
    text = render("page.md.j2", results, comparison, [chart])
    assert f"![{chart.alt}](figures/hero.svg)" in text
    assert "| CNN | 99.00% (n = 1) | 99.00% | 1 | 196,698 | 1 | 183 s, 2 CPU threads |" in text


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
    hidden = r'"data:[^"]*"|scenes\.digits_\w+'  # pictures, and keys of params.yaml
    texts = {name: re.sub(hidden, "", data.decode()) for name, data in outputs.items()}
    assert len(texts) > 12
    for name, text in texts.items():
        found = re.search(r"\blabs?\b|mnist|handwriting|canvas|digit", text, re.IGNORECASE)
        assert not found, f"{found[0]} in {name}"
    for name in ("report/README.md", "report/index.html"):
        assert "CNN leads on Clothes" in texts[name]
    for chart in ("confusion", "errors", "scenes_frcnn", "precision_frcnn", "attention_vit"):
        assert re.search("Dress|T-shirt/top|Bag", texts[f"report/figures/{chart}.svg"]), chart
    assert run_stage(tmp_path, monkeypatch, name="Clothes", classes=CLOTHES) == outputs


def test_on_mnist_the_report_has_what_is_known_of_mnist(results: Results) -> None:
    results = as_mnist(results)
    comparison = compare(results)
    text = render("page.html.j2", results, comparison, make_charts(results, comparison, 5))
    found = {"images": 9995, "errors": {"cnn": 7, "ensemble": 8}}
    ours = comparison | {"corrected_labels": found}
    published = comparison["ensemble"]["errors"]
    rows = make_tables(results, ours)["corrected"].rows
    assert rows == [("CNN", "1", "7"), ("Ensemble", f"{published}", "8")]
    for words in (
        "the lab",
        "UCI",
        "vs lab",
        "doubtful label",
        "as corrected",
        "In brackets",
    ):
        assert words in text
    assert "MNIST-C" in text


def test_the_error_browser_has_the_prediction_of_each_model(results: Results) -> None:
    first, *rest = missed_images(results)
    assert (first.index, first.class_name, first.wrong) == (0, "0", 5)
    assert [image.wrong for image in rest] == [4, 3, 2, 1]
    last = rest[-1].predictions
    assert [p.class_name for p in last] == ["4", "4", "4", "4", "5"]
    assert [p.is_wrong for p in last] == [False] * 4 + [True]
    confidence = first.predictions[0].confidence
    assert confidence == pytest.approx(results.models[0].calibrated[0].max())
    # Grey 100 of 255 on black is shown dark on white.
    picture = Image.open(io.BytesIO(base64.b64decode(first.picture.split(",")[1])))
    assert (picture.size, picture.getpixel((3, 3))) == ((28, 28), 155)
    assert first.label_error == ""


def test_the_error_browser_has_the_votes_on_doubtful_labels(results: Results) -> None:
    error = results.models[4].examples["misclassified"][0] | {"index": 1901}
    mnist = as_mnist(results)
    mnist = replace(mnist, models=(change(mnist.models[4], "examples", misclassified=[error]),))
    (image,) = missed_images(mnist)
    assert image.label_error == "3 of 5 people see 4, 2 the published label"
    assert "3 of 5 people see 4" in render("page.html.j2", mnist, compare(mnist), [])
    assert missed_images(replace(mnist, is_mnist=False))[0].label_error == ""
