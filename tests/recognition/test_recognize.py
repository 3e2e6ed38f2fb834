"""Classifiers read a picture digit by digit, a detector reads all digits at their places."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from mnist.commands.predict import as_json
from mnist.models import frcnn
from mnist.models.frcnn import DigitDetector
from mnist.params import Params
from mnist.recognition.drawing import draw
from mnist.recognition.pictures import find_ink, to_mnist
from mnist.recognition.recognize import Found, read
from tests.recognition.test_pictures import smooth

CPU = torch.device("cpu")


class Nearest(nn.Module):
    """Predicts the example, of ten, that is nearest to a digit."""

    def __init__(self, examples: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("examples", torch.from_numpy(examples).float().flatten(1) / 255)

    def forward(self, images: Tensor) -> Tensor:
        examples = self.examples
        assert isinstance(examples, Tensor)
        return -torch.cdist(images.flatten(1), examples)


class Finder(DigitDetector):
    """Finds one digit, a 7, in the brightest row and column of a scene."""

    def forward(self, scenes: list[Tensor], targets: object = None) -> list[dict[str, Tensor]]:
        assert not self.training
        predictions = []
        for scene in scenes:
            rows, columns = (scene[0].amax(dim=d).nonzero().flatten() for d in (1, 0))
            box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            boxes = torch.tensor([[float(edge) for edge in box]] * 2)
            scores = torch.tensor([0.9, 0.2])
            predictions.append({"boxes": boxes, "labels": torch.tensor([8, 3]), "scores": scores})
        return predictions


@pytest.fixture
def nearest() -> Nearest:
    written = [find_ink(1 - smooth(i), "test") for i in range(10)]
    return Nearest(np.stack([to_mnist(w.ink, w.digits[0]) for w in written]))


@pytest.fixture
def finder(committed: dict) -> DigitDetector:
    params = Params.model_validate(committed)
    return Finder(**frcnn.build(params).architecture)


def page_of(*which: int) -> bytes:
    return as_file(1 - np.concatenate([smooth(i) for i in which], axis=1))


def as_file(grey: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray((grey * 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def test_digits_are_read_from_left_to_right(nearest: Nearest) -> None:
    reading = read(page_of(3, 1, 4), "test", {"cnn": nearest}, CPU)
    assert [digit for digit, _ in reading.digits("cnn")] == [3, 1, 4]
    assert reading.probabilities["cnn"].shape == (3, 10)
    np.testing.assert_allclose(reading.probabilities["cnn"].sum(axis=1), 1)
    assert reading.images.shape == (3, 28, 28)


def test_boxes_are_where_the_ink_is(nearest: Nearest, finder: DigitDetector) -> None:
    ink = np.pad(smooth(7), ((60, 0), (100, 0)))
    rows, columns = (np.flatnonzero((ink > 0.5).any(axis=axis)) for axis in (1, 0))
    expected = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    reading = read(as_file(1 - ink), "test", {"cnn": nearest, "frcnn": finder}, CPU)
    (found,) = reading.found["frcnn"]  # the second has too low a score
    assert isinstance(found, Found)
    assert found.digit == 7
    np.testing.assert_allclose(found.box, expected, atol=8)
    np.testing.assert_allclose(reading.boxes[0], expected, atol=8)


def test_boxes_for_machines_are_in_pixels_of_the_file(nearest: Nearest) -> None:
    reading = read(page_of(3), "test", {"cnn": nearest}, CPU)
    (box,) = as_json(reading)["boxes"]
    (larger,) = as_json(replace(reading, reduced=0.5))["boxes"]
    assert larger == [2 * edge for edge in box]


def test_a_real_detector_takes_pictures_of_any_shape(committed: dict) -> None:
    torch.manual_seed(0)
    model = frcnn.build(Params.model_validate(committed))
    seen: list[torch.Size] = []
    model.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    reading = read(page_of(*range(6)), "test", {"frcnn": model}, CPU)
    assert isinstance(reading.found["frcnn"], list)
    # torchvision would have shrunk it to the 64 pixels of the training
    ((_, _, height, width),) = seen
    assert height == 64
    assert width > 150


def test_a_page_of_digits_does_not_change_the_next_picture(committed: dict) -> None:
    torch.manual_seed(0)
    model = frcnn.build(Params.model_validate(committed))
    # Every proposal becomes a digit, and the boxes of a page fill all limits.
    for heads in filter(None, (model.roi_heads, model.crop_heads)):
        heads.box_predictor.cls_score.bias.data[4] = 10
    before = read(page_of(7), "test", {"frcnn": model}, CPU).found["frcnn"]
    page = read(page_of(*range(10)), "test", {"frcnn": model}, CPU).found["frcnn"]
    after = read(page_of(7), "test", {"frcnn": model}, CPU).found["frcnn"]
    assert len(page) > len(before) > 0
    assert after == before


def test_the_drawing_shows_every_picture(
    nearest: Nearest, finder: DigitDetector, tmp_path: Path
) -> None:
    models: dict[str, nn.Module] = {"cnn": nearest, "frcnn": finder}
    pages = (page_of(3), page_of(1, 4))
    readings = [("picture", read(page, "test", models, CPU)) for page in pages]
    one, both = tmp_path / "one.png", tmp_path / "both.png"
    classes = [str(digit) for digit in range(10)]
    draw(readings[1:], classes, one)
    draw(readings, classes, both)
    with Image.open(one) as single, Image.open(both) as double:
        assert double.height == pytest.approx(2 * single.height, abs=2)
        halves = np.split(np.asarray(double.convert("L"))[: double.height // 2 * 2], 2)
        assert all(half.std() > 20 for half in halves)  # something is drawn in each
