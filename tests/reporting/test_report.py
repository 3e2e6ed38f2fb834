"""The report says what the files say, and says it in the same bytes each time."""

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mnist.commands.readme import between, over_seeds, with_figures
from mnist.errors import UserError
from mnist.reporting import label_errors, page, plots, table, tables
from mnist.reporting.comparison import against_each_other, against_lab, compare
from mnist.reporting.reference import LabResult
from mnist.reporting.results import ModelResult, read_result
from mnist.reporting.seeds import COLUMNS, Spread, read_spreads
from mnist.reporting.speed import benchmark
from mnist.reporting.tables import make_tables

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
    "file_bytes": 791856,
    "other_handwriting": {"digits": 1797, "accuracy": 0.95},
}
BENCHMARK = {
    "train_images_per_second": 2500,
    "infer_images_per_second_b1": 500,
    "infer_images_per_second_b256": 8000,
    "share_of_sgemm": 0.64,
    "speedup_vs_plain": 1.4,
    "peak_memory_mb": 900,
}
MACHINE = {
    "processor": "Xeon, 2 cores",
    "threads": 2,
    "torch": "2",
    "python": "3.11",
    "system": "Linux",
    "sgemm_gflops": 300,
    "rounds": 5,
}
ROBUSTNESS = """\
corruption,severity,accuracy
none,0,0.99
stripe,1,0.4
fgsm 0,0,1
fgsm 0.1,0.1,0.8
pgd 0.1,0.1,0.5
"""
HEADER = "actual,predicted,p0,p1,p2,p3,p4,p5,p6,p7,p8,p9\n"
ERROR = {"index": 3, "actual": 4, "predicted": 9, "probability": 0.87}


def row(actual: int, predicted: int) -> str:
    """One line of predictions: 91 % sure, or nothing found."""
    found = [0.91 if digit == predicted else 0.01 for digit in range(10)]
    return f"{actual},{predicted},{','.join(map(str, found if predicted >= 0 else [0.1] * 10))}\n"


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
    put("predictions/cnn.csv", HEADER + row(0, 0) * 3 + row(4, 9) + row(0, 0) * 6)
    put("reliability/cnn.csv", "confidence,right,count\n0.9100,0.9000,10\n")
    put("robustness/cnn.csv", ROBUSTNESS)
    put("benchmark.json", json.dumps({"cnn": BENCHMARK, "machine": MACHINE}))
    examples = {
        "weights_sha256": "abc",
        "misclassified": [ERROR | {"pixels": pixels}],
        "robustness": {"digits": 5, "attacked_digits": 2, "pictures": {"stripe": pixels}},
    }
    put("examples/cnn.json", json.dumps(examples))
    timing = {
        "train_seconds": 183.2,
        "device": "cpu",
        "threads": 2,
        "world_size": 1,
        "torch": "2",
        "sgemm_gflops": 99,
        "peak_memory_mb": 1003.6,
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
    ("errors", "lab", "said"),
    [
        (43, 0.985, "better than the lab's 98.50% by more than chance"),
        (53, 0.996, "the difference from the lab's 99.60% may be chance"),
        (51, 0.9921, "better than the lab's 99.21% by more than chance"),
        (80, 0.996, "worse than the lab's 99.60% by more than chance"),
    ],
)
def test_the_verdict_takes_both_figures_for_samples(
    result: ModelResult, errors: int, lab: float, said: str
) -> None:
    labels = np.zeros(10000, dtype=int)
    predicted = (np.arange(10000) < errors).astype(int)
    ours = replace(result, labels=labels, predicted=predicted, lab=LabResult(lab))
    assert said in against_lab(ours)


def other(result: ModelResult, wrong: Sequence[int], sure: float = 0.91) -> ModelResult:
    """A Vision Transformer that errs on the digits `wrong`."""
    predicted = result.labels.copy()
    predicted[list(wrong)] = 7
    probabilities = np.full((len(predicted), 10), (1 - sure) / 9)
    probabilities[np.arange(len(predicted)), predicted] = sure
    return replace(
        result,
        name="vit",
        title="Vision Transformer",
        predicted=predicted,
        probabilities=probabilities,
        quality=QUALITY | {"errors": len(wrong)},
    )


