"""The batches, the loss and the validation of a classifier."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mnist.models.inference import to_input
from mnist.training import distributed
from mnist.training.classification import Classification
from tests.digits import as_tensors
from tests.small_models import MODELS, small_case, small_params

NONE = {"rotate": 0, "scale": 0, "shear": 0, "translate": 0, "interpolation": "bilinear"}


def classification(seed: int = 0, images: Tensor | None = None, **changes: Any) -> Classification:
    """The task of the small CNN: 16 of 160 digits a step."""
    recipe = small_params(cnn=changes).cnn
    training = as_tensors(slice(160))
    if images is not None:
        training = (images, training[1])
    return Classification(training, as_tensors(slice(300, 340)), recipe, seed)


def flat(batch: Any) -> Tensor:
    """All numbers of a batch of either task."""
    if isinstance(batch, Tensor):
        return batch.flatten().float()
    if isinstance(batch, dict):
        batch = list(batch.values())
    return torch.cat([flat(part) for part in batch])


def shown(task: Any, step: int) -> tuple[Any, Any]:
    """What the model of this process sees of a batch, and its labels or targets."""
    batch = task.batch(step)
    if not isinstance(task, Classification):
        return batch
    own = batch[0][task.shard]
    return task.inputs(own, batch[1]), task.labels[own]


@pytest.mark.parametrize("name", MODELS)
def test_a_batch_is_a_function_of_seed_step_and_losses_alone(name: str) -> None:
    task, again = small_case(name, seed=1)[1], small_case(name, seed=1)[1]
    if isinstance(task, Classification) and isinstance(again, Classification):
        task.losses = torch.rand(len(task.images), generator=torch.Generator().manual_seed(0))
        again.losses = task.losses.clone()
    expected = [flat(task.batch(step)) for step in range(30)]
    torch.manual_seed(5)  # PyTorch's own generator has no part in it
    for step in range(30):
        assert torch.equal(flat(again.batch(step)), expected[step])
    other = flat(small_case(name, seed=2)[1].batch(7))
    assert not torch.equal(other, expected[7])
    assert len({tuple(batch.tolist()) for batch in expected}) == 30


@pytest.mark.parametrize("name", MODELS)
def test_the_shards_of_two_processes_make_the_batch_of_one(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = shown(small_case(name)[1], 13)
    shards = []
    for rank in (0, 1):
        monkeypatch.setattr(distributed, "world_size", lambda: 2)
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        shards.append(shown(small_case(name)[1], 13))
    for part, (first, second) in zip(whole, zip(*shards, strict=True), strict=True):
        assert len(first) == len(second)
        if isinstance(part, Tensor):
            assert torch.equal(torch.cat([first, second]), part)
        else:
            assert torch.equal(flat([*first, *second]), flat(part))


def epochs_of(task: Classification, lengths: list[int]) -> list[Tensor]:
    """The indices of the images of each epoch, which has so many steps."""
    epochs, step = [], 0
    for length in lengths:
        epochs.append(torch.cat([task.batch(step + i)[0] for i in range(length)]))
        step += length
    return epochs


def test_without_hard_examples_each_epoch_shows_every_image_once_in_an_order_of_its_own() -> None:
    images, labels = as_tensors(slice(160))
    task = classification(augmentation=NONE, hard_example_mining=False)
    chosen = task.batch(0)[0]
    inputs, classes = shown(task, 0)
    assert torch.equal(classes, labels[chosen])
    torch.testing.assert_close(inputs, to_input(images[chosen]), atol=1e-5, rtol=0)
    orders = epochs_of(task, [10, 10, 10])
    for i, order in enumerate(orders):
        assert sorted(order.tolist()) == list(range(160))
        assert (order == orders[i - 1]).float().mean() < 0.1


def test_later_epochs_show_the_hard_images_and_as_many_others() -> None:
    task = classification(hard_example_mining=True)
    hard = set(range(40, 80))
    [first] = epochs_of(task, [10])
    assert sorted(first.tolist()) == list(range(160))
    task.losses = torch.where((torch.arange(160) >= 40) & (torch.arange(160) < 80), 2.0, 1.0)
    later = epochs_of(task, [10, 5, 5, 5])[1:]
    others = [set(epoch.tolist()) - hard for epoch in later]
    for epoch, rest in zip(later, others, strict=True):
        assert hard < set(epoch.tolist())
        assert len(set(epoch.tolist())) == 80
        assert len(rest) == 40
        assert set(epoch[:40].tolist()) != hard  # they are mixed
    assert others[0] != others[1] != others[2]


def test_an_image_is_as_hard_as_its_latest_loss() -> None:
    task = classification(batch_size=4)
    logits, chosen = torch.randn(4, 10), torch.tensor([7, 100, 3, 9])
    labels = task.labels[chosen]
    matrices = torch.eye(2, 3).expand(4, 2, 3)
    model: Any = lambda _: logits  # noqa: E731
    task.loss(model, (chosen, matrices))
    model = lambda _: logits[1:2] * 2  # noqa: E731
    task.loss(model, (chosen[1:2], matrices[:1]))
    smoothing = task.recipe.label_smoothing
    losses = F.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="none")
    latest = F.cross_entropy(logits[1:2] * 2, labels[1:2], label_smoothing=smoothing)
    assert task.losses[[7, 100, 3, 9]].tolist() == pytest.approx(
        [losses[0].item(), latest.item(), losses[2].item(), losses[3].item()]
    )
    assert torch.isinf(task.losses).sum() == 156  # not seen yet


@pytest.mark.parametrize("limit", ["rotate", "scale", "shear", "translate"])
def test_each_step_augments_anew_as_the_recipe_wants(limit: str) -> None:
    image = as_tensors(slice(1))[0].expand(160, 28, 28)
    committed = small_params().cnn.augmentation.model_dump()
    only = {"augmentation": NONE | {limit: committed[limit]}}
    tasks = [classification(seed, images=image, **only) for seed in (0, 1)]
    inputs = torch.cat([shown(task, step)[0] for task in tasks for step in (0, 1, 10, 15)])
    different = {tuple(distorted.flatten().tolist()) for distorted in inputs}
    assert len(different) == 8 * 16  # of other seeds, steps, epochs and places in a batch
