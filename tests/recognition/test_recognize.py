"""Classifiers read a picture digit by digit, a detector reads all digits at their places."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from mnist.commands.predict import as_json
from mnist.evaluation.out_of_distribution import Limits
from mnist.models import frcnn
from mnist.models.frcnn import DigitDetector
from mnist.params import Params
from mnist.recognition.drawing import draw
from mnist.recognition.pictures import find_ink, to_mnist
from mnist.recognition.recognize import Found, Reading, cut_out, read
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


def read_all(content: bytes, models: dict[str, nn.Module], limits: Limits | None = None) -> Reading:
    return read(content, "test", models, dict.fromkeys(models, limits), CPU)


def page_of(*which: int) -> bytes:
    return as_file(1 - np.concatenate([smooth(i) for i in which], axis=1))


def as_file(grey: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray((grey * 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def test_digits_are_read_from_left_to_right(nearest: Nearest) -> None:
    reading = read_all(page_of(3, 1, 4), {"cnn": nearest})
    assert [digit for digit, _ in reading.digits("cnn")] == [3, 1, 4]
    assert reading.probabilities["cnn"].shape == (3, 10)
    np.testing.assert_allclose(reading.probabilities["cnn"].sum(axis=1), 1)
    assert reading.images.shape == (3, 28, 28)


def test_boxes_are_where_the_ink_is(nearest: Nearest, finder: DigitDetector) -> None:
    ink = np.pad(smooth(7), ((60, 0), (100, 0)))
    rows, columns = (np.flatnonzero((ink > 0.5).any(axis=axis)) for axis in (1, 0))
    expected = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    reading = read_all(as_file(1 - ink), {"cnn": nearest, "frcnn": finder})
    (found,) = reading.found["frcnn"]  # the second has too low a score
    assert isinstance(found, Found)
    assert found.digit == 7
    np.testing.assert_allclose(found.box, expected, atol=8)
    np.testing.assert_allclose(reading.boxes[0], expected, atol=8)


def test_boxes_for_machines_are_in_pixels_of_the_file(nearest: Nearest) -> None:
    found = Found(digit=3, score=0.9, box=(1.0, 2.0, 30.0, 40.0))
    reading = replace(read_all(page_of(3), {"cnn": nearest}), found={"frcnn": [found]})
    reading.unlike["frcnn"] = [None]
    (box,) = as_json(reading)["boxes"]
    larger = as_json(replace(reading, reduced=0.5))
    assert larger["boxes"] == [[2 * edge for edge in box]]
    assert larger["detectors"]["frcnn"][0]["box"] == [2, 4, 60, 80]


def test_only_digits_beyond_the_limits_are_unlike(nearest: Nearest, finder: DigitDetector) -> None:
    models: dict[str, nn.Module] = {"cnn": nearest, "frcnn": finder}
    all_pass: dict[str, Any] = {
        "least_confidence": 0.0,
        "ink": (0.0, 1.0),
        "longest_outline": 1000.0,
    }
    dot = np.zeros((210, 210))
    dot[70:140, 70:140] = 1  # becomes 20x20 full pixels: ink 400/784
    page = as_file(1 - np.concatenate([smooth(7), dot], axis=1))

    def unlike(**changes: Any) -> dict[str, list[bool | None]]:
        return read_all(page, models, Limits(temperature=1.0, **(all_pass | changes))).unlike

    # Two digits of the classifier; the detector's only box holds both.
    assert unlike() == {"cnn": [False, False], "frcnn": [False]}
    assert unlike(ink=(0.0, 0.45))["cnn"] == [False, True]
    assert unlike(ink=(0.45, 1.0)) == {"cnn": [True, False], "frcnn": [True]}
    assert unlike(longest_outline=77.0)["cnn"] == [False, True]  # 74 and nearly four times 20
    assert unlike(least_confidence=1.1) == {"cnn": [True, True], "frcnn": [True]}
    assert read_all(page, models).unlike == {"cnn": [None, None], "frcnn": [None]}


def test_a_box_is_cut_out_as_far_as_it_lies_in_the_picture() -> None:
    ink = np.zeros((50, 60), dtype=np.float32)
    ink[10:30, 40:60] = 1
    assert (cut_out(ink, (40.4, 9.6, 66.0, 30.2)) == 255).sum() > 300
    assert not cut_out(ink, (0.0, 0.0, 30.0, 50.0)).any()
    assert not cut_out(ink, (-30.0, -9.0, -3.0, -2.0)).any()


def test_a_real_detector_takes_pictures_of_any_shape(committed: dict) -> None:
    torch.manual_seed(0)
    model = frcnn.build(Params.model_validate(committed))
    seen: list[torch.Size] = []
    model.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    reading = read_all(page_of(*range(6)), {"frcnn": model})
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
    before = read_all(page_of(7), {"frcnn": model}).found["frcnn"]
    page = read_all(page_of(*range(10)), {"frcnn": model}).found["frcnn"]
    after = read_all(page_of(7), {"frcnn": model}).found["frcnn"]
    assert len(page) > len(before) > 0
    assert after == before
    lefts = [found.box[0] for found in page]
    assert lefts == sorted(lefts)


def test_the_drawing_shows_every_picture(
    nearest: Nearest, finder: DigitDetector, tmp_path: Path
) -> None:
    models: dict[str, nn.Module] = {"cnn": nearest, "frcnn": finder}
    pages = (page_of(3), page_of(1, 4))
    readings = [("picture", read_all(page, models)) for page in pages]
    one, both = tmp_path / "one.png", tmp_path / "both.png"
    classes = [f"digit {digit}" for digit in range(10)]
    draw(readings[1:], classes, one)
    draw(readings, classes, both)
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        draw(readings[1:], classes, tmp_path / "one.svg")
    text = (tmp_path / "one.svg").read_text()
    assert "CNN: digit 1 " in text
    assert "CNN: digit 4 " in text
    draw(readings[1:], classes, tmp_path / "one.pdf")
    assert (tmp_path / "one.pdf").read_bytes().startswith(b"%PDF")
    with Image.open(one) as single, Image.open(both) as double:
        assert double.height == pytest.approx(2 * single.height, abs=2)
        halves = np.split(np.asarray(double.convert("L"))[: double.height // 2 * 2], 2)
        assert all(half.std() > 20 for half in halves)  # something is drawn in each
