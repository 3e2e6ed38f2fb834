"""Classifiers read a picture digit by digit, a detector reads all digits at their places."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from mnist.models import frcnn
from mnist.models.frcnn import DigitDetector
from mnist.params import Params
from mnist.recognition.pictures import find_ink, to_mnist
from mnist.recognition.recognize import Reading, read
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

    def forward(self, scenes: Tensor, targets: object = None) -> list[dict[str, Tensor]]:
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
    return Nearest(np.stack([to_mnist(ink, boxes[0]) for ink, boxes in written]))


@pytest.fixture
def finder(committed: dict) -> DigitDetector:
    params = Params.model_validate(committed)
    return Finder(**frcnn.build(params).architecture)


def read_all(
    content: bytes, models: dict[str, nn.Module], details: dict[str, float] | None = None
) -> Reading:
    return read(content, "test", models, dict.fromkeys(models, details or {}), CPU)


def page_of(*which: int) -> bytes:
    return as_file(1 - np.concatenate([smooth(i) for i in which], axis=1))


def as_file(grey: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray((grey * 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def test_digits_are_read_from_left_to_right(nearest: Nearest) -> None:
    reading = read_all(page_of(3, 1, 4), {"cnn": nearest})
    assert [found.digit for found in reading.digits["cnn"]] == [3, 1, 4]
    for found in reading.digits["cnn"]:
        assert found.confidence == found.probabilities[found.digit] == max(found.probabilities)
        assert sum(found.probabilities) == pytest.approx(1)
    assert reading.images.shape == (3, 28, 28)


@pytest.mark.parametrize("enlarged", [1, 10])
def test_boxes_are_in_pixels_of_the_file(
    nearest: Nearest, finder: DigitDetector, enlarged: int
) -> None:
    ink = np.pad(smooth(7), ((60, 0), (100, 0))).repeat(enlarged, 0).repeat(enlarged, 1)
    rows, columns = (np.flatnonzero((ink > 0.5).any(axis=axis)) for axis in (1, 0))
    expected = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    reading = read_all(as_file(1 - ink), {"cnn": nearest, "frcnn": finder})
    (found,) = reading.digits["frcnn"]  # the second has too low a score
    assert found.digit == 7
    assert found.confidence == pytest.approx(0.9)
    assert found.box == pytest.approx(expected, abs=8 * enlarged)
    assert reading.digits["cnn"][0].box == pytest.approx(expected, abs=8 * enlarged)


def test_confidence_below_the_limit_is_unlike_a_digit(
    nearest: Nearest, finder: DigitDetector
) -> None:
    models: dict[str, nn.Module] = {"cnn": nearest, "frcnn": finder}
    for least, unlike in ((0, False), (1.1, True)):
        details = {"temperature": 2, "least_confidence": least}
        digits = read_all(page_of(7), models, details).digits
        assert [digits[model][0].unlike for model in models] == [unlike, unlike]


def test_a_box_is_cut_out_as_far_as_it_lies_in_the_picture() -> None:
    ink = np.zeros((50, 60), dtype=np.float32)
    ink[10:30, 40:60] = 1
    assert (to_mnist(ink, (40.4, 9.6, 66.0, 30.2)) == 255).sum() > 300
    assert not to_mnist(ink, (0.0, 0.0, 30.0, 50.0)).any()
    assert not to_mnist(ink, (-30.0, -9.0, -3.0, -2.0)).any()


def test_a_page_of_digits_keeps_its_size_and_does_not_change_the_next_picture(
    committed: dict,
) -> None:
    torch.manual_seed(0)
    model = frcnn.build(Params.model_validate(committed))
    # Every proposal becomes a digit, and the boxes of a page fill all limits.
    for heads in (model.roi_heads, model.crop_heads):
        heads.box_predictor.cls_score.bias.data[4] = 10
    seen: list[torch.Size] = []
    model.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    before = read_all(page_of(7), {"frcnn": model}).digits["frcnn"]
    page = read_all(page_of(*range(10)), {"frcnn": model}).digits["frcnn"]
    after = read_all(page_of(7), {"frcnn": model}).digits["frcnn"]
    assert max(shape[-1] for shape in seen) > 250  # torchvision shrinks to 64, as in training
    assert len(page) > len(before) > 0
    assert [found.box for found in after] == [found.box for found in before]
    lefts = [found.box[0] for found in page]
    assert lefts == sorted(lefts)
