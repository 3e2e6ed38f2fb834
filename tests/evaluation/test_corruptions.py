"""Each corruption does what its name says, as strongly as in MNIST-C, and is the same each time."""

import numpy as np
import pytest
from scipy import ndimage

from mnist.evaluation.corruptions import CORRUPTIONS, corrupt
from tests.digits import digits

IMAGES = digits()[0][:20]
BLACK = np.zeros((6, 28, 28), dtype=np.uint8)
GREY = np.full((50, 28, 28), 128, dtype=np.uint8)
DETERMINISTIC = {"scale", "brightness", "stripe", "canny_edges"}
ANGLE = 0.4  # radians


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_each_changes_every_digit_and_repeats_itself(kind: str) -> None:
    before = IMAGES.copy()
    changed = corrupt(IMAGES, kind, seed=0)
    assert changed.shape == IMAGES.shape
    assert changed.dtype == np.uint8
    assert (changed != IMAGES).any(axis=(1, 2)).all()
    np.testing.assert_array_equal(IMAGES, before)
    np.testing.assert_array_equal(changed, corrupt(IMAGES, kind, seed=0))


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_what_is_random_comes_from_the_seed_and_differs_between_images(kind: str) -> None:
    same = np.repeat(IMAGES[:1], 8, axis=0)
    changed = corrupt(same, kind, seed=0)
    assert (changed != corrupt(same, kind, seed=1)).any() == (kind not in DETERMINISTIC)
    assert (changed[1:] != changed[0]).any() == (kind not in DETERMINISTIC)


def test_there_are_the_fifteen_of_mnist_c() -> None:
    assert set(CORRUPTIONS) == {
        "shot_noise", "impulse_noise", "glass_blur", "motion_blur", "shear", "scale", "rotate",
        "brightness", "translate", "stripe", "fog", "spatter", "dotted_line", "zigzag",
        "canny_edges",
    }  # fmt: skip


def test_impulse_noise_makes_17_percent_of_the_pixels_black_or_white() -> None:
    changed = corrupt(GREY, "impulse_noise", seed=0)
    assert set(np.unique(changed)) == {0, 128, 255}
    assert (changed == 0).mean() == pytest.approx(0.085, abs=0.005)
    assert (changed == 255).mean() == pytest.approx(0.085, abs=0.005)


