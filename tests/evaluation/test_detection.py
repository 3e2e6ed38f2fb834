"""mAP is what one computes by hand on scenes small enough for it."""

import pytest
import torch
from torch import Tensor

from mnist.data.scenes import Scenes
from mnist.evaluation.detection import Found, mean_average_precision, mistakes, scene_examples

BOXES = torch.tensor([[0.0, 0, 20, 20], [30, 30, 50, 50], [5, 5, 25, 25]])
LABELS = torch.tensor([3, 7, 3])
SCENES = Scenes(
    images=torch.zeros(2, 64, 64, dtype=torch.uint8),
    boxes=BOXES,
    labels=LABELS,
    scene=torch.tensor([0, 0, 1]),
    source=torch.arange(3),
)


def found(boxes: Tensor, labels: Tensor, scores: Tensor) -> list[Found]:
    """Predictions to SCENES: the first two boxes are in the first scene."""
    parts = (slice(2), slice(2, None))
    return [{"boxes": boxes[p], "labels": labels[p], "scores": scores[p]} for p in parts]


def test_a_perfect_answer_scores_one() -> None:
    scores = mean_average_precision(found(BOXES, LABELS, torch.ones(3)), SCENES)
    assert scores["map"] == scores["map_50"] == scores["map_75"] == pytest.approx(1)
    assert scores["map_per_digit"] == {"3": pytest.approx(1), "7": pytest.approx(1)}


def test_no_answer_scores_zero() -> None:
    nothing = found(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), torch.zeros(0))
    scores = mean_average_precision(nothing, SCENES)
    assert scores["map"] == scores["map_50"] == 0


def test_shifted_boxes_count_up_to_their_overlap() -> None:
    # 20 pixels wide, shifted by 4: they share 16 of 24 columns, an overlap of 2/3,
    # so they count at 0.5, 0.55, 0.6 and 0.65 and at none of the other six.
    shifted = BOXES + torch.tensor([4.0, 0, 4, 0])
    scores = mean_average_precision(found(shifted, LABELS, torch.ones(3)), SCENES)
    assert scores["map"] == pytest.approx(0.4)
    assert scores["map_50"] == pytest.approx(1)
    assert scores["map_75"] == 0


def test_a_right_box_with_the_wrong_digit_does_not_count() -> None:
    wrong = torch.tensor([3, 8, 3])
    scores = mean_average_precision(found(BOXES, wrong, torch.ones(3)), SCENES)
    assert scores["map_per_digit"]["3"] == pytest.approx(1)
    assert scores["map_per_digit"]["7"] == 0
    assert scores["map_50"] == pytest.approx(0.5)  # of the two digits that are there


def test_scenes_of_one_digit_alone_can_be_scored() -> None:
    alone = Scenes(SCENES.images[:1], BOXES[:1], LABELS[:1], torch.tensor([0]), torch.tensor([0]))
    answer = found(BOXES[:1], LABELS[:1], torch.ones(1))[:1]
    assert mean_average_precision(answer, alone)["map_per_digit"] == {"3": pytest.approx(1)}


def test_mistakes_are_digits_missed_and_boxes_too_many() -> None:
    truth = (BOXES[:2], LABELS[:2])
    answer = {"boxes": BOXES, "labels": LABELS, "scores": torch.tensor([0.9, 0.9, 0.4])}
    assert mistakes(answer, *truth) == 0  # the third box is not clear
    assert mistakes(answer | {"scores": torch.tensor([0.9, 0.2, 0.9])}, *truth) == 2
    assert mistakes(answer | {"labels": torch.tensor([3, 8, 3])}, *truth) == 2


def test_examples_show_the_first_scenes_and_then_the_worst() -> None:
    answers = found(BOXES, torch.tensor([3, 7, 4]), torch.tensor([0.9, 0.8, 0.7]))
    first, worst = scene_examples(answers, SCENES, most=1)
    assert first["mistakes"] == 0
    assert first["true"] == [[0, 0, 20, 20, 3], [30, 30, 50, 50, 7]]
    assert worst["mistakes"] == 2
    assert worst["found"] == [[5, 5, 25, 25, 4, 0.7]]
