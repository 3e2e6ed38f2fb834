"""The detector's task deals digits to scenes, and the loop learns from them."""

from pathlib import Path
from typing import Any

import pytest
import torch

from mnist.models import weights_io
from mnist.models.frcnn import DigitDetector
from mnist.params import FasterRCNN
from mnist.training.detection import Detection
from mnist.training.loop import Trained, train
from tests.digits import as_tensors
from tests.models.test_faster_rcnn import BACKBONE

TRAINING, VALIDATION = slice(600), slice(600, 700)


@pytest.fixture
def section(committed: dict[str, Any]) -> FasterRCNN:
    """The committed recipe, with a smaller network and fewer scenes."""
    small = {"hidden": 64, "proposals": 20, "anchor_sizes": [16, 28], "epochs": 0.5}
    return FasterRCNN.model_validate(committed["frcnn"] | small | {"batch_size": 8})


def detection(section: FasterRCNN) -> Detection:
    return Detection(as_tensors(TRAINING), as_tensors(VALIDATION), section)


def run_training(section: FasterRCNN, seed: int) -> Trained:
    torch.manual_seed(seed)
    model = DigitDetector(backbone=BACKBONE, **section.architecture())
    return train(model, detection(section), section, seed, torch.device("cpu"))


def test_an_epoch_deals_each_digit_at_most_once_and_anew_each_time(section: FasterRCNN) -> None:
    task, generator = detection(section), torch.Generator().manual_seed(0)
    epochs = [list(task.epoch(generator)) for _ in range(2)]
    for batches in epochs:
        assert len(batches) == task.steps_per_epoch == 600 // 3 // 8
        labels = torch.cat([target["labels"] for _, content in batches for target in content])
        assert set(labels.tolist()) <= set(range(1, 11))
        dealt = torch.bincount(labels - 1, minlength=10)
        assert (dealt <= torch.bincount(as_tensors(TRAINING)[1], minlength=10)).all()
        assert dealt.sum() > 0.85 * 600
        scenes, content = batches[0]
        assert scenes.shape == (8, 1, 64, 64)
        assert len(content) == 8
    assert not torch.equal(epochs[0][0][0], epochs[1][0][0])


def test_it_beats_chance_by_far(section: FasterRCNN) -> None:
    longer = {"epochs": 8, "lr": 0.004, "ema_decay": 0.9}
    trained = run_training(section.model_copy(update=longer), seed=1)
    assert trained.samples == 8 * 25 * 8
    assert trained.curve[-1].val_accuracy > 0.4  # chance is 0.1, and what is not found is wrong
    assert trained.curve[-1].train_loss < 0.85 * trained.curve[0].train_loss


def test_the_same_seed_gives_the_same_bits(section: FasterRCNN, tmp_path: Path) -> None:
    for name, seed in (("first", 1), ("again", 1), ("other", 2)):
        weights_io.save(tmp_path / name, run_training(section, seed).model, {})
    first, again, other = ((tmp_path / n).read_bytes() for n in ("first", "again", "other"))
    assert first == again
    assert first != other


def test_a_digit_that_is_not_found_counts_as_wrong(section: FasterRCNN) -> None:
    model = DigitDetector(backbone=BACKBONE, **section.architecture())
    model.roi_heads.score_thresh = 1.0  # no box is ever that sure
    _, accuracy = detection(section).score(model)
    assert accuracy == 0
    model.roi_heads.score_thresh = 0.0
    images, labels = as_tensors(VALIDATION)
    with torch.no_grad():
        model.roi_heads.box_predictor.cls_score.weight.zero_()
        model.roi_heads.box_predictor.cls_score.bias.copy_(torch.eye(11)[1 + 4] * 9)
    _, accuracy = detection(section).score(model)
    assert accuracy == pytest.approx((labels == 4).double().mean().item())
    assert accuracy > 0
