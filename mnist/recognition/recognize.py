"""Read a picture of handwriting with every model."""

import copy
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

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


class Calibration(NamedTuple):
    """What stage `evaluate` chose on the validation digits for a model."""

    temperature: float = 1
    """by which the logits are divided"""
    least_confidence: float | None = None
    """below it a picture is unlike a digit; None: not known"""


@dataclass(frozen=True)
class Digit:
    """A digit as one model reads it."""

    digit: int
    """index of the class"""
    confidence: float
    """0..1: a classifier's calibrated probability, or the score of a detector's box"""
    unlike: bool | None
    """whether it is unlike the digits that the model was trained on; None: not known"""
    probabilities: np.ndarray
    """float64 (classes,), calibrated"""
    box: tuple[float, ...] | None = None
    """of a detector: left, top, right, bottom in pixels of `Reading.picture`"""


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
    digits: dict[str, list[Digit]]
    """of each model; a detector sees the whole picture, and may find more or fewer than n"""


def read_calibration(path: Path) -> Calibration:
    """Read metrics/details/<model>.json, where it exists."""
    try:
        details = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Calibration()
    return Calibration(details["temperature"], details.get("least_confidence"))


def read(
    content: bytes,
    name: str,
    models: Mapping[str, Any],
    calibrations: Mapping[str, Calibration],
    device: torch.device,
) -> Reading:
    """Read a picture with each of `models`, by name; they are put into inference mode.

    Args:
        content: the bytes of the picture's file.
        name: of the picture, for error messages.

    Raises:
        UserError: the content is not a picture, is blank, or shows too many marks.
    """
    picture, reduced = open_picture(content, name)
    written = find_ink(picture, name)
    images = np.stack([to_mnist(written.ink, box) for box in written.digits])
    digits = {}
    for model_name, model in models.items():
        calibration = calibrations[model_name]
        if registry.detects(model_name):
            digits[model_name] = _read_by_detector(model, written, calibration, device)
        else:
            logits = predict_logits(model, torch.from_numpy(images).to(device), len(images))
            digits[model_name] = [_to_digit(row, calibration) for row in logits.cpu().double()]
    return Reading(picture, reduced, written.digits, images, digits)


def _to_digit(logits: Tensor, calibration: Calibration) -> Digit:
    probabilities = (logits / calibration.temperature).softmax(dim=0).numpy()
    confidence, least = float(probabilities.max()), calibration.least_confidence
    unlike = None if least is None else confidence < least
    return Digit(int(probabilities.argmax()), confidence, unlike, probabilities)


def _read_by_detector(
    model: "DigitDetector", written: Handwriting, calibration: Calibration, device: torch.device
) -> list[Digit]:
    """Find the digits in the whole picture, and classify each alone: only for a single digit the
    model is calibrated.
    """
    digits = []
    for box, digit, score in detect(model, written, device):
        image = torch.from_numpy(cut_out(written.ink, box)[None]).to(device)
        logits, _ = classify_digits(model, image, 1)
        alone = _to_digit(logits[0].cpu().double(), calibration)
        digits.append(Digit(digit, score, alone.unlike, alone.probabilities, box))
    return digits


def cut_out(ink: np.ndarray, box: tuple[float, ...]) -> np.ndarray:
    """Turn the ink in the box of a detector into uint8 (28, 28); all 0 where there is no ink."""
    left, top = (max(0, math.floor(edge)) for edge in box[:2])
    right, bottom = (max(0, math.ceil(edge)) for edge in box[2:])
    digit = ink[top:bottom, left:right]
    if not digit.any():
        return np.zeros((SIDE, SIDE), dtype=np.uint8)
    return to_mnist(digit, (0, 0, digit.shape[1], digit.shape[0]))


@torch.inference_mode()
def detect(
    model: "DigitDetector", written: Handwriting, device: torch.device
) -> list[tuple[tuple[float, ...], int, float]]:
    """Find digits in the whole picture, scaled to the size that digits have in training.

    Returns:
        Box, class and score of the digits with a score of SCORE_THRESHOLD or more, from left to
        right.
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
    (prediction,) = model(to_input(pixels[None].to(device)))
    prediction = {key: value.cpu() for key, value in prediction.items()}
    # From pixels of the scene to pixels of the picture.
    corner = torch.tensor([left, top, left, top]) - torch.tensor([x, y, x, y]) / scale
    boxes = (prediction["boxes"] / scale + corner).tolist()
    digits, scores = (prediction["labels"] - 1).tolist(), prediction["scores"].tolist()
    found = zip(map(tuple, boxes), digits, scores, strict=True)
    return sorted(digit for digit in found if digit[2] >= SCORE_THRESHOLD)
