"""Scenes hold whole digits in tight boxes, from one split, and repeat to the bit."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import box_area

from mnist.data.scenes import INK_THRESHOLD, Scenes, ink_boxes, make_scenes, scene_count
from mnist.errors import UserError
from mnist.params import SceneParams
from tests.digits import as_tensors

LIMITS = {"side": 64, "digits_min": 1, "digits_max": 5, "scale": 0.25, "overlap": 0.1}


def limits(**changes: Any) -> SceneParams:
    return SceneParams.model_validate(LIMITS | changes)


def scenes_of(part: slice = slice(300), seed: int = 0, **changes: Any) -> Scenes:
    generator = torch.Generator().manual_seed(seed)
    return make_scenes(*as_tensors(part), limits(**changes), generator, rotate=10, shear=0.1)


@given(
    seed=st.integers(0, 2**31),
    side=st.integers(44, 96),
    low=st.integers(1, 2),
    extra=st.integers(0, 4),
    scale=st.sampled_from([0, 0.1, 0.4]),
    overlap=st.sampled_from([0, 0.2, 1]),
)
@settings(max_examples=30)
def test_boxes_lie_inside_and_overlap_within_the_limit(
    seed: int, side: int, low: int, extra: int, scale: float, overlap: float
) -> None:
    changes = {"side": side, "digits_min": low, "digits_max": low + extra, "scale": scale}
    made = scenes_of(slice(60), seed, **changes, overlap=overlap)
    assert made.images.shape == (scene_count(60, limits(**changes)), side, side)
    assert (made.boxes >= 0).all()
    assert (made.boxes <= side).all()
    assert (made.boxes[:, 2:] - made.boxes[:, :2] >= 1).all()
    assert len(made.source.unique()) == len(made.source)  # each digit is in one scene only
    assert torch.equal(as_tensors(slice(60))[1][made.source], made.labels)
    for boxes, _ in made.digits():
        assert 1 <= len(boxes) <= low + extra
        top_left = torch.maximum(boxes[:, None, :2], boxes[None, :, :2])
        bottom_right = torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
        common = (bottom_right - top_left).clamp(min=0).prod(dim=2).triu(diagonal=1)
        smaller = torch.minimum(box_area(boxes)[:, None], box_area(boxes)[None])
        assert (common <= overlap * smaller + 1e-3).all()


def test_an_edge_lies_where_the_grey_value_rises_to_ink() -> None:
    image = torch.zeros(1, 8, 10, dtype=torch.uint8)
    image[0, 2:6, 3:7] = 255
    left, top, right, bottom = ink_boxes(image)[0].tolist()
    rise = INK_THRESHOLD / 255  # from one centre, where it is black, to the next, where it is white
    assert [left, top] == pytest.approx([2.5 + rise, 1.5 + rise])
    assert [right, bottom] == pytest.approx([7.5 - rise, 6.5 - rise])
    image[0, :, 2] = image[0, :, 7] = INK_THRESHOLD - 1  # blur moves the edges a little
    blurred = ink_boxes(image)[0].tolist()
    assert blurred[0] == pytest.approx(2.5, abs=0.01)
    assert blurred[2] == pytest.approx(7.5, abs=0.01)


def test_an_image_without_ink_is_left_out_and_a_speck_has_a_box() -> None:
    images = torch.zeros(6, 28, 28, dtype=torch.uint8)
    images[0, 10, 10] = INK_THRESHOLD
    generator = torch.Generator().manual_seed(0)
    made = make_scenes(images, torch.arange(6), limits(digits_max=1, scale=0), generator)
    assert made.labels.tolist() == [0]
    assert (made.boxes[0, 2:] - made.boxes[0, :2]).tolist() == [1, 1]
    assert len(made.digits()) == 6
    assert ink_boxes(torch.zeros(1, 6, 8, dtype=torch.uint8)).tolist() == [[0, 0, 8, 6]]


def test_undistorted_a_scene_shows_the_very_pixels_of_its_digit() -> None:
    images, labels = as_tensors(slice(50))
    generator = torch.Generator().manual_seed(3)
    made = make_scenes(images, labels, limits(digits_max=1, scale=0), generator)
    assert len(made.boxes) == 50
    for scene, box, source in zip(made.images, made.boxes, made.source, strict=True):
        ink = ink_boxes(images[source][None])[0]
        x, y, x_end, y_end = (box - ink).round().int().tolist()
        assert (x, y) == (x_end, y_end)  # the digit was moved by whole pixels
        torch.testing.assert_close(box - ink, (box - ink).round(), atol=1e-4, rtol=0)
        padded = torch.zeros(120, 120, dtype=torch.uint8)
        padded[28 + y : 56 + y, 28 + x : 56 + x] = images[source]
        assert torch.equal(scene, padded[28:92, 28:92])


def test_sizes_are_drawn_between_the_limits_and_digits_are_distorted() -> None:
    images = torch.zeros(300, 28, 28, dtype=torch.uint8)
    images[:, 4:24, 9:19] = 255  # 20 high and 10 wide
    labels = torch.zeros(300, dtype=torch.int64)

    def sides(rotate: float = 0, shear: float = 0) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        one = limits(digits_max=1)
        made = make_scenes(images, labels, one, generator, rotate=rotate, shear=shear)
        return made.boxes[:, 2:] - made.boxes[:, :2]

    width, height = sides().T
    torch.testing.assert_close(height, 2 * width, atol=2, rtol=0)
    assert height.min() == pytest.approx(0.75 * 20, abs=1.2)  # ink begins in the blur
    assert height.max() == pytest.approx(1.25 * 20, abs=1.2)
    assert (sides(rotate=30)[:, 0] - width).max() > 5  # a slanted digit is wider
    assert (sides(shear=0.4)[:, 0] - width).max() > 5


def test_counts_come_equally_often_and_the_number_can_be_set() -> None:
    counts = torch.bincount(torch.bincount(scenes_of(overlap=1).scene))[1:]
    assert counts.tolist() == [20] * 5
    made = make_scenes(*as_tensors(slice(300)), limits(overlap=1), torch.Generator(), number=2)
    assert torch.bincount(made.scene).sort().values.tolist() == [1, 2]
    assert len(scenes_of().source) > 0.9 * 300  # the rest found no place
    assert scene_count(299, limits()) == 99
    assert scene_count(300, limits(digits_min=2, digits_max=2)) == 150


def test_the_same_seed_gives_the_same_bits() -> None:
    first, again, other = scenes_of(seed=1), scenes_of(seed=1), scenes_of(seed=2)
    for name in vars(first):
        assert torch.equal(getattr(first, name), getattr(again, name)), name
    assert not torch.equal(first.images, other.images)


def test_too_few_digits_and_a_scene_too_small_are_refused() -> None:
    with pytest.raises(UserError, match="2 digits are too few for a scene of 4 to 5"):
        scenes_of(slice(2), digits_min=4)
    with pytest.raises(UserError, match="side = 39 leaves no room .* allowed is 40 or more"):
        scenes_of(side=39)
    assert scenes_of(side=40).images.shape[1:] == (40, 40)
