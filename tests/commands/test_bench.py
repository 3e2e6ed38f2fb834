"""`python -m mnist bench` times what the stages do, for all models on one machine."""

import pytest

from mnist.commands import bench
from mnist.models import fine_tuned, registry
from mnist.params import Params
from tests.digits import as_tensors
from tests.small_models import TASKS, narrow, small_params

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
        task = TASKS[registry.task(name)](DIGITS, DIGITS, recipe, 0)
        seconds = measured["step_seconds"]
        assert measured["steps"] == round(recipe.epochs * task.steps_per_epoch)
        assert measured["train_seconds"] == pytest.approx(measured["steps"] * seconds)
        assert measured["train_images_per_second"] == pytest.approx(recipe.batch_size / seconds)
        assert 0 < measured["latency_ms"] < 1000
        assert measured["infer_images_per_second"] > 1


@pytest.mark.parametrize("name", ["cnn", "frcnn"])
def test_what_is_counted_is_a_whole_step(params: Params, name: str) -> None:
    case = bench.Case(name, params, DIGITS, DIGITS[0])
    before = [parameter.clone() for parameter in case.model.parameters()]
    count = case.count_operations()
    assert not all(map(bench.torch.equal, before, case.model.parameters()))
    with bench.Operations() as forward:
        case.task.loss(case.model, case.task.batch(1)).backward()
    assert count > forward.count + 10  # the optimizer and the average besides


def test_as_many_steps_are_trained_as_are_asked_for(params: Params) -> None:
    case = bench.Case("cnn", params, DIGITS, DIGITS[0])
    steps, batch = [], case.task.batch
    case.task.batch = lambda step: steps.append(step) or batch(step)
    assert case.step_seconds(7) > 0
    assert steps == list(range(7))
