"""Reading a picture of handwriting with every model."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import nn

from mnist.models.frcnn import SCORE_THRESHOLD, DigitDetector
from mnist.models.inference import predict_logits, to_input
from mnist.recognition.pictures import (
    BOX,
    LARGEST,
    Box,
    Handwriting,
    find_ink,
    open_picture,
    to_mnist,
    union_box,
)

MARGIN = 22  # pixels of paper around, as around a digit alone in the middle of a scene of 64


@dataclass(frozen=True)
class Found:
    """One digit that the detector found; the box is in pixels of the picture read."""

    box: tuple[float, float, float, float]
    digit: int
    score: float


@dataclass(frozen=True)
class Reading:
    """What the models make of one picture with n digits in it, from left to right."""

    picture: np.ndarray
    """grey values 0..1 (H, W), as it was looked at"""
    reduced: float
    """size of `picture` against the file's, at most 1"""
    boxes: list[Box]
    """where the digits are, in pixels of `picture`"""
    images: np.ndarray
    """uint8 (n, 28, 28), what the classifiers see"""
    probabilities: dict[str, np.ndarray]
    """(n, 10) of each classifier"""
    found: dict[str, list[Found]]
    """of each detector, from left to right; it looks at the whole picture"""

    def digits(self, name: str) -> list[tuple[int, float]]:
        """Digits with their probabilities, as model `name` reads them."""
        if name in self.found:
            return [(found.digit, found.score) for found in self.found[name]]
        rows = self.probabilities[name]
        return [(int(row.argmax()), float(row.max())) for row in rows]


def read(
    content: bytes, name: str, models: Mapping[str, nn.Module], device: torch.device
) -> Reading:
    """Let each of `models`, by name, read what is written in a picture.

    Args:
        content: the bytes of its file.
        name: what to call it in an error.

    Raises:
        UserError: it is no picture, blank, or not of digits.
    """
    picture, reduced = open_picture(content, name)
    written = find_ink(picture, name)
    images = np.stack([to_mnist(written.ink, box) for box in written.digits])
    digits = torch.from_numpy(images).to(device)
    probabilities, found = {}, {}
    for model_name, model in models.items():
        if isinstance(model, DigitDetector):
            found[model_name] = detect(model, written, device)
        else:
            logits = predict_logits(model, digits, len(digits))
            probabilities[model_name] = logits.cpu().double().softmax(dim=1).numpy()
    return Reading(picture, reduced, written.digits, images, probabilities, found)


@torch.inference_mode()
def detect(model: DigitDetector, written: Handwriting, device: torch.device) -> list[Found]:
    """Find digits in the whole picture, brought to the size that they had in training."""
    left, top, right, bottom = union_box(written.digits)
    longest = [max(b[2] - b[0], b[3] - b[1]) for b in written.digits]
    scale = min(BOX / float(np.median(longest)), LARGEST / max(right - left, bottom - top))
    size = [max(1, round(side * scale)) for side in (right - left, bottom - top)]
    cut = Image.fromarray(written.ink[top:bottom, left:right])
    ink = np.asarray(cut.resize((size[0], size[1]), Image.Resampling.BILINEAR))
    # A scene is at least as large as in training, and whole cells of the feature map.
    width, height = (max(model.side, 4 * -(-(side + 2 * MARGIN) // 4)) for side in size)
    x, y = (width - size[0]) // 2, (height - size[1]) // 2
    scene = np.zeros((height, width), dtype=np.float32)
    scene[y : y + size[1], x : x + size[0]] = ink / max(float(ink.max()), 1e-6)
    pixels = torch.from_numpy(np.rint(scene * 255).astype(np.uint8))
    model.eval()
    # torchvision would shrink a scene that is larger than those of the training, and look at no
    # more places than there.
    model.transform.min_size, model.transform.max_size = (min(scene.shape),), max(scene.shape)
    model.roi_heads.detections_per_img = 2 * len(written.digits) + 20
    for limit in (model.rpn._pre_nms_top_n, model.rpn._post_nms_top_n):
        limit["testing"] = max(limit["testing"], 20 * len(written.digits))
    (answer,) = model(list(to_input(pixels[None].to(device))))
    answer = {key: value.cpu() for key, value in answer.items()}
    corner = torch.tensor([left, top, left, top]) - torch.tensor([x, y, x, y]) / scale
    boxes = answer["boxes"] / scale + corner
    rows = zip(
        boxes.tolist(), (answer["labels"] - 1).tolist(), answer["scores"].tolist(), strict=True
    )
    clear = [
        Found(tuple(box), digit, score) for box, digit, score in rows if score >= SCORE_THRESHOLD
    ]
    return sorted(clear, key=lambda found: found.box[0])
