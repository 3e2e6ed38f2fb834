"""The detector is torchvision's Faster R-CNN, predicts as it does, and learns."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from mnist.models import registry
from mnist.models.frcnn import Crops, DigitDetector, RoIAlign, normalised, targets
from mnist.models.inference import PIXEL_MEAN, PIXEL_STD, classify_digits, to_input
from tests.digits import as_tensors
from tests.small_models import small_model, small_params

PARAMS = small_params()


def build(seed: int = 0) -> DigitDetector:
    return small_model("frcnn", PARAMS, seed)


def test_class_0_of_the_network_is_the_background() -> None:
    contents = targets([(torch.zeros(2, 4), torch.tensor([0, 9]))])
    assert contents[0]["labels"].tolist() == [1, 10]
    assert build().roi_heads.box_predictor.cls_score.out_features == 11


def test_scenes_are_not_resized_nor_padded_nor_normalised_as_imagenet_is() -> None:
    scenes = torch.rand(2, 1, 48, 48)
    batch = normalised(scenes)
    torch.testing.assert_close(batch.tensors, (scenes - 0.1307) / 0.3081)
    assert batch.image_sizes == [(48, 48)] * 2


@pytest.mark.parametrize("stride", [3, 4])
def test_roi_align_looks_where_the_box_is(stride: int) -> None:
    side = 15  # cells; each holds the number of its column and of its row
    columns = torch.arange(float(side)).expand(side, side)
    maps = torch.stack([columns, columns.T])[None]
    box = torch.tensor([[2.0, 4.0, 8.0, 10.0]]) * stride
    cut = RoIAlign(3, stride)({"0": maps}, [box], [(side * stride, side * stride)])
    # three cells over columns 2 to 8 have their centres at 3, 5 and 7
    torch.testing.assert_close(cut[0, 0], torch.tensor([[3.0, 5, 7]] * 3))
    torch.testing.assert_close(cut[0, 1], torch.tensor([[5.0, 7, 9]] * 3).T)


def test_it_starts_as_the_cnn_without_a_background() -> None:
    cnn, model = small_model("cnn", PARAMS, seed=1).eval(), build().eval()
    model.start_from(cnn.features, cnn.head)
    images = torch.rand(2, 1, 28, 28)
    assert torch.equal(model.backbone(images), cnn.features(images))
    crops = (images - PIXEL_MEAN) / PIXEL_STD
    scores, _ = model.crop_heads.box_predictor(crops.expand(-1, 2, -1, -1))
    torch.testing.assert_close(scores[:, 1:], cnn(images))
    assert not scores[:, 0].any()


def test_crops_show_a_box_stretched_and_in_its_own_shape() -> None:
    scene = torch.zeros(1, 1, 64, 64)
    scene[0, 0, 44:64, 28:33] = 1.0  # a 1 at the lower edge, 5 pixels wide and 20 high
    scene = (scene - PIXEL_MEAN) / PIXEL_STD
    (views,) = Crops(28)({"0": scene}, [torch.tensor([[28.0, 44, 33, 64]])], [])
    views = views * PIXEL_STD + PIXEL_MEAN
    assert views.amin(dim=(1, 2)).tolist() == pytest.approx([0, 0], abs=1e-5)
    assert views[:, -1].tolist() == pytest.approx(torch.zeros(2, 28), abs=1e-5)  # below the scene

    white = [(view > 0.5).nonzero() for view in views]
    heights, widths = zip(
        *((w.amax(dim=0) - w.amin(dim=0) + 1).tolist() for w in white), strict=True
    )
    assert heights == pytest.approx((28 / 1.3, 20), abs=1)
    assert widths == pytest.approx((28 / 1.3, 5), abs=1)


@pytest.fixture(scope="module")
def trained(pipeline: Path) -> Any:
    return registry.load("frcnn", pipeline / "models/frcnn.safetensors")


def test_classify_gives_the_label_of_the_top_box(trained: DigitDetector) -> None:
    trained = copy.deepcopy(trained)
    # Otherwise the second stage may prefer another box than the best of the first.
    trained.roi_heads.detections_per_img = 1
    images, labels = as_tensors(slice(40))
    logits, found = classify_digits(trained, images, batch_size=7)
    with torch.no_grad():
        expected = trained(F.pad(to_input(images), (10,) * 4))
    tops = [
        prediction["labels"][0].item() - 1 if len(prediction["labels"]) else -1
        for prediction in expected
    ]
    given = logits.argmax(dim=1).where(found, -1)
    assert given.tolist() == tops
    assert (given == labels).sum() > 10  # chance is 4


def test_nothing_is_found_in_an_empty_image(trained: DigitDetector) -> None:
    with torch.no_grad():
        (found,) = trained(torch.zeros(1, 1, 48, 48))
    assert not len(found["boxes"])
    logits, found = classify_digits(trained, torch.zeros(3, 28, 28, dtype=torch.uint8), 3)
    assert not found.any()
    assert not logits.any()
