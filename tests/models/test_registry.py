"""Every model is built from params.yaml and comes back from disk unchanged."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mnist.errors import UserError
from mnist.models import registry, weights_io
from mnist.models.inference import classify_digits, predict_logits
from mnist.models.registry import MODELS
from tests.digits import as_tensors
from tests.small_models import small_model, small_params


def predict(name: str, model: Any, images: Tensor, batch_size: int) -> Tensor:
    if registry.detects(name):
        return classify_digits(model, images, batch_size)[0]
    return predict_logits(model, images, batch_size)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_has_the_data_sets_number_of_classes(name: str) -> None:
    params = small_params()
    three = params.data.model_copy(update={"classes": ["cat", "dog", "fox"]})
    model = small_model(name, params.model_copy(update={"data": three}))
    assert predict(name, model, as_tensors(slice(4))[0], 4).shape == (4, 3)


@pytest.mark.parametrize("name", MODELS)
def test_predictions_do_not_depend_on_the_neighbours_in_the_batch(name: str) -> None:
    # A well-known example fed batch-first tensors to a sequence-first attention: images attended
    # to each other, nothing failed, and the model stayed at chance.
    model = small_model(name, small_params())
    images, _ = as_tensors(slice(20))
    order = torch.randperm(20)
    expected = predict(name, model, images, 20)[order]
    torch.testing.assert_close(predict(name, model, images[order], 7), expected)


@pytest.mark.parametrize("name", ["cnn", "frcnn", "vit"])
def test_weights_come_back_from_disk_unchanged(name: str, tmp_path: Path) -> None:
    model = small_model(name, small_params())
    images, _ = as_tensors(slice(20))
    for file in ("first", "second"):
        weights_io.save(tmp_path / file, model)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    again = registry.load(name, tmp_path / "first")
    assert not again.training
    assert again.architecture == model.architecture
    assert torch.equal(predict(name, again, images, 20), predict(name, model, images, 20))


def test_a_file_that_does_not_fit_is_refused_by_name(tmp_path: Path) -> None:
    model = small_model("cnn", small_params())
    architecture: dict[str, Any] = model.architecture
    path = tmp_path / "cnn.safetensors"

    def refuses(reason: str, **changes: Any) -> None:
        if changes:
            model.architecture = architecture | changes
            weights_io.save(path, model)
        with pytest.raises(UserError, match=reason):
            registry.load("cnn", path)

    refuses("is missing")
    path.write_bytes(b"not safetensors")
    refuses("does not hold a CNN")
    refuses("size mismatch|does not hold a CNN", classes=11)
    refuses("unexpected keyword argument", heads=4)
