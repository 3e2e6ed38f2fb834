"""Corruptions do what they say, the same each time, and leave something to be read."""

import numpy as np
import pytest
from scipy import ndimage

from mnist.evaluation.corruptions import CORRUPTIONS, corrupt
from tests.digits import digits

IMAGES = digits()[0][:20]


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_each_changes_every_digit_and_repeats_itself(kind: str) -> None:
    changed = corrupt(IMAGES, kind, seed=0)
    assert changed.shape == IMAGES.shape
    assert changed.dtype == np.uint8
    assert (changed != IMAGES).any(axis=(1, 2)).all()
    np.testing.assert_array_equal(changed, corrupt(IMAGES, kind, seed=0))
    np.testing.assert_array_equal(changed[:5], corrupt(IMAGES[:5], kind, seed=0))


@pytest.mark.parametrize("kind", sorted(set(CORRUPTIONS) - {"canny_edges"}))
def test_what_is_random_comes_from_the_seed(kind: str) -> None:
    assert (corrupt(IMAGES, kind, seed=0) != corrupt(IMAGES, kind, seed=1)).any()


def test_there_are_the_fifteen_of_mnist_c() -> None:
    assert set(CORRUPTIONS) == {
        "shot_noise", "impulse_noise", "glass_blur", "motion_blur", "shear", "scale", "rotate",
        "brightness", "translate", "stripe", "fog", "spatter", "dotted_line", "zigzag",
        "canny_edges",
    }  # fmt: skip


def test_noise_hits_as_many_pixels_as_it_says() -> None:
    grey = np.full((50, 28, 28), 128, dtype=np.uint8)
    changed = corrupt(grey, "impulse_noise", seed=0)
    assert set(np.unique(changed)) == {0, 128, 255}
    assert (changed != 128).mean() == pytest.approx(0.2, abs=0.01)


def test_photons_come_in_whole_numbers_around_the_brightness() -> None:
    grey = np.full((50, 28, 28), 128, dtype=np.uint8)
    changed = corrupt(grey, "shot_noise", seed=0)
    photons = np.unique(changed) / 255 * 6
    np.testing.assert_allclose(photons, photons.round(), atol=0.02)
    assert changed.mean() == pytest.approx(128, abs=3)


def square(side: int = 8) -> np.ndarray:
    image = np.zeros((1, 28, 28), dtype=np.uint8)
    start = (28 - side) // 2
    image[:, start : start + side, start : start + side] = 255
    return image


@pytest.mark.parametrize("seed", range(6))
def test_a_square_is_moved_turned_slanted_and_sized(seed: int) -> None:
    before = square()

    def after(kind: str) -> np.ndarray:
        return corrupt(before, kind, seed)[0].astype(float)

    down, right = np.subtract(ndimage.center_of_mass(after("translate")), 13.5)
    assert {abs(down), abs(right)} <= {4.0, 5.0, 6.0}
    area = after("scale").sum() / before.sum()
    assert min(abs(area / 0.55**2 - 1), abs(area / 1.5**2 - 1)) < 0.25  # pixels are coarse
    for kind in ("rotate", "shear"):
        assert after(kind).sum() == pytest.approx(before.sum(), rel=0.05)  # no ink lost
        np.testing.assert_allclose(ndimage.center_of_mass(after(kind)), 13.5, atol=0.1)
    widest = (after("shear") > 128).any(axis=0).sum()
    assert widest == pytest.approx(8 + 0.6 * 8, abs=1.5)
    diagonal = (after("rotate") > 128).any(axis=0).sum()
    angle = np.deg2rad([30, 45])
    least, most = 8 * (np.cos(angle) + np.sin(angle))
    assert least - 1.5 <= diagonal <= most + 1.5


def test_a_stripe_is_inverted_and_the_rest_left() -> None:
    changed, before = corrupt(IMAGES, "stripe", seed=0)[0], IMAGES[0]
    inverted = (changed == 255 - before).all(axis=0) & ~(changed == before).all(axis=0)
    assert inverted.sum() == 7


@pytest.mark.parametrize("kind", ["dotted_line", "zigzag"])
def test_lines_only_add_ink(kind: str) -> None:
    changed = corrupt(IMAGES, kind, seed=0)
    assert (changed >= IMAGES).all()
    assert set(np.unique(changed[changed != IMAGES])) == {255}


def test_blurring_keeps_the_ink_within_the_image() -> None:
    before = square()
    for kind in ("motion_blur", "glass_blur"):
        changed = corrupt(before, kind, seed=0)
        assert changed.sum() == pytest.approx(before.sum(), rel=0.25)
        assert len(np.unique(changed)) > 10  # no longer black and white


def test_the_background_turns_grey() -> None:
    for kind in ("brightness", "fog"):
        assert np.median(corrupt(IMAGES, kind, seed=0)[IMAGES == 0]) > 40
