"""Each corruption does what its name says, and is the same each time."""

import numpy as np
import pytest
from scipy import ndimage

from mnist.evaluation.corruptions import CORRUPTIONS, corrupt
from tests.digits import digits

IMAGES = digits()[0][:20]
BLACK = np.zeros((6, 28, 28), dtype=np.uint8)
GREY = np.full((50, 28, 28), 128, dtype=np.uint8)


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


def test_impulse_noise_makes_a_fifth_of_the_pixels_black_or_white() -> None:
    changed = corrupt(GREY, "impulse_noise", seed=0)
    assert set(np.unique(changed)) == {0, 128, 255}
    assert (changed != 128).mean() == pytest.approx(0.2, abs=0.01)


def test_shot_noise_counts_photons() -> None:
    changed = corrupt(GREY, "shot_noise", seed=0)
    photons = np.unique(changed) / 255 * 6
    np.testing.assert_allclose(photons, photons.round(), atol=0.02)
    assert changed.mean() == pytest.approx(128, abs=3)


def square(side: int = 8) -> np.ndarray:
    image = np.zeros((1, 28, 28), dtype=np.uint8)
    start = (28 - side) // 2
    image[:, start : start + side, start : start + side] = 255
    return image


@pytest.mark.parametrize("seed", range(6))
def test_a_square_is_translated_rotated_sheared_and_scaled(seed: int) -> None:
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
    height, width = ((after("shear") > 128).any(axis=axis).sum() for axis in (1, 0))
    assert height == 8
    assert width == pytest.approx(8 + 0.6 * 8, abs=1.5)
    angle = np.deg2rad([30, 45])
    low, high = 8 * (np.cos(angle) + np.sin(angle))
    for axis in (0, 1):
        assert low - 1.5 <= (after("rotate") > 128).any(axis=axis).sum() <= high + 1.5


@pytest.mark.parametrize("kind", ["scale", "rotate", "shear", "translate"])
def test_either_direction_is_as_likely(kind: str) -> None:
    above = np.zeros((40, 28, 28), dtype=np.uint8)
    above[:, 8:14, 12:16] = 255  # above the centre
    changed = corrupt(above, kind, seed=0).astype(float)
    y, x = np.array([ndimage.center_of_mass(image) for image in changed]).T
    growth = changed.sum(axis=(1, 2)) - float(above[0].sum())
    direction = {"scale": growth, "translate": y - 10.5}.get(kind, x - 13.5)
    assert 10 <= (direction > 0).sum() <= 30
    assert abs(direction).min() > 0.5


def test_a_stripe_is_inverted_and_the_rest_is_not() -> None:
    changed, before = corrupt(IMAGES, "stripe", seed=0)[0], IMAGES[0]
    inverted = (changed == 255 - before).all(axis=0) & ~(changed == before).all(axis=0)
    assert inverted.sum() == 7


def test_lines_of_dots_have_gaps_and_zigzag_lines_have_none() -> None:
    for image in corrupt(BLACK, "dotted_line", seed=0):
        inked = (image == 255).sum(axis=0)
        assert np.flatnonzero(inked).tolist() == [x for x in range(1, 27) if (x - 1) % 4 < 2]
        assert inked.max() == 1
    for image in corrupt(BLACK, "zigzag", seed=0):
        assert np.flatnonzero((image == 255).any(axis=0)).tolist() == list(range(1, 27))
        rows = np.flatnonzero((image == 255).any(axis=1))
        assert rows.max() - rows.min() == 6
    for kind in ("dotted_line", "zigzag"):
        changed = corrupt(IMAGES, kind, seed=0)
        assert set(np.unique(changed[changed != IMAGES])) == {255}


def test_motion_blur_spreads_a_point_along_a_line_of_nine_pixels() -> None:
    point = BLACK.copy()
    point[:, 14, 14] = 255
    for image in corrupt(point, "motion_blur", seed=0).astype(float):
        assert image.sum() == pytest.approx(255, rel=0.1)
        places = np.indices(image.shape).reshape(2, -1) - 14
        across, along = np.linalg.eigvalsh(places * image.ravel() / image.sum() @ places.T)
        assert across < 0.5
        assert along == pytest.approx(np.linspace(-4, 4, 17).var(), rel=0.15)


def test_glass_blur_mixes_pixels_within_two_and_blurs_them() -> None:
    half = BLACK.copy()
    half[:, :, :14] = 255
    for image in corrupt(half, "glass_blur", seed=0):
        assert (image[:, :10] == 255).all()
        assert not image[:, 18:].any()
        assert (image[:, 12:16].std(axis=0) > 20).all()  # each pixel is moved by itself


def test_brightness_adds_an_even_grey_and_fog_adds_clouds() -> None:
    for image in corrupt(BLACK, "brightness", seed=0):
        assert np.ptp(image) == 0
        assert 0.4 * 255 - 1 <= image[0, 0] <= 0.7 * 255 + 1
    for image in corrupt(BLACK, "fog", seed=0):
        assert (image.min(), image.max()) == (0, 153)  # 0.6
        assert abs(np.diff(image.astype(int))).max() < 60  # no noise of single pixels
    assert corrupt(BLACK + 255, "fog", seed=0).min() == 166  # 0.65


def test_spatter_covers_an_eighth_of_the_image_with_one_bright_grey() -> None:
    for image in corrupt(BLACK + 40, "spatter", seed=0):
        untouched, grey = np.unique(image)
        assert untouched == 40
        assert grey >= 127
        assert (image == grey).mean() == pytest.approx(0.12, abs=0.002)


def test_canny_edges_are_the_outline() -> None:
    (changed,) = corrupt(square(12), "canny_edges", seed=0)
    assert set(np.unique(changed)) == {0, 255}
    rows, columns = np.nonzero(changed)
    distance = np.maximum(abs(rows - 13.5), abs(columns - 13.5))
    assert ((distance >= 5) & (distance <= 7)).all()  # the border is at 6
    assert len(set(rows)) >= 12
    assert len(set(columns)) >= 12
