"""Read a picture of handwriting with every model."""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mnist.evaluation.out_of_distribution import Limits, is_unlike
from mnist.models import registry
from mnist.models.inference import SCORE_THRESHOLD, classify_digits, predict_logits, to_input
from mnist.recognition.pictures import (
    BOX,
    MAX_SIDE,
    SIDE,
    Box,
    Handwriting,
    find_ink,
    open_picture,
    to_mnist,
    union_box,
)

if TYPE_CHECKING:
    from mnist.models.frcnn import DigitDetector  # importing torchvision takes a second

MARGIN = 22  # pixels of paper on each side, as around one digit in the middle of a 64x64 scene


@dataclass(frozen=True)
class Found:
    """A digit that a detector found; the box is in pixels of `Reading.picture`."""

    box: tuple[float, float, float, float]
    digit: int
    score: float


@dataclass(frozen=True)
class Reading:
    """What the models read in one picture with n digits, from left to right."""

    picture: np.ndarray
    """float32 (H, W) grey values in 0..1"""
    reduced: float
    """size of `picture` divided by the file's, at most 1"""
    boxes: list[Box]
    """of the digits, in pixels of `picture`"""
    images: np.ndarray
    """uint8 (n, 28, 28), the input of the classifiers"""
    probabilities: dict[str, np.ndarray]
    """float64 (n, classes) of each classifier"""
    found: dict[str, list[Found]]
    """digits of each detector, from left to right; a detector sees the whole picture"""
    unlike: dict[str, list[bool | None]]
    """of each model, for each of its digits: whether it is unlike those that the model was trained
    on; None where the model's limits are not known"""

    def digits(self, name: str) -> list[tuple[int, float]]:
        """Return the classes that model `name` reads, 0.., each with its probability."""
        if name in self.found:
            return [(found.digit, found.score) for found in self.found[name]]
        rows = self.probabilities[name]
        return [(int(row.argmax()), float(row.max())) for row in rows]


def read(
    content: bytes,
    name: str,
    models: Mapping[str, Any],
    limits: Mapping[str, Limits | None],
    device: torch.device,
) -> Reading:
    """Read a picture with each of `models`, by name; they are put into inference mode.

    Args:
        content: the bytes of the picture's file.
        name: of the picture, for error messages.
        limits: of each model, None where they are not known.

    Raises:
        UserError: the content is not a picture, is blank, or shows too many marks.
    """
    picture, reduced = open_picture(content, name)
    written = find_ink(picture, name)
    images = np.stack([to_mnist(written.ink, box) for box in written.digits])
    digits = torch.from_numpy(images).to(device)
    probabilities, found, unlike = {}, {}, {}
    for model_name, model in models.items():
        if registry.task(model_name) == "detection":
            found[model_name] = detect(model, written, device)
            boxes = [digit.box for digit in found[model_name]]
            seen, logits = classify_boxes(model, written.ink, boxes, device)
        else:
            seen, logits = images, predict_logits(model, digits, len(digits)).cpu().double()
            probabilities[model_name] = logits.softmax(dim=1).numpy()
        known = limits[model_name]
        unlike[model_name] = (
            is_unlike(seen, logits.numpy(), known).tolist() if known else [None] * len(seen)
        )
    return Reading(picture, reduced, written.digits, images, probabilities, found, unlike)


def classify_boxes(
    model: "DigitDetector", ink: np.ndarray, boxes: Sequence[Sequence[float]], device: torch.device
) -> tuple[np.ndarray, Tensor]:
    """Classify each digit that a detector found alone: the limits are of single digits.

    Returns:
        The digits, prepared as MNIST's, uint8 (n, 28, 28), and float64 logits (n, classes).
    """
    if not boxes:
        return np.zeros((0, SIDE, SIDE), np.uint8), torch.zeros(0, model.classes).double()
    images = np.stack([cut_out(ink, box) for box in boxes])
    logits, _ = classify_digits(model, torch.from_numpy(images).to(device), len(images))
    return images, logits.cpu().double()


def cut_out(ink: np.ndarray, box: Sequence[float]) -> np.ndarray:
    """Turn the ink in the box of a detector into uint8 (28, 28); all 0 where there is no ink."""
    left, top = (max(0, math.floor(edge)) for edge in box[:2])
    right, bottom = (max(0, math.ceil(edge)) for edge in box[2:])
    digit = ink[top:bottom, left:right]
    if not digit.any():
        return np.zeros((SIDE, SIDE), dtype=np.uint8)
    return to_mnist(digit, (0, 0, digit.shape[1], digit.shape[0]))


@torch.inference_mode()
def detect(model: "DigitDetector", written: Handwriting, device: torch.device) -> list[Found]:
    """Find digits in the whole picture, scaled to the size that digits have in training.

    Returns:
        The digits with a score of SCORE_THRESHOLD or more, from left to right.
    """
    left, top, right, bottom = union_box(written.digits)
    longest = [max(b[2] - b[0], b[3] - b[1]) for b in written.digits]
    scale = min(BOX / float(np.median(longest)), MAX_SIDE / max(right - left, bottom - top))
    size = [max(1, round(side * scale)) for side in (right - left, bottom - top)]
    cut = Image.fromarray(written.ink[top:bottom, left:right])
    ink = np.asarray(cut.resize((size[0], size[1]), Image.Resampling.BILINEAR))
    # At least as large as a scene of the training, and a multiple of the feature map's stride.
    width, height = (max(model.side, 4 * -(-(side + 2 * MARGIN) // 4)) for side in size)
    x, y = (width - size[0]) // 2, (height - size[1]) // 2
    scene = np.zeros((height, width), dtype=np.float32)
    scene[y : y + size[1], x : x + size[0]] = ink / max(float(ink.max()), 1e-6)
    pixels = torch.from_numpy(np.rint(scene * 255).astype(np.uint8))
    # torchvision shrinks a scene that is larger than those of the training, and limits how many
    # boxes it considers. The limits are raised in a copy: the next picture starts from the model's.
    model = copy.deepcopy(model).eval()
    model.transform.min_size, model.transform.max_size = (min(scene.shape),), max(scene.shape)
    for heads in filter(None, (model.roi_heads, model.crop_heads)):
        heads.detections_per_img = 2 * len(written.digits) + 20
    for limit in (model.rpn._pre_nms_top_n, model.rpn._post_nms_top_n):
        limit["testing"] = max(limit["testing"], 20 * len(written.digits))
    (prediction,) = model(list(to_input(pixels[None].to(device))))
    prediction = {key: value.cpu() for key, value in prediction.items()}
    # From pixels of the scene to pixels of the picture.
    corner = torch.tensor([left, top, left, top]) - torch.tensor([x, y, x, y]) / scale
    boxes = (prediction["boxes"] / scale + corner).tolist()
    digits, scores = (prediction["labels"] - 1).tolist(), prediction["scores"].tolist()
    found = [
        Found(tuple(box), digit, score)
        for box, digit, score in zip(boxes, digits, scores, strict=True)
        if score >= SCORE_THRESHOLD
    ]
    return sorted(found, key=lambda digit: digit.box[0])
