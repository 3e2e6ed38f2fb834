"""`python -m mnist bench` times what the stages do, for all models on one machine."""

from copy import deepcopy

import pytest

from mnist.commands import bench
from mnist.models import fine_tuned
from mnist.params import Params
from mnist.training.loop import train
from tests.digits import as_tensors
from tests.small_models import narrow, small_params

DIGITS = as_tensors(slice(160))
KEYS = {
    "step_seconds", "steps", "train_seconds", "train_images_per_second",
    "latency_ms", "infer_images_per_second", "operations_per_step",
}  # fmt: skip


@pytest.fixture
def params(monkeypatch: pytest.MonkeyPatch) -> Params:
    for name, network in fine_tuned.NETWORKS.items():
        monkeypatch.setitem(fine_tuned.NETWORKS, name, narrow(network))
    return small_params()


def test_every_model_is_measured_and_its_figures_agree(params: Params) -> None:
    figures = bench.measure(params, DIGITS, DIGITS[0], rounds=1, seconds=0.01)
    assert list(figures) == params.models
    for name, measured in figures.items():
        assert measured.keys() == KEYS
        recipe = getattr(params, name)
        seconds = measured["step_seconds"]
        if name != "frcnn":  # which has scenes of several digits
            assert measured["steps"] == round(recipe.epochs * (160 // recipe.batch_size))
        assert measured["train_seconds"] == pytest.approx(measured["steps"] * seconds)
        assert measured["train_images_per_second"] == pytest.approx(recipe.batch_size / seconds)
        assert 0 < measured["latency_ms"] < 1000
        assert measured["infer_images_per_second"] > 1


@pytest.mark.parametrize("name", ["cnn", "frcnn"])
def test_a_step_is_that_of_the_training(params: Params, name: str) -> None:
    """The same weights come out, of the model and of its average."""
    recipe = getattr(params, name)
    case = bench.Case(name, params, DIGITS, DIGITS[0])
    task = type(case.task)(DIGITS, DIGITS, recipe, params.seed)
    model = deepcopy(case.model)
    result = train(model, task, recipe)
    assert case.step_seconds(case.recipe_steps) > 0
    for ours, trained in ((case.model, model), (case.ema.module, result.model)):
        weights = trained.state_dict()
        assert all(value.equal(weights[key]) for key, value in ours.state_dict().items())


def test_the_operations_of_a_step_include_the_backward_pass(params: Params) -> None:
    case = bench.Case("cnn", params, DIGITS, DIGITS[0])
    with bench.Operations() as forward:
        case.task.loss(case.model, case.task.batch(0))
    with bench.Operations() as whole:
        case.step()
    assert whole.count > 1.5 * forward.count > 0
