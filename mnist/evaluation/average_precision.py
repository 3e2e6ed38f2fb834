"""How well a detector finds digits in scenes, by COCO's mean average precision (mAP)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics.detection import MeanAveragePrecision
from torchvision.ops import box_iou

from mnist.data.scenes import Scenes, make_scenes
from mnist.evaluation.examples import to_base64
from mnist.models.inference import SCORE_THRESHOLD, to_input
from mnist.params import EvaluateParams, SceneParams

# The boxes of a scene: `boxes` (n, 4), `scores` (n,) and `labels` (n,), classes from 0.
Detections = dict[str, Tensor]


def measure(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    limits: SceneParams,
    settings: EvaluateParams,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Scatter the test digits, uint8 (N, 28, 28), over scenes and find them again.

    Returns:
        The figures of `mean_average_precision` and `scene_examples`, and the examples.
    """
    generator = torch.Generator().manual_seed(settings.scenes_seed)
    scenes = make_scenes(images.cpu(), labels.cpu(), limits, generator, number=settings.scenes)
    found = detect(model, scenes.images.to(images.device), settings.scenes_batch_size)
    rates, examples = scene_examples(found, scenes)
    return mean_average_precision(found, scenes) | rates, examples


@torch.inference_mode()
def detect(model: nn.Module, images: Tensor, batch_size: int) -> list[Detections]:
    """Find the digits in uint8 scenes (N, side, side)."""
    model.eval()
    found: list[Detections] = []
    for batch in images.split(batch_size):
        found += model(to_input(batch))
    return [{k: v.cpu() for k, v in d.items()} | {"labels": d["labels"].cpu() - 1} for d in found]


def mean_average_precision(found: Sequence[Detections], scenes: Scenes) -> dict[str, Any]:
    """Score the boxes found in `scenes` as COCO does (Lin et al., 2014).

    Returns:
        Rates in 0..1: `map_50` and `map_75`, the area under precision over recall, mean over the
        digits, where a box counts as found from an overlap (intersection over union) of 0.5 or
        0.75 on; `map`, the mean over overlaps of 0.5, 0.55 ... 0.95; `map_per_digit`, the same of
        each digit that is in the scenes; and how many scenes and digits these are.
    """
    metric = MeanAveragePrecision(class_metrics=True, backend="faster_coco_eval")
    truth = [{"boxes": boxes, "labels": labels} for boxes, labels in scenes.digits()]
    metric.update(list(found), truth)
    scores = metric.compute()
    # torchmetrics makes a single number of a list of one
    digits, each = (scores[key].reshape(-1).tolist() for key in ("classes", "map_per_class"))
    per_digit = {str(d): score for d, score in zip(digits, each, strict=True) if score >= 0}
    counts = {"scenes": len(scenes.images), "scene_digits": len(scenes.labels)}
    rates = {key: scores[key].item() for key in ("map", "map_50", "map_75")}
    return rates | {"map_per_digit": per_digit} | counts


def match_boxes(found: Detections, boxes: Tensor, labels: Tensor) -> Tensor:
    """Match found boxes (n,) with digits (m,) of the same class, the most confident box first.

    Returns:
        For each found box the index of its digit, with which its intersection over union is at
        least 0.5 and which no other box has; -1 for a wrong box.
    """
    overlaps = box_iou(found["boxes"], boxes) * (found["labels"][:, None] == labels)
    matches = torch.full((len(found["boxes"]),), -1)
    for i in found["scores"].argsort(descending=True).tolist():
        overlap, digit = overlaps[i].max(dim=0)
        if overlap >= 0.5:
            matches[i] = digit
            overlaps[:, digit] = 0
    return matches


def scene_examples(
    found: Sequence[Detections], scenes: Scenes, max_count: int = 6
) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Compare the confident boxes with the digits, scene by scene.

    Returns:
        `precision`, the share of the confident boxes that are right, and `recall`, the share of
        the digits that they find, 0..1, over all scenes. And a description of the first
        `max_count` scenes and then of as many with the most mistakes: `pixels`, base64 of the
        bytes of the square scene; `true`, boxes as left, top, right, bottom, digit, whether it was
        found; `found`, the confident ones, as left, top, right, bottom, digit, score, whether it
        is right.
    """
    examples = []
    right = boxes = 0
    for image, truth, detections in zip(scenes.images, scenes.digits(), found, strict=True):
        confident = detections["scores"] >= SCORE_THRESHOLD
        shown = {key: values[confident] for key, values in detections.items()}
        matches = match_boxes(shown, *truth)
        is_found = torch.isin(torch.arange(len(truth[1])), matches)
        right, boxes = right + int(is_found.sum()), boxes + len(matches)
        example = {
            "pixels": to_base64(image.numpy()),
            "true": _rows(*truth, is_found),
            "found": _rows(shown["boxes"], shown["labels"], shown["scores"], matches >= 0),
        }
        examples.append((int((~is_found).sum() + (matches < 0).sum()), example))
    worst = sorted(examples[max_count:], key=lambda example: -example[0])[:max_count]
    rates = {"precision": right / max(boxes, 1), "recall": right / len(scenes.labels)}
    return rates, [example for _, example in [*examples[:max_count], *worst]]


def _rows(boxes: Tensor, *columns: Tensor) -> list[list[float]]:
    rows = zip(boxes.tolist(), *(column.tolist() for column in columns), strict=True)
    return [
        [*(round(x, 1) for x in box), *(round(x, 3) if isinstance(x, float) else x for x in rest)]
        for box, *rest in rows
    ]