def test_the_comparison_ranks_by_errors(result: ModelResult) -> None:
    result.quality["errors"] = 1
    comparison = compare([other(result, [1, 2]), result])
    assert comparison["ranking"] == ["cnn", "vit"]
    assert comparison["lab"]["cnn"]["difference"] == pytest.approx(0.011)


def test_the_comparison_counts_what_models_get_wrong_together(result: ModelResult) -> None:
    result.quality["errors"] = 1
    comparison = compare([other(result, [3, 5]), result])
    assert comparison["wrong_by_all"] == [3]
    assert comparison["wrong_by_any"] == 2
    assert comparison["disagreement"]["cnn"] == {"cnn": 0, "vit": 2}  # 9 or 7 for digit 3
    (pair,) = comparison["mcnemar"]
    assert (pair["better"], pair["only_better_right"], pair["only_worse_right"]) == ("cnn", 1, 0)


def test_the_ensemble_is_the_mean_of_the_probabilities(result: ModelResult) -> None:
    unsure = compare([result, other(result, [5], sure=0.5)])["ensemble"]
    assert unsure["errors"] == 1  # the CNN outvotes it on 5 and stays wrong on 3
    sure = compare([result, other(result, [5], sure=0.99)])["ensemble"]
    assert sure["errors"] == 1  # it outvotes the CNN on 3 and stays wrong on 5
    nothing_found = replace(result, probabilities=np.full((10, 10), 0.1))
    assert compare([nothing_found, other(result, [])])["ensemble"]["errors"] == 0


def test_the_verdict_says_who_stands_corruption_best(result: ModelResult) -> None:
    better = replace(other(result, []), robustness=[("none", 0, 0.9), ("stripe", 1, 0.7)])
    comparison = compare([result, better])
    assert comparison["mean_accuracy_on_corrupted"] == {"cnn": 0.4, "vit": 0.7}
    said = "Vision Transformer holds up best (70.0% on the mean of 1 corruptions) and CNN worst"
    assert said in comparison["verdict"][-1]


