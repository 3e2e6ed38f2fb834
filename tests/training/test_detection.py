"""The scenes, the targets and the validation of the detector."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mnist.data.scenes import INK_THRESHOLD
from mnist.training.detection import Detection
from tests.digits import as_tensors
from tests.small_models import small_model, small_params


def detection(training: slice = slice(300), seed: int = 0, **changes: Any) -> Detection:
    recipe = small_params(frcnn=changes).frcnn
    return Detection(as_tensors(training), as_tensors(slice(600, 700)), recipe, seed)


def one_digit_scenes(**changes: Any) -> dict[str, Any]:
    limits = {"side": 64, "digits_min": 1, "digits_max": 1, "scale": 0.0, "overlap": 0.0}
    return limits | changes


def test_an_epoch_shows_each_digit_at_most_once_and_every_epoch_other_scenes() -> None:
    task = detection(batch_size=10)
    assert task.steps_per_epoch == 300 // 3 // 10
    contents = [target for step in range(10) for target in task.batch(step)[1]]
    shown = torch.bincount(torch.cat([target["labels"] for target in contents]) - 1, minlength=10)
    assert (shown <= torch.bincount(as_tensors(slice(300))[1], minlength=10)).all()
    assert shown.sum() > 0.8 * 300  # the rest found no place
    assert not torch.equal(task.batch(0)[0], task.batch(10)[0])


def test_targets_are_the_ink_and_the_label_of_each_digit() -> None:
    """Boxes to a tenth of a pixel, and labels from 1: 0 is the background."""
    task = detection(
        scenes=one_digit_scenes(), rotate=0.0, shear=0.0, batch_size=200, training=slice(200)
    )
    images, labels = as_tensors(slice(200))
    scenes, contents = task.batch(0)
    label_of = {
        tuple(image[image >= INK_THRESHOLD].tolist()): label
        for image, label in zip(images, labels, strict=True)
    }
    compared = 0
    for scene, target in zip((scenes[:, 0] * 255).round().long(), contents, strict=True):
        ink = tuple(scene[scene >= INK_THRESHOLD].tolist())
        assert target["labels"].tolist() == [label_of[ink] + 1]
        if scene[1:-1, 1:-1].sum() < scene.sum():
            continue  # the blur around the ink may be cut off
        compared += 1
        expected = [*edges(scene.amax(dim=0)), *edges(scene.amax(dim=1))]
        left, top, right, bottom = target["boxes"][0].tolist()
        assert [left, right, top, bottom] == pytest.approx(expected, abs=0.1)
    assert compared > 100


@pytest.mark.parametrize("distortion", ["rotate", "shear"])
def test_the_digits_of_a_scene_are_distorted_as_the_recipe_wants(distortion: str) -> None:
    images, _ = as_tensors(slice(30))
    inks = {tuple(image[image >= INK_THRESHOLD].tolist()) for image in images}
    for limit, kept in ((0.0, 30), (small_params().frcnn.model_dump()[distortion], 0)):
        changes = {"rotate": 0.0, "shear": 0.0} | {distortion: limit}
        task = detection(slice(30), scenes=one_digit_scenes(), batch_size=30, **changes)
        scenes = (task.batch(0)[0][:, 0] * 255).round().long()
        same = [tuple(scene[scene >= INK_THRESHOLD].tolist()) in inks for scene in scenes]
        assert sum(same) == kept


def edges(profile: torch.Tensor) -> tuple[float, float]:
    """Where a line of pixels rises to INK_THRESHOLD and falls again; centres lie at i + 0.5."""
    fine = np.linspace(0, 64, 64_001)
    values = np.interp(fine, np.arange(64) + 0.5, profile.numpy())
    ink = fine[values >= INK_THRESHOLD]
    return ink[0], ink[-1]


def test_a_digit_that_is_not_found_by_both_stages_counts_as_wrong() -> None:
    task, model = detection(), small_model("frcnn", small_params()).eval()
    for heads, other in (
        (model.roi_heads, model.crop_heads),
        (model.crop_heads, model.roi_heads),
    ):
        other.score_thresh, heads.score_thresh = 0.0, 1.0  # no box is ever that sure
        assert task.validate(model)[1:] == (0.0, 100)
    model.crop_heads.score_thresh = 0.0
    labels = as_tensors(slice(600, 700))[1]
    with torch.no_grad():
        model.crop_heads.box_predictor.cls_score.weight.zero_()
        model.crop_heads.box_predictor.cls_score.bias.copy_(torch.eye(11)[1 + 4] * 9)
    loss, accuracy, _ = task.validate(model)
    assert accuracy == pytest.approx((labels == 4).double().mean().item())
    logits = (torch.eye(10)[4] * 9).expand(100, 10)
    assert loss == pytest.approx(F.cross_entropy(logits, labels).item(), rel=1e-4)
