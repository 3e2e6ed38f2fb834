"""The detector is torchvision's Faster R-CNN, answers as it does, and learns."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.models.detection import FasterRCNN
from torchvision.ops import MultiScaleRoIAlign, box_iou

from mnist.data.scenes import make_scenes
from mnist.evaluation.detection import detect, mean_average_precision
from mnist.models import registry, weights_io
from mnist.models.cnn import CNN
from mnist.models.frcnn import DigitDetector, RoIAlign, centred, classify_digits, targets
from mnist.models.inference import to_input
from mnist.params import SceneParams
from tests.digits import as_tensors

BACKBONE: dict[str, Any] = {
    "widths": [16, 32],
    "kernel_sizes": [5, 3],
    "strides": [2, 1],
    "paddings": [2, 1],
    "pools": [1, 2],
    "dropout": 0.0,
}
SMALL: dict[str, Any] = {
    "backbone": BACKBONE,
    "side": 48,
    "anchor_sizes": [16, 24],
    "aspect_ratios": [1.0, 2.0],
    "proposals": 20,
    "roi_size": 5,
    "rois_per_scene": 16,
    "hidden": 64,
}
LIMITS = SceneParams(side=48, digits_min=1, digits_max=2, scale=0.1, overlap=0.0)


@pytest.fixture(scope="module")
def trained() -> DigitDetector:
    """A detector that has learnt 8 scenes by heart."""
    torch.manual_seed(0)
    model = DigitDetector(**SMALL)
    scenes = eight_scenes()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    model.train()
    for _ in range(120):
        losses = model(list(to_input(scenes.images)), targets(scenes.digits()))
        optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        optimizer.step()
    return model.eval()


def eight_scenes() -> Any:
    return make_scenes(*as_tensors(slice(12)), LIMITS, torch.Generator().manual_seed(0))


def test_it_overfits_8_scenes(trained: DigitDetector) -> None:
    scenes = eight_scenes()
    assert len(scenes.images) == 8
    with torch.no_grad():
        answers = trained(list(to_input(scenes.images)))
    for answer, (boxes, labels) in zip(answers, scenes.digits(), strict=True):
        best = box_iou(boxes, answer["boxes"]).max(dim=1)
        assert (best.values > 0.7).all()
        clear = answer["scores"] > 0.5
        assert sorted((answer["labels"][clear] - 1).tolist()) == sorted(labels.tolist())


def test_classify_gives_the_label_of_torchvisions_top_box(trained: DigitDetector) -> None:
    images, _ = as_tensors(slice(40))
    logits, found = classify_digits(trained, images, batch_size=7)
    with torch.no_grad():
        answers = FasterRCNN.forward(trained, list(centred(to_input(images), 48)))
    assert found.tolist() == [len(answer["labels"]) > 0 for answer in answers]
    tops = [answer["labels"][0].item() - 1 for answer in answers if len(answer["labels"])]
    assert logits[found].argmax(dim=1).tolist() == tops
    assert len(tops) > 20


def test_nothing_in_the_picture_is_nothing_found(trained: DigitDetector) -> None:
    logits, found = classify_digits(trained, torch.zeros(3, 28, 28, dtype=torch.uint8), 3)
    assert not found.any()
    assert not logits.any()


def test_order_in_the_batch_does_not_matter(trained: DigitDetector) -> None:
    images, _ = as_tensors(slice(30))
    order = torch.randperm(30)
    logits, found = classify_digits(trained, images, batch_size=30)
    shuffled, found_shuffled = classify_digits(trained, images[order], batch_size=7)
    torch.testing.assert_close(shuffled, logits[order])
    assert torch.equal(found_shuffled, found[order])


def test_background_is_no_digit() -> None:
    contents = targets([(torch.zeros(2, 4), torch.tensor([0, 9]))])
    assert contents[0]["labels"].tolist() == [1, 10]
    assert DigitDetector(**SMALL).roi_heads.box_predictor.cls_score.out_features == 11


def test_scenes_are_not_resized_nor_padded_nor_normalised_as_imagenet_is() -> None:
    model = DigitDetector(**SMALL).eval()
    scene = torch.rand(1, 48, 48)
    batch, _ = model.transform([scene])
    torch.testing.assert_close(batch.tensors[0], (scene - 0.1307) / 0.3081)


@pytest.mark.parametrize("stride", [3, 4])
def test_roi_align_looks_where_the_box_is(stride: int) -> None:
    side = 15  # cells; each says which column and row it is in
    columns = torch.arange(float(side)).expand(side, side)
    maps = torch.stack([columns, columns.T])[None]
    box = torch.tensor([[2.0, 4.0, 8.0, 10.0]]) * stride
    cut = RoIAlign(3, stride)({"0": maps}, [box], [(side * stride, side * stride)])
    # three cells over columns 2 to 8 have their centres at 3, 5 and 7
    torch.testing.assert_close(cut[0, 0], torch.tensor([[3.0, 5, 7]] * 3))
    torch.testing.assert_close(cut[0, 1], torch.tensor([[5.0, 7, 9]] * 3).T)


def test_the_roi_alignment_is_torchvisions(trained: DigitDetector) -> None:
    theirs = MultiScaleRoIAlign(["0"], output_size=5, sampling_ratio=1)
    features = {"0": torch.rand(2, 32, 12, 12)}
    boxes = [torch.tensor([[3.0, 5, 20, 30]]), torch.tensor([[0.0, 0, 9, 9], [20, 1, 47, 40]])]
    ours = trained.roi_heads.box_roi_pool(features, boxes, [(48, 48)] * 2)
    torch.testing.assert_close(ours, theirs(features, boxes, [(48, 48)] * 2))


def test_it_can_start_as_the_convolutions_of_a_trained_cnn() -> None:
    cnn, model = CNN(**BACKBONE), DigitDetector(**SMALL)
    images = torch.rand(2, 1, 28, 28)
    assert not torch.equal(model.eval().backbone(images), cnn.eval().features(images))
    model.load_backbone(cnn)
    assert torch.equal(model.backbone(images), cnn.features(images))


def test_what_it_finds_scores_well_on_the_scenes_it_knows(trained: DigitDetector) -> None:
    scenes = eight_scenes()
    found = detect(trained, scenes.images, batch_size=3)
    scores = mean_average_precision(found, scenes)
    assert scores["map_50"] > 0.9
    assert scores["map"] > 0.5
    assert (scores["scenes"], scores["digits"]) == (8, len(scenes.labels))


def test_weights_come_back_from_disk_unchanged(trained: DigitDetector, tmp_path: Path) -> None:
    images, _ = as_tensors(slice(20))
    path = tmp_path / "frcnn.safetensors"
    weights_io.save(path, trained, SMALL)
    again = registry.load("frcnn", path)
    assert isinstance(again, DigitDetector)
    before, after = (classify_digits(model, images, 20)[0] for model in (trained, again))
    assert torch.equal(before, after)
