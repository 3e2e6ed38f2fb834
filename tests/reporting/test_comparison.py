"""The models are compared by their mean error over seeds; every sentence follows the figures."""

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist.data.writers import load_writers
from mnist.errors import UserError
from mnist.reporting import label_errors, tables
from mnist.reporting.comparison import compare
from mnist.reporting.results import ModelResult, Results, SeedRuns, read_results
from mnist.reporting.sections import make_sections
from mnist.reporting.statistics import holm, mcnemar_bounds
from tests.reporting.synthetic import (
    BENCHMARK,
    CORRUPTED,
    MACHINE,
    MODELS,
    STEPS,
    corruption_errors,
    make_params,
    read,
    write_json,
    write_metrics,
    write_scaling,
    write_seeds,
)

ROUNDED = 1e-6
Wrong = range | list[int]


def with_errors(result: ModelResult, *wrong: Wrong, images: int = 10_000) -> ModelResult:
    """The same model as if each of its trainings took these of so many zeros for ones."""
    predicted = np.zeros((len(wrong), images), dtype=int)
    for row, indices in zip(predicted, wrong, strict=True):
        row[list(indices)] = 1
    rows = [{"val_accuracy": 0.99, "f1_macro": 0.99, "ece": 0.001}] * len(wrong)
    labels = np.zeros(images, dtype=int)
    return replace(
        result,
        labels=labels,
        predicted=predicted[0],
        probabilities=np.eye(10)[predicted[0]] * 0.9 + 0.01,
        metrics=result.metrics | {"errors": int(predicted[0].sum())},
        runs=SeedRuns(predicted, predicted != labels, rows),
    )


def made(results: Results, *errors: tuple[Wrong, ...], **options: Any) -> Results:
    """The first models as if their trainings made these errors."""
    models = [with_errors(r, *of) for r, of in zip(results.models, errors, strict=False)]
    return replace(results, models=tuple(models), **options)


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
    assert cnn.runs.figure("ece") == pytest.approx([0.001])  # of metrics/test


def test_a_column_that_a_training_lacks_has_no_mean(tmp_path: Path) -> None:
    folder = write_metrics(tmp_path / "metrics", ("frcnn",), wrong={"frcnn": [3]})
    wrong = {("frcnn", 1): [3], ("frcnn", 2): [1, 2]}
    params = make_params(("frcnn",))
    write_seeds(folder, wrong, map={1: 0.9, 2: ""})
    found = compare(read_results(folder, params))["detectors"]["frcnn"]
    assert (found["map"], found["n"]) == (0.919, 1)  # the committed seed's
    write_seeds(folder, wrong, map={1: 0.9, 2: 0.8})
    found = compare(read_results(folder, params))["detectors"]["frcnn"]
    assert (found["map"], found["n"]) == (pytest.approx(0.85), 2)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("seeds.csv", "model,seed\ncnn,1\n", "is damaged"),
        ("seed_errors.csv", "model,seed,image,predicted\n", "does not belong to seeds.csv"),
        ("robustness/cnn.csv", "corruption,digits,wrong\nnone,50,50\n", "is damaged"),
        ("details/cnn.json", None, "is missing"),
    ],
)
def test_a_missing_or_damaged_file_is_named(
    tmp_path: Path, file: str, content: str | None, message: str
) -> None:
    path = write_metrics(tmp_path / "metrics", ("cnn",)) / file
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(UserError, match=f"{file} {message}"):
        read_results(tmp_path / "metrics", make_params(("cnn",)))


def test_models_are_ranked_by_their_mean_over_seeds_not_by_the_committed_seed(
    tmp_path: Path,
) -> None:
    folder = write_metrics(tmp_path / "metrics", ("cnn", "vit"), wrong={"cnn": [3], "vit": [3, 5]})
    write_seeds(folder, {("cnn", 1): [3], ("cnn", 2): range(9), ("vit", 1): [3, 5]})
    comparison = compare(read_results(folder, make_params(("cnn", "vit"))))
    assert comparison["ranking"] == comparison["leaders"] == ["vit", "cnn"]
    cnn = comparison["seeds"]["cnn"]
    assert cnn["mean_error"] == pytest.approx(0.05)
    assert cnn["errors"] == pytest.approx([0.01, 0.09])
    assert comparison["pairs"][0]["difference"] == pytest.approx(0.03)
    assert "another training of Vision Transformer" in " ".join(comparison["verdict"]["best"])


