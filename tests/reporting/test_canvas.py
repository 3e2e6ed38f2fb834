"""What the canvas is made from."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax

from mnist.params import load_params
from mnist.reporting.canvas import make_canvas
from mnist.reporting.results import Results, read_results
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def results() -> Results:
    return read_results(ROOT / "metrics", load_params(ROOT / "params.yaml"))


def test_other_data_and_models_have_no_canvas(results: Results) -> None:
    assert make_canvas(replace(results, is_mnist=False)) is None
    others = tuple(r for r in results.models if "page" not in r.examples)
    assert make_canvas(replace(results, models=others)) is None


def test_samples_are_three_easy_digits_and_a_hard_one(results: Results) -> None:
    made = make_canvas(results)
    assert made
    *easy, hard = made.samples
    assert len({sample.name for sample in easy}) == 3
    assert hard.name == f"a hard {hard.note[-2]}"
    cnn = next(r for r in results.models if r.name == "cnn")
    (error,) = (e for e in cnn.examples["misclassified"] if e["pixels"] == hard.pixels)
    assert cnn.predicted[error["index"]] != cnn.labels[error["index"]] == int(hard.name[-1])


def test_the_largest_change_by_rounded_weights_is_stated(results: Results) -> None:
    made = make_canvas(results)
    cnn = next(r for r in results.models if r.name == "cnn")
    check, temperature = cnn.examples["page"]["check"], cnn.details["temperature"]
    with np.errstate(divide="ignore"):
        exact, rounded = (
            softmax(np.log(check[kind]) / temperature, axis=1) for kind in ("exact", "rounded")
        )
    assert made
    assert float(made.rounding) == pytest.approx(np.abs(exact - rounded).max(), rel=0.05)
    assert json.loads(made.model)["temperature"] == temperature
