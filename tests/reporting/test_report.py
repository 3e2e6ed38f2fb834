"""The report says what the files say, and says it in the same bytes each time."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from stages.readme import END, START, with_results
from stages.reporting import figures, page, table
from stages.reporting.comparison import compare, verdict
from stages.reporting.results import ModelResult, read_result
from stages.system.errors import UserError

QUALITY = {
    "accuracy": 0.996,
    "f1_macro": 0.9959,
    "errors": 40,
    "accuracy_ci95_low": 0.9946,
    "accuracy_ci95_high": 0.9971,
    "nll": 0.01,
    "brier": 0.005,
    "ece": 0.002,
    "temperature": 1.1,
    "ece_calibrated": 0.001,
    "parameters": 196698,
    "flops": 27568000,
}
ERROR = {"index": 3, "actual": 4, "predicted": 9, "probability": 0.87}


@pytest.fixture
def metrics(tmp_path: Path) -> Path:
    """The files of a model as evaluation and training leave them."""

    def put(name: str, content: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    pixels = base64.b64encode(bytes(784)).decode()
    put("cnn.json", json.dumps(QUALITY))
    put("train/cnn.json", json.dumps({"epochs": 2, "train_samples": 100}))
    put(
        "curves/cnn.csv",
        "epoch,train_loss,val_loss,val_accuracy\n1,0.3,0.1,0.98\n2,0.1,0.05,0.99\n",
    )
    put("predictions/cnn.csv", "actual,predicted\n4,9\n" + "0,0\n" * 9)
    examples = {"weights_sha256": "abc", "misclassified": [ERROR | {"pixels": pixels}]}
    put("examples/cnn.json", json.dumps(examples))
    timing = {
        "train_seconds": 183.2,
        "device": "cpu",
        "threads": 2,
        "torch": "2",
        "sgemm_gflops": 99,
    }
    put("timing/cnn.json", json.dumps(timing | {"weights_sha256": "abc"}))
    return tmp_path


@pytest.fixture
def result(metrics: Path) -> ModelResult:
    return read_result(metrics, "cnn")


def test_the_table_has_ours_beside_the_labs(result: ModelResult) -> None:
    ((model, accuracy, f1, seconds, notes),) = table.rows([result])
    assert model == "CNN"
    assert accuracy == "99.60% (lab 98.50%)"
    assert f1 == "99.59% (lab 98.50%)"
    assert seconds == "183 s, 2 CPU threads (lab -)"
    assert "40 errors" in notes
    assert "2 epochs (lab 10)" in notes


def test_the_table_says_what_a_training_started_from(result: ModelResult) -> None:
    assert "weights" not in table.markdown([result])
    for pretrained, said in ((1, "from ImageNet weights"), (0, "from random weights")):
        result.training["pretrained"] = pretrained
        assert said in table.markdown([result])


def test_a_timing_of_other_weights_is_not_shown(metrics: Path) -> None:
    path = metrics / "timing/cnn.json"
    path.write_text(path.read_text().replace("abc", "other"))
    assert read_result(metrics, "cnn").timing is None
    path.unlink()
    assert "not measured" in table.markdown([read_result(metrics, "cnn")])


def test_a_missing_or_damaged_file_is_named(metrics: Path) -> None:
    (metrics / "cnn.json").write_text("{")
    with pytest.raises(UserError, match="damaged"):
        read_result(metrics, "cnn")
    (metrics / "cnn.json").unlink()
    with pytest.raises(UserError, match=r"cnn\.json is missing; run `dvc repro evaluate@cnn`"):
        read_result(metrics, "cnn")


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.9946, 0.9971, "better than the lab's 98.50%"),
        (0.98, 0.99, "may be chance"),
        (0.90, 0.95, "worse than the lab's 98.50%"),
    ],
)
def test_the_verdict_follows_the_interval(
    result: ModelResult, low: float, high: float, said: str
) -> None:
    result.quality.update(accuracy_ci95_low=low, accuracy_ci95_high=high)
    assert said in verdict(result)


def test_the_comparison_ranks_by_errors(result: ModelResult) -> None:
    worse: dict[str, Any] = {**vars(result), "name": "vit", "quality": QUALITY | {"errors": 41}}
    comparison = compare([ModelResult(**worse), result])
    assert comparison["ranking"] == ["cnn", "vit"]
    assert comparison["lab"]["cnn"]["difference"] == pytest.approx(0.011)


def test_a_digit_that_was_not_found_counts_as_an_answer_of_its_own(metrics: Path) -> None:
    (metrics / "predictions/cnn.csv").write_text("actual,predicted\n4,9\n4,-1\n")
    confusion = read_result(metrics, "cnn").confusion
    assert confusion.shape == (10, 11)
    assert confusion[4, 10] == confusion[4, 9] == 1


def test_charts_are_the_same_bytes_each_time(result: ModelResult) -> None:
    for draw in (figures.loss_curves, figures.accuracy_curves):
        assert draw([result]) == draw([result])
    assert figures.confusion_matrix(result) == figures.confusion_matrix(result)
    assert figures.error_gallery(result, 5) == figures.error_gallery(result, 5)


def test_the_gallery_captions_each_error(result: ModelResult) -> None:
    assert "4 → 9, 87%" in figures.error_gallery(result, 5)


def test_the_page_needs_nothing_but_itself(result: ModelResult) -> None:
    chart = page.Chart("loss", "Loss <per> epoch", "What it shows.", "<svg/>")
    text = page.html([result], ["<b>better</b>"], [chart])
    assert "99.60% (lab 98.50%)" in text
    assert "&lt;b&gt;better&lt;/b&gt;" in text
    addresses = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert addresses
    assert all(address.startswith("data:") for address in addresses)


def test_the_short_form_links_its_figures(result: ModelResult) -> None:
    chart = page.Chart("loss", "Loss", "What it shows.", "<svg/>")
    text = page.readme([result], ["better"], [chart])
    assert "![Loss](figures/loss.svg)" in text
    assert table.markdown([result]) in text


def test_the_readme_table_is_replaced_between_its_markers(metrics: Path) -> None:
    old = f"# Title\n{START}old table\n{END}more\n"
    new = with_results(old, metrics, ["cnn"])
    assert "99.60% (lab 98.50%)" in new
    assert "old table" not in new
    assert new.startswith("# Title\n")
    assert new.endswith("more\n")
    assert with_results(new, metrics, ["cnn"]) == new
    with pytest.raises(UserError, match="needs the lines"):
        with_results("# Title\n", metrics, ["cnn"])