def test_a_difference_needs_more_than_the_spread_of_the_seeds(results: Results) -> None:
    # On one training each, 40 errors against 10 are significant ...
    one = compare(made(results, (range(10),), (range(40),)))
    assert one["pairs"][0]["p_holm"] < 0.01
    assert 0 < one["pairs"][0]["ci95"][0] < one["pairs"][0]["difference"]
    # ... but not where trainings of a model differ among themselves by more than that.
    many = compare(made(results, (range(10), range(60)), (range(40), range(70), range(35))))[
        "pairs"
    ][0]
    assert many["p_holm"] > 0.1
    assert many["ci95"][0] < 0 < many["ci95"][1]


def test_writers_who_make_many_errors_widen_intervals(results: Results) -> None:
    writers = load_writers("test").astype(int)
    of_one = np.flatnonzero(writers == writers[-1])[:40].tolist()
    alone = compare(made(results, (of_one,), ([],)))
    together = compare(made(results, (of_one,), ([],), writers=writers))
    assert (alone["unit"], together["unit"]) == ("images", "writers")
    assert alone["pairs"][0]["p"] < 0.001
    assert together["pairs"][0]["p"] > 0.2
    assert "over 297 writers" in together["verdict"]["differences"][1]
    assert "intervals are too narrow" in " ".join(alone["verdict"]["best"])
    assert "intervals are too narrow" not in " ".join(together["verdict"]["best"])
    assert together["writers"] == {"count": 297, "without_errors": 296, "worst": 10, "share": 1}


def test_students_and_employees_are_told_apart(results: Results) -> None:
    writers = load_writers("test").astype(int)
    students = np.flatnonzero(writers >= 2100)
    found = compare(
        made(results, (students[:10].tolist(), students[:20].tolist()), ([9999],), writers=writers)
    )["groups"]
    first, second = found["students"], found["employees"]
    assert first["cnn"]["mean_error"] == pytest.approx(15 / len(students), abs=ROUNDED)
    assert second["cnn"]["mean_error"] == 0
    assert second["frcnn"]["mean_error"] == pytest.approx(1 / (10_000 - len(students)), abs=ROUNDED)
    assert "groups" not in compare(results)


def test_p_values_are_corrected_for_the_number_of_pairs(tmp_path: Path) -> None:
    # 6 to 0 is significant for a single pair, not as one of three.
    wrong = {"cnn": [], "vgg16": range(6), "vit": range(6, 12)}
    pairs = compare(read(tmp_path, tuple(wrong), wrong=wrong))["pairs"]
    assert [(pair["better"], pair["worse"]) for pair in pairs] == [
        ("cnn", "vgg16"), ("cnn", "vit"), ("vgg16", "vit"),
    ]  # fmt: skip
    assert 0.01 < pairs[0]["p"] < 0.05 < pairs[0]["p_holm"]
    assert pairs[0]["p_holm"] == pytest.approx(3 * pairs[0]["p"], abs=3 * ROUNDED)
    assert pairs[2]["p_holm"] == pairs[2]["p"] == 1


def test_missed_images_are_counted_over_all_choices_of_trainings(results: Results) -> None:
    trainings = ([1, 2, 3], [2, 5], [2, 3]), ([2, 3], [4, 2])
    found = compare(made(results, *trainings))["missed"]
    chosen = [list(map(set, choice)) for choice in product(*trainings)]
    assert found["by_all"] == pytest.approx(np.mean([len(a & b) for a, b in chosen]), abs=ROUNDED)
    assert found["by_any"] == pytest.approx(np.mean([len(a | b) for a, b in chosen]), abs=ROUNDED)


def test_labels_of_mnist_are_corrected(results: Results) -> None:
    assert "corrected_labels" not in compare(results)
    cnn = with_errors(results.models[0], [], [])
    predicted = cnn.runs.predicted.copy()
    predicted[:, 947] = 9  # as people do
    predicted[0, 5] = 4
    predicted[:, 2130] = 3  # people do not agree
    runs = SeedRuns(predicted, predicted != 0, cnn.runs.rows)
    cnn = replace(cnn, predicted=predicted[0], runs=runs)
    comparison = compare(replace(results, is_mnist=True, models=(cnn,)))
    # Of ten corrected labels two are 0, as all labels are here.
    others = [v for i, v in label_errors.CORRECTED.items() if i != 947]
    expected = 0.5 + sum(votes.digit != 0 for votes in others)
    assert comparison["corrected_labels"]["cnn"] == expected


def test_three_or_more_vote(results: Results) -> None:
    comparison = compare(made(results, ([1, 2], [2, 3], [3, 1]), ([2, 9],), ([2],)))
    # One each of three models: only 2 is misread by most. Three seeds of the first: 1, 2 and 3.
    votes = {"models": {"voters": 3, "errors": 1}, "cnn": {"voters": 3, "errors": 3}}
    assert comparison["ensembles"] == votes
    assert "1 by 3 models and 3 by 3 trainings of CNN" in " ".join(comparison["verdict"]["best"])
    assert compare(made(results, ([1],), ([2],)))["ensembles"] == {}