def test_labels_are_corrected_on_mnist_alone(
    result: ModelResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = compare([result])
    assert "corrected_labels" not in alone
    assert "ensemble" not in alone
    truth = np.zeros(10000, dtype=int)
    predicted = truth.copy()
    predicted[947], predicted[2130], predicted[5] = 9, 3, 4
    monkeypatch.setattr(label_errors, "are_mnists", lambda labels: True)
    probabilities = np.eye(10)[predicted]
    big = replace(result, labels=truth, predicted=predicted, probabilities=probabilities)
    corrected = compare([big])["corrected_labels"]
    assert corrected["digits"] == 9995
    # 2130 does not count and 947 is a 9; of the ten put right, two are a 0 as they were here.
    wrong = 1 + sum(digit != 0 for i, digit in label_errors.CORRECTED.items() if i != 947)
    assert corrected["accuracy"]["cnn"] == pytest.approx(1 - wrong / 9995)


@pytest.mark.parametrize(
    ("p_values", "said"),
    [
        ([], "One model alone"),
        ([0.2, 0.5], "no difference is more than chance"),
        ([0.001], "More than chance (exact McNemar test, Holm's correction, 5 %): CNN beats ViT"),
        ([0.001, 0.5], "The rest, 1 of 2, may be chance"),
    ],
)
def test_the_verdict_names_the_real_differences(p_values: list[float], said: str) -> None:
    pair = {"better": "cnn", "worse": "vit", "only_better_right": 30, "only_worse_right": 9}
    pairs = [pair | {"p_holm": p} for p in p_values]
    assert said in against_each_other(pairs, {"cnn": "CNN", "vit": "ViT"})


def test_a_digit_that_was_not_found_counts_as_an_answer_of_its_own(metrics: Path) -> None:
    assert ">none<" not in plots.confusion_matrix(read_result(metrics, "cnn"))
    (metrics / "predictions/cnn.csv").write_text(HEADER + row(4, 9) + row(4, -1))
    result = read_result(metrics, "cnn")
    assert not result.right.any()
    assert ">none<" in plots.confusion_matrix(result)


def test_charts_are_the_same_bytes_each_time(result: ModelResult) -> None:
    shared = (plots.accuracy_against_cost, plots.reliability_diagram, plots.robustness)
    for draw in (plots.loss_curves, plots.accuracy_curves, plots.attacks, *shared):
        assert draw([result]) == draw([result])
    assert plots.confusion_matrix(result) == plots.confusion_matrix(result)
    assert plots.error_gallery([result], 5) == plots.error_gallery([result], 5)


def test_the_gallery_says_what_each_model_answers(result: ModelResult) -> None:
    drawn = plots.error_gallery([result, other(result, [3])], 5)
    assert ">3 is 4<" in drawn
    assert ">9 7<" in drawn


def test_the_pareto_front_holds_what_no_other_beats_in_both(result: ModelResult) -> None:
    def front(*models: tuple[int, int]) -> int:
        results = [
            replace(result, quality=QUALITY | {"flops": f, "errors": e, "accuracy": 1 - e / 1e4})
            for f, e in models
        ]
        return len(plots.pareto_front(results))

    assert front((10, 50), (20, 40)) == 2
    assert front((10, 40), (20, 40)) == 1
    assert front((10, 50), (20, 60), (30, 40)) == 2


def test_the_scenes_show_true_and_found_boxes(result: ModelResult) -> None:
    scene = {
        "pixels": base64.b64encode(bytes(64 * 64)).decode(),
        "true": [[0, 0, 20, 20, 3]],
        "found": [[1, 1, 20, 20, 8, 0.9]],
        "mistakes": 2,
    }
    drawn = plots.scenes(replace(result, scenes=[scene]))
    assert ">3: 2 wrong<" in drawn
    assert ">8<" in drawn


def test_the_heat_map_has_a_cell_a_corruption_and_no_attacks(result: ModelResult) -> None:
    drawn = plots.robustness([result])
    assert ">stripe<" in drawn
    assert ">40.0<" in drawn
    assert ">99.0<" in drawn
    assert drawn.count(">40.0<") == 2  # alone, it is the mean too
    assert "fgsm" not in drawn
    assert result.attacked("fgsm") == [(0.0, 1.0), (0.1, 0.8)]
    assert result.attacked("pgd") == [(0.1, 0.5)]


def table_of(name: str, results: Sequence[ModelResult], **spreads: Spread) -> tables.Table:
    (found,) = (t for t in make_tables(results, compare(results, spreads)) if t.name == name)
    return found


def test_what_a_model_costs(result: ModelResult) -> None:
    (row,) = table_of("price", [result]).rows
    assert row == ("CNN", "196,698", "27.6", "0.8 MB", "183 s", "1,004 MB")
    (row,) = table_of("price", [replace(result, timing=None)]).rows
    assert row[4:] == ("-", "-")


def test_how_fast_a_model_is(result: ModelResult) -> None:
    (row,) = table_of("speed", [result, replace(result, benchmark=None)]).rows
    assert row[:4] == ("CNN", "2,500", "64%", "1.4 times as fast")
    assert row[4:] == ("2 ms", "0.125 ms")
    assert "Xeon, 2 cores" in table_of("environment", [result]).description


def test_the_seeds_are_summed_up(result: ModelResult, tmp_path: Path) -> None:
    path = tmp_path / "seeds.csv"
    lines = ["cnn,1,0.994,0,0,0,0", "cnn,2,0.996,0,0,0,0", "vit,1,0.99,0,0,0,0"]
    path.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")
    spreads = read_spreads(path)
    assert spreads["cnn"].mean == pytest.approx(0.995)
    assert spreads["cnn"].std == pytest.approx(0.002 / 2**0.5)
    assert spreads["vit"].std is None
    # 99.60 % is the accuracy of the model at hand; the ViT is not in this report
    (row,) = table_of("seeds", [result], **spreads).rows
    assert row == ("CNN", "2", "99.50%", "0.14%", "99.40%", "99.60%")


def test_a_report_without_seeds_has_no_table_of_them(result: ModelResult) -> None:
    assert "seeds" not in [table.name for table in make_tables([result], compare([result]))]


def test_missing_or_damaged_seeds_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is missing"):
        read_spreads(tmp_path / "seeds.csv")
    (tmp_path / "seeds.csv").write_text("model,accuracy\ncnn,good\n")
    with pytest.raises(UserError, match="damaged"):
        read_spreads(tmp_path / "seeds.csv")


def test_the_page_needs_nothing_but_itself(result: ModelResult) -> None:
    chart = page.Chart("loss", "Loss <per> epoch", "What it shows.", "<svg/>")
    added = replace(other(result, [3, 5]), name="lenet", title="LeNet")  # not one of the five
    comparison = compare([result, added]) | {"verdict": ["<b>better</b>"]}
    text = page.html([result, added], comparison, [chart])
    assert "<td>LeNet</td>" in text
    assert "99.60% (lab 98.50%)" in text
    assert "&lt;b&gt;better&lt;/b&gt;" in text
    addresses = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert addresses
    anchors = set(re.findall(r' id="([^"]*)"', text))
    inside = {address[1:] for address in addresses if address.startswith("#")}
    assert inside <= anchors
    assert all(address.startswith(("data:", "#")) for address in addresses)


def test_the_models_on_the_page_cannot_break_out_of_it(result: ModelResult) -> None:
    page_of = {"layers": [], "mean": 0, "std": 1, "check": {"exact": [[0.9]], "rounded": [[0.89]]}}
    hostile = replace(result, page=page_of, title="</script><!--<script>alert(1)")
    text = page.html([hostile], compare([hostile]), [])
    assert "<script>alert" not in text
    block = text.split('id="models">')[1].split("</script>")[0]
    assert json.loads(block)[0]["title"] == hostile.title
    assert "<" not in block
    assert "0.01 at most on 1 test digits" in text


def test_the_short_form_links_its_figures(result: ModelResult) -> None:
    chart = page.Chart("loss", "Loss", "What it shows.", "<svg/>")
    text = page.readme([result], compare([result]) | {"verdict": ["better"]}, [chart])
    assert "![Loss](figures/loss.svg)" in text
    assert table.markdown([result]) in text


def test_the_readmes_tables_are_replaced_between_their_markers(metrics: Path) -> None:
    (metrics / "seeds.csv").write_text(",".join(COLUMNS) + "\n")
    markers = "<!-- results -->\nold table\n<!-- /results -->\n"
    old = f"# Title\n{markers}more\n{markers.replace('results', 'benchmark')}end\n"
    new = with_figures(old, metrics, ["cnn"])
    assert "99.60% (lab 98.50%)" in new
    assert "0.125 ms" in new
    assert "old table" not in new
    assert new.startswith("# Title\n")
    assert new.endswith("end\n")
    assert with_figures(new, metrics, ["cnn"]) == new
    with pytest.raises(UserError, match="needs the lines <!-- results -->"):
        between("# Title\n", "results", "")


def test_the_readme_sums_up_the_seeds(result: ModelResult) -> None:
    spread = Spread(3, 0.995, 0.0004, 0.9946, 0.996, (0.9946, 0.995, 0.996))
    assert "CNN 99.50% ± 0.04% (3 seeds)." in over_seeds([result], {"cnn": spread})
    assert over_seeds([result], {"cnn": replace(spread, std=None)}) == ""
    of_another_recipe = replace(spread, accuracies=(0.98, 0.99, 0.991))
    assert over_seeds([result], {"cnn": of_another_recipe}) == ""
    assert compare([result], {"cnn": of_another_recipe})["seeds"] == {}
    assert over_seeds([result], {}) == ""


def test_the_benchmark_is_written_out() -> None:
    assert "make bench" in benchmark({})
    goal = {"cnn": 30, "cnn_epochs": 1.5, "plain": 450, "plain_epochs": 8, "ratio": 15.0}
    text = benchmark({"cnn": BENCHMARK, "machine": MACHINE, "time_to_99": goal})
    assert "| CNN | 2,500 | 64% | 1.4 times as fast | 2 ms | 0.125 ms |" in text
    assert "On Xeon, 2 cores: 2 threads" in text
    assert "our CNN after 30 s of training (1.5 epochs), the tutorials' after 450 s" in text
