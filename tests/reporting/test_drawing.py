"""What the canvas is made from."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax

from mnist.params import load_params
from mnist.reporting.drawing import make_drawing
from mnist.reporting.results import Results, read_results
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def results() -> Results:
    return read_results(ROOT / "metrics", load_params(ROOT / "params.yaml"))


def test_other_data_and_models_have_no_canvas(results: Results) -> None:
    assert make_drawing(replace(results, is_mnist=False)) is None
    others = tuple(r for r in results.models if "page" not in r.examples)
    assert others
    assert make_drawing(replace(results, models=others)) is None


def test_samples_are_three_easy_digits_a_hard_one_and_a_wrong_label(results: Results) -> None:
    made = make_drawing(results)
    assert made
    easy, (hard, wrong) = made.samples[:3], made.samples[3:]
    assert len({sample.name for sample in easy}) == 3
    for sample in easy:
        assert sample.note == f"Its label is {sample.name.removeprefix('an easy ')}."
    assert " like a" in hard.name
    assert hard.note == f"Its label is {hard.name.split()[1]}."
    assert wrong.name == "a wrong label"
    assert " of 5 people see a" in wrong.note


def test_the_largest_change_by_rounded_weights_is_stated(results: Results) -> None:
    made = make_drawing(results)
    assert made
    changes = []
    for result in (r for r in results.models if "page" in r.examples):
        check = result.examples["page"]["check"]
        exact, rounded = (
            softmax(np.log(check[kind]) / result.details["temperature"], axis=1)
            for kind in ("exact", "rounded")
        )
        changes.append(np.abs(exact - rounded).max())
    assert float(made.rounding) == pytest.approx(max(changes), rel=0.05)


def test_limits_that_were_not_measured_are_left_out(results: Results) -> None:
    keys = {"least_confidence", "ink", "longest_outline"}
    bare = tuple(
        replace(r, details={k: v for k, v in r.details.items() if k not in keys})
        for r in results.models
    )
    made = make_drawing(replace(results, models=bare))
    assert made
    settings = json.loads(made.settings)
    assert settings.keys() == {"models"}
    assert all(model["least_confidence"] == 0 for model in settings["models"])
