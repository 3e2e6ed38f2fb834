"""The models are compared by their mean error over seeds; every sentence follows the figures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax
from statsmodels.stats.multitest import multipletests

from mnist.errors import UserError
from mnist.evaluation.corruptions import CORRUPTIONS
from mnist.reporting import findings, label_errors
from mnist.reporting.comparison import compare, risk_coverage
from mnist.reporting.results import ModelResult, Results, read_results
from mnist.reporting.seeds import SeedRuns
from mnist.reporting.statistics import holm
from tests.reporting.synthetic import MODELS, make_params, read, write_metrics, write_seeds

ROUNDED = 5e-6  # figures have six decimals; Holm's factor is at most 10


def with_errors(result: ModelResult, *wrong: range, images: int = 10_000) -> ModelResult:
    """The same model as if each of its trainings misclassified these of so many images."""
    rows = np.zeros((len(wrong), images), dtype=bool)
    for row, indices in zip(rows, wrong, strict=True):
        row[indices] = True
    labels = np.zeros(images, dtype=int)
    return replace(
        result,
        labels=labels,
        predicted=rows[0].astype(int),
        probabilities=np.eye(10)[rows[0].astype(int)] * 0.9 + 0.01,
        runs=SeedRuns(rows, *np.full((2, len(rows)), 0.99)),
    )


# --- seeds


def test_models_are_ranked_by_their_mean_over_seeds_not_by_the_committed_seed(
    tmp_path: Path,
) -> None:
    folder = write_metrics(tmp_path / "metrics", ("cnn", "vit"), wrong={"cnn": [3], "vit": [3, 5]})
    write_seeds(folder, {("cnn", 1): [3], ("cnn", 2): range(9), ("vit", 1): [3, 5]})
    comparison = compare(read_results(folder, make_params(("cnn", "vit"))))
    assert comparison["ranking"] == ["vit", "cnn"]
    assert comparison["seeds"]["cnn"]["mean_error"] == pytest.approx(0.05)
    assert comparison["seeds"]["cnn"]["std"] == pytest.approx(
        np.std([0.01, 0.09], ddof=1), abs=ROUNDED
    )
    assert comparison["seeds"]["cnn"]["errors"] == pytest.approx([0.01, 0.09])
    assert comparison["seeds"]["vit"]["std"] is None
    assert comparison["pairs"][0]["difference"] == pytest.approx(0.03)


def test_trainings_by_another_recipe_do_not_count(tmp_path: Path) -> None:
    folder = write_metrics(tmp_path / "metrics", ("cnn",), wrong={"cnn": [3]})
    wrong = {("cnn", 1): [3], ("cnn", 2): [1, 2], ("cnn", 3): range(50)}
    write_seeds(folder, wrong, {("cnn", 3): "before the recipe changed"})
    (cnn,) = read_results(folder, make_params(("cnn",))).models
    assert cnn.runs.errors == pytest.approx([0.01, 0.02])
    # An experiment of one's own: the weights at hand are in no row, so they are the only training.
    write_seeds(folder, {("cnn", 2): [1, 2]})
    (cnn,) = read_results(folder, make_params(("cnn",))).models
    assert cnn.runs.errors == pytest.approx([0.01])
    assert np.isnan(cnn.runs.val_accuracy).all()


def test_errors_that_do_not_belong_to_the_seeds_are_named(tmp_path: Path) -> None:
    folder = write_metrics(tmp_path / "metrics", ("cnn",), wrong={"cnn": [3]})
    path = folder / "seed_errors.csv"
    path.write_text(path.read_text() + "cnn,1,7,0\n")
    with pytest.raises(
        UserError, match=r"seed_errors.csv does not belong to seeds.csv \(cnn, seed 1"
    ):
        read_results(folder, make_params(("cnn",)))


# --- tests of differences


def test_the_p_values_are_those_of_seeds_and_images_together(results: Results) -> None:
    cnn, vit = results.models[0], results.models[4]
    # On one seed each, 40 errors against 10 is significant ...
    one = [with_errors(cnn, range(10)), with_errors(vit, range(40))]
    (pair,) = compare(replace(results, models=tuple(one)))["pairs"]
    assert pair["p_holm"] < 0.01
    assert 0 < pair["ci95"][0] < pair["difference"] < pair["ci95"][1]
    # ... but not when the trainings of a model differ among themselves by more than that.
    many = [
        with_errors(cnn, range(10), range(60)),
        with_errors(vit, range(40), range(70), range(35)),
    ]
    (pair,) = compare(replace(results, models=tuple(many)))["pairs"]
    assert pair["p_holm"] > 0.1
    assert pair["ci95"][0] < 0 < pair["ci95"][1]
    assert pair["mcnemar"] == {
        "only_better_correct": 30,
        "only_worse_correct": 0,
        "p": 0,  # 2 / 2**30
        "p_holm": 0,
    }


def test_p_values_are_corrected_for_the_number_of_pairs(tmp_path: Path) -> None:
    # 6 to 0 is p = 0.03 for a single pair and 0.09 as one of three.
    wrong = {"cnn": [], "vgg16": range(6), "vit": range(6, 12)}
    comparison = compare(read(tmp_path, tuple(wrong), wrong=wrong))
    exact = [pair["mcnemar"]["p"] for pair in comparison["pairs"]]
    assert min(exact) == pytest.approx(2 / 2**6)
    for p_values, corrected in (
        (exact, [pair["mcnemar"]["p_holm"] for pair in comparison["pairs"]]),
        ([p["p"] for p in comparison["pairs"]], [p["p_holm"] for p in comparison["pairs"]]),
    ):
        expected = multipletests(p_values, method="holm")[1].tolist()
        assert corrected == pytest.approx(expected, abs=ROUNDED)


@pytest.mark.parametrize(
    ("p_values", "said"),
    [
        ([], "only one model"),
        ([0.2, 0.5], "No difference between the models is significant"),
        (
            [0.001],
            "1 of 1 differences are significant (bootstrap over seeds and images, Holm's",
        ),
        ([0.001, 0.5, 0.002], "2 of 3 differences"),
    ],
)
def test_the_significant_differences_are_named(
    results: Results, p_values: list[float], said: str
) -> None:
    pairs = [{"better": "cnn", "worse": "vit", "p": p / 100, "p_holm": p} for p in p_values]
    text = findings.differences(results, {"pairs": pairs})
    assert said in text
    assert ("CNN is better than Vision Transformer" in text) == (min(p_values, default=1) < 0.05)


# --- the lab


@pytest.mark.parametrize(
    ("errors", "name", "said"),
    [
        (43, "cnn", "significantly better: CNN (99.57% against 98.50%, p < 0.001)"),
        (53, "alexnet", "not significantly different: AlexNet (99.47% against 99.60%, p = 0.21)"),
        (51, "vgg16", "significantly better: VGG16 (99.49% against 99.21%, p = 0.017)"),
        (80, "alexnet", "significantly worse: AlexNet (99.20% against 99.60%, p < 0.001)"),
    ],
)
def test_the_difference_from_the_lab_is_tested(
    results: Results, errors: int, name: str, said: str
) -> None:
    ours = with_errors(replace(results.models[0], name=name), range(errors), range(errors))
    results = replace(results, is_mnist=True, models=(ours,))
    assert said in " ".join(compare(results)["verdict"])
    verdict = compare(replace(results, is_mnist=False))["verdict"]
    assert "lab" not in " ".join(verdict)


def test_the_tests_against_the_lab_are_corrected_for_their_number(results: Results) -> None:
    models = [with_errors(replace(r), range(60)) for r in results.models]
    found = compare(replace(results, is_mnist=True, models=tuple(models)))["lab"]
    assert list(found) == ["cnn", "vgg16", "alexnet", "vit"]  # of the detector it has no figure
    expected = holm([f["p"] for f in found.values()])
    assert [f["p_holm"] for f in found.values()] == pytest.approx(expected, abs=ROUNDED)


# --- what the models have in common


def test_errors_of_all_models_are_counted(tmp_path: Path) -> None:
    comparison = compare(read(tmp_path, ("vit", "cnn"), wrong={"vit": [3, 5], "cnn": [3]}))
    assert comparison["wrong_by_all"] == [3]
    assert comparison["wrong_by_any"] == 2
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


def test_labels_of_mnist_are_corrected(results: Results) -> None:
    assert "corrected_labels" not in compare(results)
    cnn = with_errors(results.models[0], range(0))
    predicted = np.zeros(10000, dtype=int)
    predicted[947], predicted[2130], predicted[5] = 9, 3, 4
    cnn = replace(cnn, predicted=predicted)
    comparison = compare(replace(results, is_mnist=True, models=(cnn,)))
    corrected = comparison["corrected_labels"]
    assert corrected["images"] == 9995
    # 2130 does not count and 947 is a 9; of the ten corrected labels, two are 0 as they were here.
    others = [v for i, v in label_errors.CORRECTED.items() if i != 947]
    assert corrected["errors"]["cnn"] == 1 + sum(votes.digit != 0 for votes in others)
    # All models (there is one) miss 5, 947 and 2130, and read 947 as people do.
    assert comparison["wrong_by_all"] == [5, 947, 2130]
    assert corrected["read_by_all"] == [947]
    text = findings.common_errors(replace(results, models=(cnn,)), comparison)
    assert "3 of them by all. Most of five people rejected the label of 1 of these 3" in text
    # A second model misses 947, too, but reads another digit.
    other = replace(cnn, name="vit", predicted=np.where(np.arange(10000) == 947, 2, predicted))
    comparison = compare(replace(results, is_mnist=True, models=(cnn, other)))
    assert comparison["wrong_by_all"] == [5, 947, 2130]
    assert comparison["corrected_labels"]["read_by_all"] == []


def test_risk_is_counted_among_the_most_certain() -> None:
    confidence = np.linspace(0, 1, 1000)
    correct = np.ones(1000, dtype=bool)
    correct[[0, 4, 7, 15, 999]] = False  # 0 is the least certain
    left = {point["set_aside"]: point["errors"] for point in risk_coverage(correct, confidence)}
    assert left == {0.0: 5, 0.005: 3, 0.01: 2, 0.02: 1}


def test_what_is_left_without_the_least_certain_images_is_said(results: Results) -> None:
    comparison = compare(results)
    points = [{"set_aside": share, "errors": n} for share, n in ((0.0, 9), (0.01, 5), (0.02, 3))]
    comparison["risk_coverage"]["cnn"] = points
    said = "Without the 2% of the images that CNN is least certain of, 3 of its 9 errors are left"
    assert said in findings.uncertain(results, comparison)


# --- cost and robustness


def test_the_cost_of_the_detector_includes_the_cnn_that_it_starts_from(tmp_path: Path) -> None:
    costs = compare(read(tmp_path))["cost"]
    assert [costs[name]["train_tflop"] for name in MODELS] == [1, 2 + 1, 3, 4, 5]
    assert costs["frcnn"]["train_seconds"] == pytest.approx(2 * costs["cnn"]["train_seconds"])
    assert costs["cnn"]["latency_ms"] == 2
    assert compare(read(tmp_path, ("frcnn",)))["cost"]["frcnn"]["train_tflop"] == 1


def test_the_cheapest_model_is_compared_with_the_best(results: Results) -> None:
    cnn = with_errors(results.models[0], range(40))
    vit = with_errors(results.models[4], range(30))
    results = replace(results, models=(cnn, vit))
    text = findings.cost(results, compare(results))
    assert "1/5 of the arithmetic of Vision Transformer" in text
    assert "10.0 more errors in 10,000 images" in text
    results = replace(results, models=(with_errors(cnn, range(20)), vit))
    text = findings.cost(results, compare(results))
    assert "CNN also has the cheapest training (1 TFLOP)" in text


def test_the_title_says_who_leads_and_what_is_within_chance(results: Results) -> None:
    cnn, vit = results.models[0], results.models[4]

    def title(cnn_errors: int, vit_errors: int) -> str:
        others = range(100, 100 + vit_errors)
        models = (with_errors(cnn, range(cnn_errors)), with_errors(vit, others))
        made = replace(results, models=models)
        return findings.title(made, compare(made))

    leads = "CNN leads on MNIST, with the cheapest training"
    assert title(20, 24) == f"{leads}; 1 of the 1 others not significantly worse"
    assert title(20, 90) == leads
    other = "Vision Transformer leads on MNIST; CNN"
    assert title(24, 20) == f"{other} is not significantly worse for 1/5 of the training"
    assert title(90, 20) == f"{other} makes more errors for 1/5 of the training"


def test_the_most_robust_model_is_named_and_ranked(results: Results) -> None:
    corrupted = compare(results)["corrupted"]
    assert corrupted["cnn"]["mean_rank"] == 1  # the synthetic figures fall from model to model
    assert corrupted["vit"]["mean_rank"] == 5
    worst = replace(results.models[0], robustness=dict.fromkeys(["none", *CORRUPTIONS], 0.1))
    results = replace(results, models=(worst, *results.models[1:]))
    comparison = compare(results)
    assert comparison["corrupted"]["cnn"]["mean_rank"] == 5
    best = comparison["corrupted"]["vit"] | {"mean": 0.9}
    comparison["corrupted"] |= {"vit": best}
    text = findings.robustness(results, comparison)
    assert "the highest mean accuracy over 15 corruptions" in text
    assert "is that of Vision Transformer (90.0%" in text
    assert "the highest median that of CNN (50.0%" in text


def test_calibration_names_the_models_within_chance(results: Results) -> None:
    first, *others = results.models
    bad = replace(first, metrics=first.metrics | {"ece": 0.9})
    text = findings.calibration(replace(results, models=(bad, *others)))
    assert "4 of 5 models" in text
    assert "CNN" not in text.replace("Faster R-CNN", "")