def test_nothing_is_said_of_trainings_where_there_is_one_of_each(results: Results) -> None:
    for trainings, sample in ((([2],), "(one training each)"), (([2], [3]), "and trainings")):
        comparison = compare(two := made(results, ([1],), trainings))
        _, section, *_ = make_sections(two, comparison)
        texts = (section.sentences[0], section.charts[0].description, section.tables[0].description)
        assert all(f"images {sample}" in text for text in texts)
        assert "another training of CNN" in " ".join(comparison["verdict"]["best"])


def test_the_tests_against_the_lab_are_corrected_for_their_number(results: Results) -> None:
    found = compare(made(results, *[(range(60),)] * 5, is_mnist=True))["lab"]
    assert list(found) == ["cnn", "vgg16", "alexnet", "vit"]  # of the detector it has no figure
    assert found["vgg16"]["lab_errors"] == 79
    bounds = [mcnemar_bounds(of["errors"], of["lab_errors"], 10_000) for of in found.values()]
    for end in (0, 1):
        expected = holm([p[end] for p in bounds])
        assert [of["p_holm"][end] for of in found.values()] == pytest.approx(expected, abs=1e-5)
    assert found["vgg16"]["p_holm"][0] < found["vgg16"]["p_holm"][1]


def test_the_cost_of_the_detector_includes_the_cnn_that_it_starts_from(tmp_path: Path) -> None:
    costs = compare(read(tmp_path))["cost"]
    assert [costs[name]["train_tflop"] for name in MODELS] == [1, 2 + 1, 3, 4, 5]
    assert costs["frcnn"]["train_seconds"] == 2 * costs["cnn"]["train_seconds"] == 200
    # Without the CNN's seconds the detector's are not known.
    folder = write_metrics(tmp_path / "metrics")
    write_json(folder / "benchmark.json", {"cpu": "Z80", "models": {"frcnn": BENCHMARK}})
    costs = compare(read_results(folder, make_params()))["cost"]
    assert costs["frcnn"]["train_seconds"] is None
    assert costs["cnn"]["latency_ms"] is None


def test_models_are_compared_by_the_number_of_images_they_were_trained_on(tmp_path: Path) -> None:
    models = ("cnn", "frcnn", "vgg16", "alexnet", "vit")
    wrong = {"cnn": [1], "frcnn": range(9), "vgg16": range(9), "alexnet": [1], "vit": range(9)}
    folder = write_metrics(tmp_path / "metrics", models, wrong=wrong)
    assert "digits" not in compare(read_results(folder, make_params(models)))["verdict"]
    few = {"cnn": [0.3, 0.4], "frcnn": [0.1, 0.3], "vgg16": [0.1, 0.2], "alexnet": [0.25, 0.29],
           "vit": [0.5, 0.41]}  # fmt: skip
    more = few | {"alexnet": [0.05, 0.31], "vit": [0.35, 0.9]}
    errors = {(name, 100, 9): of for name, of in few.items()}
    errors |= {(name, 500, 9): of for name, of in more.items()}
    errors |= {(name, 9000, 3): [0.9, 0.9] for name in models}  # all images, but few steps
    errors[("cnn", 700, 9)] = [0.1]  # of this number there is no training of the others
    write_scaling(folder, errors)
    comparison = compare(read_results(folder, make_params(models)))
    assert comparison["scaling"]["images"]["cnn"][-1]["errors"] == [0.01]
    assert [of["train_tflop"] for of in comparison["scaling"]["steps"]["frcnn"]] == [3, 2 + 1]
    best, tuned, vit = comparison["verdict"]["digits"]
    assert best in comparison["verdict"]["best"]
    assert best.startswith(
        "Fewest errors on 100 training images: VGG16 and Faster R-CNN (15% and 20%); "
        "on 500: VGG16, AlexNet and Faster R-CNN (15%, 18% and 20%); on all 9,000: CNN"
    )
    # The committed seed alone was trained on all.
    assert best.endswith("(some of one seed, which chance may have put in order).")
    assert tuned == (
        "Where each training of VGG16 and AlexNet from ImageNet weights makes fewer errors than "
        "any of another model: CNN on 100 images; Vision Transformer on 100 and 500 images."
    )
    assert "each training of CNN makes" in vit
    assert vit.endswith("model: Vision Transformer on 100 and 9,000 images.")
    write_scaling(folder, errors | {("cnn", 100, 9): [0.1, 0.2]})
    _, tuned, _ = compare(read_results(folder, make_params(models)))["verdict"]["digits"]
    assert "model: CNN nowhere; Vision Transformer on" in tuned
    write_scaling(folder, errors, "an older recipe")
    assert "digits" not in compare(read_results(folder, make_params(models)))["verdict"]


