"""What the canvas is made from."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from mnist.reporting.canvas import make_canvas
from mnist.reporting.results import Results
from tests.conftest import ROOT
from tests.reporting.synthetic import read


def committed_cnn(folder: Path) -> Results:
    """Results of the committed CNN alone, as far as the canvas needs them."""
    results = read(folder, ["cnn"])
    table = np.loadtxt(ROOT / "metrics/predictions/cnn.csv", delimiter=",", skiprows=1)
    examples, details = (
        json.loads((ROOT / f"metrics/{kind}/cnn.json").read_text(encoding="utf-8"))
        for kind in ("examples", "details")
    )
    labels, predicted = table[:, :2].astype(int).T
    known = {"labels": labels, "predicted": predicted, "probabilities": table[:, 2:]}
    cnn = replace(results.models[0], examples=examples, details=details, **known)
    return replace(results, is_mnist=True, models=(cnn,))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return committed_cnn(tmp_path_factory.mktemp("canvas"))


def test_other_data_and_models_have_no_canvas(results: Results) -> None:
    assert make_canvas(replace(results, is_mnist=False)) is None
    assert make_canvas(replace(results, models=(replace(results.models[0], examples={}),))) is None


def test_samples_are_three_easy_digits_and_a_hard_one(results: Results) -> None:
    made = make_canvas(results)
    assert made
    *easy, hard = made.samples
    assert len({sample.name for sample in easy}) == 3
    assert hard.name == f"a hard {hard.note[-2]}"
    (cnn,) = results.models
    (error,) = (e for e in cnn.examples["misclassified"] if e["pixels"] == hard.pixels)
    assert cnn.predicted[error["index"]] != cnn.labels[error["index"]] == int(hard.name[-1])


def test_the_largest_change_by_rounded_weights_is_stated(results: Results) -> None:
    made = make_canvas(results)
    (cnn,) = results.models
    check, temperature = cnn.examples["page"]["check"], cnn.details["temperature"]
    with np.errstate(divide="ignore"):
        exact, rounded = (
            softmax(np.log(check[kind]) / temperature, axis=1) for kind in ("exact", "rounded")
        )
    assert made
    assert float(made.rounding) == pytest.approx(np.abs(exact - rounded).max(), rel=0.05)
    assert json.loads(made.model)["temperature"] == temperature