def test_shot_noise_counts_three_photons_of_white() -> None:
    changed = corrupt(GREY // 2, "shot_noise", seed=0)
    assert set(np.unique(changed)) == {0, 85, 170, 255}
    expected = np.exp(-3 * 64 / 255)  # Poisson: no photon
    assert (changed == 0).mean() == pytest.approx(expected, abs=0.01)


def square(side: int = 8) -> np.ndarray:
    image = np.zeros((20, 28, 28), dtype=np.uint8)
    start = (28 - side) // 2
    image[:, start : start + side, start : start + side] = 255
    return image


def moments(images: np.ndarray) -> np.ndarray:
    """Second moments about the centre, (N, 2, 2): of y and y, y and x; x and y, x and x."""
    places = np.indices((28, 28)).reshape(2, -1) - 13.5
    ink = images.reshape(len(images), -1) / 255
    return np.einsum("ap,np,bp->nab", places, ink, places) / ink.sum(axis=1)[:, None, None]


def test_a_bar_is_turned_by_the_angle_of_mnist_c_to_either_side() -> None:
    bar = square()
    bar[:, :, :13] = bar[:, :, 15:] = 0  # upright, two pixels wide
    for kind in ("rotate", "shear"):
        m = moments(corrupt(bar, kind, seed=0))
        tilt = np.arctan2(2 * m[:, 0, 1], m[:, 0, 0] - m[:, 1, 1]) / 2
        np.testing.assert_allclose(abs(tilt), ANGLE, atol=0.02)
        assert 4 <= (tilt > 0).sum() <= 16
    lying = bar.transpose(0, 2, 1)
    assert abs(moments(corrupt(lying, "rotate", seed=0))[:, 0, 1]).min() > 1
    assert abs(moments(corrupt(lying, "shear", seed=0))[:, 0, 1]).max() < 0.3  # rows stay rows
    # A shear by an angle, as scikit-image defined it then, also stretches by 1 / its cosine.
    height = moments(corrupt(square(14), "shear", seed=0))[:, 0, 0] / moments(square(14))[:, 0, 0]
    np.testing.assert_allclose(height, 1 / np.cos(ANGLE) ** 2, rtol=0.03)


def test_a_square_shrinks_to_70_percent_in_its_place() -> None:
    m = moments(corrupt(square(20), "scale", seed=0))[0]
    assert m[0, 0] == pytest.approx(m[1, 1]) == pytest.approx(0.49 * (20**2 - 1) / 12, rel=0.02)


def test_a_square_moves_by_three_pixels_along_both_axes_in_four_directions() -> None:
    moved = {
        tuple(np.subtract(ndimage.center_of_mass(image), 13.5).round(6))
        for image in corrupt(square(), "translate", seed=0)
    }
    assert moved == {(y, x) for y in (-3, 3) for x in (-3, 3)}


def test_the_outer_quarters_are_inverted_as_a_stripe() -> None:
    changed = corrupt(IMAGES, "stripe", seed=0)
    np.testing.assert_array_equal(changed[:, :, 7:21], IMAGES[:, :, 7:21])
    for edge in (slice(7), slice(21, None)):
        np.testing.assert_array_equal(changed[:, :, edge], 255 - IMAGES[:, :, edge])


def test_brightness_adds_half_of_white() -> None:
    assert set(np.unique(corrupt(BLACK, "brightness", seed=0))) == {128}
    assert set(np.unique(corrupt(BLACK + 200, "brightness", seed=0))) == {255}


def test_fog_adds_clouds_and_dims_by_four() -> None:
    white = square(2)
    changed = corrupt(white, "fog", seed=0).astype(float)
    sky = changed[:, :13]
    assert sky.max() <= 0.75 * 255 + 1
    assert sky.std(axis=0).mean() > 20  # each image has clouds of its own
    rough = abs(np.diff(sky, axis=2)).mean()
    assert 1 < rough < 10  # clouds, no noise of single pixels
    edge = changed[:, 13:15, 13:15].mean(axis=(1, 2)) - changed[:, 11, 11:17].mean(axis=1)
    assert edge.mean() == pytest.approx(255 / 4, abs=8)  # what is left of white ink on black


def test_spatter_is_dark_mud() -> None:
    changed = corrupt(np.full((100, 28, 28), 255, dtype=np.uint8), "spatter", seed=0)
    assert changed.min() == 63
    share = (changed < 255).mean()
    assert 0.05 < share < 0.25
    assert ((changed < 255) == (changed <= 255 - 0.8 * (255 - 63) + 1)).all()  # no faint mud


def test_a_dotted_line_runs_between_the_edges_with_gaps() -> None:
    for image in corrupt(BLACK, "dotted_line", seed=0):
        inked = np.flatnonzero(image.any(axis=0))
        assert inked.tolist() == [x for x in range(27) if x % 4 >= 2]
        middle = image[:, inked].argmax(axis=0)
        assert abs(middle - np.polyval(np.polyfit(inked, middle, 1), inked)).max() < 0.75
        assert image.max() > 200
        assert (image > 0).sum(axis=0).max() <= 3


def test_a_zigzag_swings_by_two_pixels_around_a_straight_line() -> None:
    for image in corrupt(np.repeat(BLACK, 5, axis=0), "zigzag", seed=0).astype(float):
        if image[0].any() or image[-1].any():
            continue  # part of it lies outside
        assert not image[:, :1].any()
        columns = np.arange(4, 24)
        middle = image[:, columns].T @ np.arange(28) / image[:, columns].sum(axis=0)
        rise, start = np.polyfit(columns, middle, 1)
        swing = middle - rise * columns - start
        assert abs(rise) <= 5 / 23 + 0.05
        assert 1.4 <= abs(swing).max() <= 2.6
        turns = np.flatnonzero(np.diff(np.sign(swing)))
        assert 4 <= len(turns) <= 6  # a half swing takes four pixels


def test_motion_blur_leaves_a_fading_trail_to_the_left_within_45_degrees() -> None:
    point = np.zeros((40, 28, 28), dtype=np.uint8)
    point[:, 14, 20] = 255
    angles = []
    for image in corrupt(point, "motion_blur", seed=0).astype(float):
        assert image.sum() == pytest.approx(255, rel=0.05)
        assert image[14, 20] > 0
        assert not image[:, 21:].any()
        y, x = np.array(ndimage.center_of_mass(image)) - (14, 20)
        weights = np.exp(-(np.arange(21) ** 2) / 18)
        assert np.hypot(x, y) == pytest.approx(weights @ np.arange(21) / weights.sum(), abs=0.35)
        angles.append(np.rad2deg(np.arctan2(-y, -x)))
    assert -45 <= min(angles) < -30
    assert 30 < max(angles) <= 45


def test_glass_blur_mixes_pixels_with_neighbours() -> None:
    half = BLACK.copy()
    half[:, :, :14] = 255
    for image in corrupt(half, "glass_blur", seed=0):
        assert (image[4:24, 13:15].std(axis=0) > 20).all()  # here the edge was
        assert (image[:, :10] >= 254).all()
        assert not image[:, 18:].any()
    # In the corner, where no swap reaches, two blurs are left. They run along the column.
    corner = BLACK.copy()
    corner[:, 0, 0] = 255
    blurred = corner[0].astype(float)
    for _ in range(2):
        blurred = ndimage.gaussian_filter1d(blurred, 0.7, axis=0, mode="nearest")
    for image in corrupt(corner, "glass_blur", seed=0):
        np.testing.assert_allclose(image, blurred, atol=2)


def test_canny_edges_are_the_outline() -> None:
    changed = corrupt(square(12), "canny_edges", seed=0)[0]
    assert set(np.unique(changed)) == {0, 255}
    rows, columns = np.nonzero(changed)
    distance = np.maximum(abs(rows - 13.5), abs(columns - 13.5))
    assert ((distance >= 5) & (distance <= 7)).all()  # the border is at 6
    assert len(set(rows)) >= 12
    assert len(set(columns)) >= 12