def test_times_of_another_number_of_steps_are_not_shown(tmp_path: Path) -> None:
    times = dict.fromkeys(MODELS, BENCHMARK) | {"vit": BENCHMARK | {"steps": STEPS + 1}}
    folder = write_metrics(tmp_path / "metrics")
    write_json(folder / "benchmark.json", MACHINE | {"models": times})
    results = read_results(folder, make_params())
    comparison = compare(results)
    assert comparison["cost"]["cnn"]["latency_ms"] == BENCHMARK["latency_ms"]
    assert comparison["cost"]["vit"]["latency_ms"] is None
    assert tables.cost(results, comparison).description.endswith("run `make bench`.")


def test_calibration_is_tested_with_a_correction(tmp_path: Path) -> None:
    folder = write_metrics(tmp_path / "metrics", ("cnn", "vgg16", "vit"))
    write_seeds(folder, {("cnn", 1): [0], ("cnn", 2): [1]}, ece={1: 0.001, 2: 0.004})
    results = read_results(folder, make_params(("cnn", "vgg16", "vit")))
    assert "No model's" in compare(results)["verdict"]["confidence"][0]
    p_values = {"cnn": 0.5, "vgg16": 0.03, "vit": 0.001}
    models = [replace(r, details=r.details | {"ece_p": p_values[r.name]}) for r in results.models]
    comparison = compare(replace(results, models=tuple(models)))
    assert [of["p_holm"] for of in comparison["calibration"].values()] == [0.5, 0.06, 0.003]
    assert comparison["calibration"]["cnn"]["ece"] == 0.0025
    said = "The confidence of Vision Transformer is off by more than chance"
    assert said in comparison["verdict"]["confidence"][0]


def test_models_are_compared_on_the_same_corrupted_images(results: Results) -> None:
    found = compare(results)["corrupted"]
    expected = np.mean([corruption_errors(2, kind) for kind in results.models[2].robustness][1:])
    assert found["models"]["vgg16"]["mean_error"] == pytest.approx(expected / CORRUPTED)
    assert (found["images"], found["models"]["vgg16"]["n"]) == (CORRUPTED, 1)
    # Each model misreads one digit more than the one before, under every corruption.
    assert found["pairs"][0]["difference"] == pytest.approx(1 / CORRUPTED)
    assert found["leaders"][:2] == ["cnn", "frcnn"]


def test_the_writers_of_corrupted_images_count(tmp_path: Path) -> None:
    results = read_results(
        write_metrics(tmp_path / "metrics", ("cnn", "vit")), make_params(("cnn", "vit"))
    )
    writers = np.repeat([*range(5), *range(2100, 2105)], 10)
    alone, together = (compare(replace(results, writers=of))["corrupted"] for of in (None, writers))
    assert alone["images"] == together["images"] == CORRUPTED
    widths = [np.ptp(of["models"]["vit"]["ci95"]) for of in (alone, together)]
    assert widths[1] > 1.5 * widths[0]


def test_the_spread_of_the_seeds_counts_on_corrupted_images(tmp_path: Path) -> None:
    models = ("cnn", "vit")
    folder = write_metrics(tmp_path / "metrics", models)
    one = compare(read_results(folder, make_params(models)))["corrupted"]
    wrong = {(name, seed): [0] for name in models for seed in (1, 2)}
    write_seeds(folder, {key: [0] if key[0] == "cnn" else [0, 1] for key in wrong},
                corrupted={1: 0.5, 2: 0.9})  # fmt: skip
    two = compare(read_results(folder, make_params(models)))["corrupted"]
    assert two["models"]["cnn"]["mean_error"] == pytest.approx(0.3)
    assert two["models"]["cnn"]["n"] == 2
    widths = [np.ptp(of["models"]["cnn"]["ci95"]) for of in (one, two)]
    assert widths[1] > 1.5 * widths[0]


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([34, 30], "No model is shown to be best"),
        ([30, 90, 34], "CNN and VGG16 make the fewest errors"),
        ([30, 90], "CNN makes the fewest errors"),
    ],
)
def test_the_title_names_who_leads(results: Results, errors: list[int], expected: str) -> None:
    # Each model misreads other images.
    models = made(results, *[(range(1000 * i, 1000 * i + n),) for i, n in enumerate(errors)])
    assert compare(models)["verdict"]["best"][0].startswith(expected)
