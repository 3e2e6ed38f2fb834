"""mAP, precision and recall are what one computes by hand on scenes small enough for it."""

import pytest
import torch
from torch import Tensor, nn

from mnist.data.scenes import Scenes
from mnist.evaluation.average_precision import (
    Detections,
    detect,
    match_boxes,
    mean_average_precision,
    scene_examples,
)

BOXES = torch.tensor([[0.0, 0, 20, 20], [30, 30, 50, 50], [5, 5, 25, 25]])
LABELS = torch.tensor([3, 7, 3])
SCENES = Scenes(
    images=torch.zeros(2, 64, 64, dtype=torch.uint8),
    boxes=BOXES,
    labels=LABELS,
    scene=torch.tensor([0, 0, 1]),
    source=torch.arange(3),
)


def found(boxes: Tensor, labels: Tensor, scores: Tensor) -> list[Detections]:
    """Detections in SCENES: the first two boxes are in the first scene."""
    parts = (slice(2), slice(2, None))
    return [{"boxes": boxes[p], "labels": labels[p], "scores": scores[p]} for p in parts]


def test_shifted_boxes_count_up_to_their_overlap_and_wrong_digits_never() -> None:
    # 20 pixels wide, shifted by 4: they have 16 of 24 columns in common, an overlap of 2/3,
    # so they count at 0.5, 0.55, 0.6 and 0.65 and at none of the other six.
    shifted = BOXES + torch.tensor([4.0, 0, 4, 0])
    scores = mean_average_precision(found(shifted, torch.tensor([3, 8, 3]), torch.ones(3)), SCENES)
    assert scores["map_per_digit"] == {"3": pytest.approx(0.4), "7": 0}
    assert scores["map"] == pytest.approx(0.2)  # over the two digits that are there
    assert scores["map_50"] == pytest.approx(0.5)
    assert scores["map_75"] == 0
    assert (scores["scenes"], scores["scene_digits"]) == (2, 3)


class Detector(nn.Module):
    """Finds the first digit of SCENES in every scene; labels from 1, as torchvision's."""

    def forward(self, images: list[Tensor]) -> list[Detections]:
        assert not self.training
        first = {"boxes": BOXES[:1], "labels": LABELS[:1] + 1, "scores": torch.ones(1)}
        return [first] * len(images)


def test_classes_count_from_0_in_every_batch() -> None:
    for batch_size in (1, 2):
        detections = detect(Detector().train(), SCENES.images, batch_size)
        assert [d["labels"].tolist() for d in detections] == [[3], [3]]


def test_a_box_is_right_if_it_is_the_most_confident_on_a_digit_of_its_class() -> None:
    boxes, labels = torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30]]), torch.tensor([3, 4])
    detections = {
        "boxes": torch.tensor(
            [
                [0.0, 0, 10, 8],  # less confident than the next
                [0, 0, 10, 7],
                [20, 20, 30, 30],  # another class
                [20, 20, 30, 24],  # overlaps by 0.4
            ]
        ),
        "labels": torch.tensor([3, 3, 5, 4]),
        "scores": torch.tensor([0.6, 0.9, 0.9, 0.9]),
    }
    assert match_boxes(detections, boxes, labels).tolist() == [-1, 0, -1, -1]
    nothing = {key: values[:0] for key, values in detections.items()}
    assert match_boxes(nothing, boxes, labels).tolist() == []


def test_precision_and_recall_count_all_scenes_and_examples_the_first_and_the_worst() -> None:
    boxes = torch.cat([BOXES, BOXES[1:2], BOXES[:1]])
    labels, scores = torch.tensor([3, 8, 4, 3, 3]), torch.tensor([0.9, 0.8, 0.7, 0.6, 0.4])
    rates, (first, worst) = scene_examples(found(boxes, labels, scores), SCENES, max_count=1)
    # Four boxes are confident, of which one is right; one of the three digits is found.
    assert rates == {"precision": 1 / 4, "recall": pytest.approx(1 / 3)}
    assert first["true"] == [[0, 0, 20, 20, 3, True], [30, 30, 50, 50, 7, False]]
    assert first["found"][0] == [0, 0, 20, 20, 3, 0.9, True]
    assert [found[-2:] for found in worst["found"]] == [[0.7, False], [0.6, False]]
    nothing = found(BOXES[:0], LABELS[:0], torch.zeros(0))
    assert scene_examples(nothing, SCENES)[0] == {"precision": 0, "recall": 0}
