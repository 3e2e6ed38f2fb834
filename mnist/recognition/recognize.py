"""Read a picture of handwriting with every model."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mnist.models import registry
from mnist.models.inference import SCORE_THRESHOLD, classify_digits, predict_logits, to_input
from mnist.recognition import pictures

if TYPE_CHECKING:
    from mnist.models.frcnn import DigitDetector  # importing torchvision takes a second

MARGIN = 22  # pixels of paper on each side, as around one digit in the middle of a 64x64 scene


@dataclass(frozen=True)
class Digit:
    """A digit as one model reads it."""

    digit: int
    """index of the class"""
    confidence: float
    """0..1: a classifier's calibrated probability, or the score of a detector's box"""
    unlike: bool
    """whether its calibrated probability is below the limit that stage `evaluate` chose"""
    box: tuple[int, ...]
    """left, top, right, bottom in pixels of the file"""
    probabilities: list[float]
    """of each class, calibrated; of a detector's digit, when the model sees it alone"""


@dataclass(frozen=True)
class Reading:
    """What the models read in one picture with n digits, from left to right."""

    picture: np.ndarray
    """float32 (H, W) grey values in 0..1"""
    reduced: float
    """size of `picture` divided by the file's, at most 1"""
    images: np.ndarray
    """uint8 (n, 28, 28), the input of the classifiers"""
    digits: dict[str, list[Digit]]
    """of each model; a detector sees the whole picture, and may find more or fewer than n"""


def read(
    content: bytes,
    name: str,
    models: Mapping[str, Any],
    details: Mapping[str, Mapping[str, Any]],
    device: torch.device,
) -> Reading:
    """Read a picture with each of `models`, by name; they are put into inference mode.

    Args:
        details: of each model, what metrics/details/<model>.json holds; with {}, the logits are not
            scaled and no digit is marked as unlike.

    Raises:
        UserError: the content is not a picture, is blank, or shows too many marks.
    """
    picture, reduced = pictures.open_picture(content, name)
    ink, boxes = pictures.find_ink(picture, name)
    images = np.stack([pictures.to_mnist(ink, box) for box in boxes])
    digits: dict[str, list[Digit]] = {}
    for model_name, model in models.items():
        if registry.detects(model_name):
            digits[model_name] = []
            for box, digit, score in detect(model, ink, boxes, device):
                # The model is calibrated for single digits.
                image = torch.from_numpy(pictures.to_mnist(ink, box)[None]).to(device)
                logits, _ = classify_digits(model, image, 1)
                alone = _to_digit(logits[0], details[model_name], box, reduced)
                digits[model_name].append(replace(alone, digit=digit, confidence=score))
        else:
            logits = predict_logits(model, torch.from_numpy(images).to(device), len(images))
            digits[model_name] = [
                _to_digit(row, details[model_name], box, reduced)
                for row, box in zip(logits, boxes, strict=True)
            ]
    return Reading(picture, reduced, images, digits)


def _to_digit(
    logits: Tensor, details: Mapping[str, Any], box: tuple[float, ...], reduced: float
) -> Digit:
    probabilities = (logits.cpu().double() / details.get("temperature", 1)).softmax(dim=0)
    confidence, digit = probabilities.max(dim=0)
    return Digit(
        digit=int(digit),
        confidence=float(confidence),
        unlike=float(confidence) < details.get("least_confidence", 0),
        box=tuple(round(edge / reduced) for edge in box),
        probabilities=probabilities.tolist(),
    )


@torch.inference_mode()
def detect(
    model: "DigitDetector", ink: np.ndarray, found: list[pictures.Box], device: torch.device
) -> list[tuple[tuple[float, ...], int, float]]:
    """Find digits in the whole picture, scaled to the size that digits have in training.

    `ink` is float32 (H, W) in 0..1; `found` are the boxes of `find_ink`, for their size. Returns
    box, class and score of the digits with a score of SCORE_THRESHOLD or more, from left to right.
    """
    left, top, right, bottom = pictures.union_box(found)
    longest = [max(b[2] - b[0], b[3] - b[1]) for b in found]
    longer = max(right - left, bottom - top)
    scale = min(pictures.BOX / float(np.median(longest)), pictures.MAX_SIDE / longer)
    size = [max(1, round(side * scale)) for side in (right - left, bottom - top)]
    cut = Image.fromarray(ink[top:bottom, left:right])
    small = np.asarray(cut.resize((size[0], size[1]), Image.Resampling.BILINEAR))
    width, height = (max(model.side, side + 2 * MARGIN) for side in size)
    x, y = (width - size[0]) // 2, (height - size[1]) // 2
    scene = np.zeros((height, width), dtype=np.float32)
    scene[y : y + size[1], x : x + size[0]] = small / small.max()
    pixels = torch.from_numpy(np.rint(scene * 255).astype(np.uint8))
    # torchvision limits how many boxes it considers. The limits are raised in a copy: the next
    # picture starts from the model's.
    model = copy.deepcopy(model).eval()
    for heads in (model.roi_heads, model.crop_heads):
        heads.detections_per_img = 2 * len(found) + 20
    for limit in (model.rpn._pre_nms_top_n, model.rpn._post_nms_top_n):
        limit["testing"] = max(limit["testing"], 20 * len(found))
    (prediction,) = model(to_input(pixels[None].to(device)))
    # From pixels of the scene to pixels of the picture.
    corner = torch.tensor([left, top, left, top]) - torch.tensor([x, y, x, y]) / scale
    boxes = map(tuple, (prediction["boxes"].cpu() / scale + corner).tolist())
    digits, scores = (prediction["labels"] - 1).tolist(), prediction["scores"].tolist()
    found_digits = zip(boxes, digits, scores, strict=True)
    return sorted(digit for digit in found_digits if digit[2] >= SCORE_THRESHOLD)
