"""Scenes hold whole digits in tight boxes, from one split, and repeat to the bit."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mnist.data.scenes import INK_THRESHOLD, Scenes, ink_boxes, make_scenes
from mnist.errors import UserError
from mnist.params import SceneParams
from tests.digits import as_tensors

LIMITS = {"side": 64, "digits_min": 1, "digits_max": 5, "scale": 0.25, "overlap": 0.1}


def scenes_of(part: slice = slice(300), seed: int = 0, **changes: Any) -> Scenes:
    limits = SceneParams.model_validate(LIMITS | changes)
    generator = torch.Generator().manual_seed(seed)
    return make_scenes(*as_tensors(part), limits, generator, rotate=10, shear=0.1)


@given(
    seed=st.integers(0, 2**31),
    side=st.integers(48, 96),
    most=st.integers(1, 6),
    scale=st.sampled_from([0, 0.1, 0.4]),
    overlap=st.sampled_from([0, 0.2, 1]),
)
def test_boxes_lie_inside_and_overlap_within_the_limit(
    seed: int, side: int, most: int, scale: float, overlap: float
) -> None:
    made = scenes_of(slice(60), seed, side=side, digits_max=most, scale=scale, overlap=overlap)
    assert made.images.shape[1:] == (side, side)
    assert (made.boxes >= 0).all()
    assert (made.boxes <= side).all()
    for boxes, _ in made.digits():
        assert 1 <= len(boxes) <= most
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
        assert (areas > 0).all()
        for i in range(len(boxes)):
            for j in range(i):
                low = torch.maximum(boxes[i, :2], boxes[j, :2])
                high = torch.minimum(boxes[i, 2:], boxes[j, 2:])
                shared = (high - low).clamp(min=0).prod()
                assert shared <= overlap * min(areas[i], areas[j]) + 1e-4


def test_a_box_is_tight_around_the_ink() -> None:
    made = scenes_of(digits_max=1)
    for scene, (boxes, _) in zip(made.images, made.digits(), strict=True):
        rows, columns = (scene >= INK_THRESHOLD).nonzero().T
        inked = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        # Every edge lies within half a pixel of the last pixel that has ink.
        assert (boxes[0] - torch.stack(inked)).abs().max() <= 0.5


def test_an_edge_lies_where_the_grey_value_rises_to_ink() -> None:
    image = torch.zeros(1, 8, 10, dtype=torch.uint8)
    image[0, 2:6, 3:7] = 255
    left, top, right, bottom = ink_boxes(image)[0].tolist()
    rise = INK_THRESHOLD / 255  # from one centre, where it is black, to the next, where it is white
    assert [left, top] == pytest.approx([2.5 + rise, 1.5 + rise])
    assert [right, bottom] == pytest.approx([7.5 - rise, 6.5 - rise])
    image[0, :, 2] = image[0, :, 7] = (
        INK_THRESHOLD - 1
    )  # blur on both sides moves the edges a little
    blurred = ink_boxes(image)[0].tolist()
    assert blurred[0] == pytest.approx(2.5, abs=0.01)
    assert blurred[2] == pytest.approx(7.5, abs=0.01)


def test_an_edge_moves_little_when_a_grey_value_does() -> None:
    image = torch.zeros(1, 8, 8, dtype=torch.uint8)
    image[0, 2:6, 3:6] = 255
    boxes = []
    for value in range(0, 255, 5):
        image[0, 2:6, 2] = value
        boxes.append(ink_boxes(image)[0])
    steps = torch.stack(boxes).diff(dim=0).abs()
    assert steps.max() < 0.1
    assert torch.stack(boxes)[0, 0] - torch.stack(boxes)[-1, 0] == pytest.approx(1, abs=0.1)


def test_what_has_no_ink_is_no_digit_and_a_speck_has_a_box() -> None:
    limits = SceneParams.model_validate(LIMITS | {"digits_max": 1, "scale": 0})
    images = torch.zeros(6, 28, 28, dtype=torch.uint8)
    images[0, 10, 10] = INK_THRESHOLD
    made = make_scenes(images, torch.arange(6), limits, torch.Generator().manual_seed(0))
    assert made.labels.tolist() == [0]
    assert (made.boxes[0, 2:] - made.boxes[0, :2]).tolist() == [1, 1]
    assert len(made.digits()) == 6


def test_too_few_digits_for_a_scene_are_refused() -> None:
    with pytest.raises(UserError, match="2 digits are not enough for a scene of 4 to 5"):
        scenes_of(slice(2), digits_min=4)


def test_an_image_without_ink_gets_the_box_of_all_of_it() -> None:
    assert ink_boxes(torch.zeros(1, 6, 8, dtype=torch.uint8)).tolist() == [[0, 0, 8, 6]]


def test_each_digit_is_what_its_label_says_and_in_one_scene_only() -> None:
    made = scenes_of()
    _, labels = as_tensors(slice(300))
    assert torch.equal(labels[made.source], made.labels)
    assert len(made.source.unique()) == len(made.source)
    assert len(made.source) > 0.9 * 300  # the rest found no place


def test_undistorted_a_scene_shows_the_very_pixels_of_its_digit() -> None:
    limits = SceneParams.model_validate(LIMITS | {"digits_max": 1, "scale": 0})
    images, labels = as_tensors(slice(50))
    made = make_scenes(images, labels, limits, torch.Generator().manual_seed(3))
    for scene, box, source in zip(made.images, made.boxes, made.source, strict=True):
        ink = ink_boxes(images[source][None])[0]
        torch.testing.assert_close(box[2:] - box[:2], ink[2:] - ink[:2])
        shift = (box - ink).round().int().tolist()
        x, y, x_end, y_end = ink.round().int().tolist()
        shown = scene[y + shift[1] : y_end + shift[1], x + shift[0] : x_end + shift[0]]
        assert torch.equal(shown, images[source, y:y_end, x:x_end])


def test_counts_come_equally_often_and_the_number_can_be_set() -> None:
    counts = torch.bincount(torch.bincount(scenes_of(overlap=1).scene))[1:]
    assert counts.tolist() == [20] * 5
    limits = SceneParams.model_validate(LIMITS)
    made = make_scenes(*as_tensors(slice(300)), limits, torch.Generator(), number=7)
    assert len(made.images) == 7


def test_the_same_seed_gives_the_same_bits() -> None:
    first, again, other = scenes_of(seed=1), scenes_of(seed=1), scenes_of(seed=2)
    for name in vars(first):
        assert torch.equal(getattr(first, name), getattr(again, name)), name
    assert not torch.equal(first.images, other.images)


@pytest.mark.parametrize("changes", [{"digits_min": 6}, {"side": 33}])
def test_limits_that_contradict_each_other_are_refused(changes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="more than digits_max|no room for the largest digit"):
        SceneParams.model_validate(LIMITS | changes)
