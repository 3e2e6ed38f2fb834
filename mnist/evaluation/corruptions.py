"""The fifteen corruptions of MNIST-C, with its strengths (Mu & Gilmer, 2019).

The strengths are the defaults of the authors' program, github.com/google-research/mnist-c; the code
here is our own. It makes these images, where MNIST-C's files hold theirs:

- `scale`, `brightness`, `stripe` and `canny_edges` draw nothing at random: the same images.
- `shear`, `rotate` and `translate` draw a direction: the same images for the same direction.
- All others draw more. Their random numbers differ, their distribution is the same.

Accuracies can be compared with those published for MNIST-C, within the error of a sample of the
10,000 digits.
"""

import itertools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike
from scipy import ndimage
from skimage import feature, transform

Images = np.ndarray
"""float (N, 28, 28), 0 (background) to 1 (ink)"""

SIDE = 28


def corrupt(images: np.ndarray, kind: str, seed: int) -> np.ndarray:
    """Corrupt each image; the random numbers depend on `seed` and `kind` only.

    Args:
        images: uint8 (N, 28, 28); so are those that are returned.
        kind: a key of `CORRUPTIONS`.
    """
    random = np.random.default_rng([seed, list(CORRUPTIONS).index(kind)])
    changed = CORRUPTIONS[kind](images / 255, random)
    return np.rint(changed.clip(0, 1) * 255).astype(np.uint8)


def shot_noise(images: Images, random: Generator) -> Images:
    """Too little light: each pixel counts a few photons, three where it is white."""
    photons = 3
    return random.poisson(images * photons) / photons


def impulse_noise(images: Images, random: Generator) -> Images:
    """17 % of the pixels become black or white, as likely the one as the other."""
    hit = random.random(images.shape) < 0.17
    return np.where(hit, random.integers(0, 2, images.shape), images)


def glass_blur(images: Images, random: Generator) -> Images:
    """Frosted glass: pixels are swapped with a neighbour, between two blurs.

    Half of the pixels, from the last one to the third, are swapped with the one above, to the left,
    or both; and all this twice. As in MNIST-C's code, the blurs mix the pixels of a column only.
    """
    sigma, number = (0, 0.7, 0), np.arange(len(images))
    pixels = np.floor(ndimage.gaussian_filter(images, sigma, mode="nearest") * 255)
    for _ in range(2):
        for row, column in itertools.product(range(SIDE - 1, 1, -1), repeat=2):
            swapped, up, left = random.integers(0, 2, (3, len(images)))
            other = (number, row - swapped * up, column - swapped * left)
            here = pixels[:, row, column].copy()
            pixels[:, row, column] = pixels[other]
            pixels[other] = here
    return ndimage.gaussian_filter(pixels / 255, sigma, mode="nearest")


def motion_blur(images: Images, random: Generator) -> Images:
    """The digit moved, up to 45 degrees off the horizontal: each pixel leaves a trail of 21.

    The trail fades as half a Gaussian with a standard deviation of 3 pixels. Its places are rounded
    to whole pixels.
    """
    steps = np.arange(21)
    weights = np.exp(-(steps**2) / (2 * 3**2))
    angles = np.deg2rad(random.uniform(-45, 45, (len(images), 1)))
    down, right = (np.ceil(steps * f(angles) - 0.5).astype(int) for f in (np.sin, np.cos))
    edge = len(steps)
    padded = np.pad(images, ((0, 0), (edge, edge), (edge, edge)), mode="edge")
    number, pixels = np.arange(len(images))[:, None, None], edge + np.arange(SIDE)
    trail = np.zeros_like(images)
    for i in steps:
        rows, columns = pixels + down[:, i, None], pixels + right[:, i, None]
        trail += weights[i] * padded[number, rows[:, :, None], columns[:, None, :]]
    return trail / weights.sum()


def shear(images: Images, random: Generator) -> Images:
    """The vertical axis is slanted by 0.4 radians, 23 degrees, to the left or to the right."""
    slants = 0.4 * random.choice([-1, 1], len(images))
    return _transform(images, [[[1, -np.sin(s)], [0, np.cos(s)]] for s in slants])


def scale(images: Images, random: Generator) -> Images:
    """Shrunk to 70 %."""
    return _transform(images, [np.eye(2) / 0.7] * len(images))


def rotate(images: Images, random: Generator) -> Images:
    """Rotated by 0.4 radians, 23 degrees, to the left or to the right."""
    angles = 0.4 * random.choice([-1, 1], len(images))
    return _transform(images, [[[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]] for a in angles])


def brightness(images: Images, random: Generator) -> Images:
    """The background is grey, and all ink of half the brightness or more is white."""
    return images + 0.5


def translate(images: Images, random: Generator) -> Images:
    """Moved by three pixels along both axes."""
    padded = np.pad(images, ((0, 0), (3, 3), (3, 3)))
    starts = random.choice([0, 6], (len(images), 2))
    return np.stack(
        [i[y : y + SIDE, x : x + SIDE] for i, (y, x) in zip(padded, starts, strict=True)]
    )


def stripe(images: Images, random: Generator) -> Images:
    """Inverted but for the middle half of the columns."""
    result = 1 - images
    result[:, :, 7:21] = images[:, :, 7:21]
    return result


def fog(images: Images, random: Generator) -> Images:
    """Clouds of up to three times the brightness of ink lie over the digit; then all is dimmed."""
    ink = images.max(axis=(1, 2), keepdims=True)
    clouds = np.stack([_clouds(random) for _ in images])
    return (images + 3 * clouds) * ink / (ink + 3)


def spatter(images: Images, random: Generator) -> Images:
    """Drops of mud, a dark grey, cover parts of the image."""
    wet = random.normal(0.65, 0.3, images.shape)
    wet = ndimage.gaussian_filter(wet, (0, 1, 1), mode="nearest") > 0.65
    mud = ndimage.gaussian_filter(wet.astype(float), (0, 1.5, 1.5), mode="nearest")
    mud[mud < 0.8] = 0
    return images * (1 - mud) + mud * 63 / 255


def dotted_line(images: Images, random: Generator) -> Images:
    """A line with gaps runs from the left edge to the right one."""
    ends = random.integers(0, SIDE - 1, (len(images), 2))
    lines = np.stack([_line(0, left, 27, right) for left, right in ends])
    lines[:, :, np.arange(SIDE) % 4 < 2] = 0
    return images + lines


def zigzag(images: Images, random: Generator) -> Images:
    """A zigzag line, four pixels high, runs from the left to the right, up to 12 degrees askew."""
    left, right = 2, 25
    starts, rises = random.integers(0, SIDE - 1, len(images)), random.integers(-5, 5, len(images))
    lines = np.zeros_like(images)
    for line, start, rise in zip(lines, starts, rises, strict=True):
        length = np.hypot(right - left, rise)
        along = np.array([0, 2, 6, 10, 14, 18, 22, length])
        across = np.array([0, 2, -2, 2, -2, 2, -2, -1 / (length - 20)])
        x = left + ((right - left) * along - rise * across) / length
        y = start + (rise * along + (right - left) * across) / length
        for (x0, y0), (x1, y1) in itertools.pairwise(zip(x, y, strict=True)):
            line += _line(x0, y0, x1, y1)
    return images + lines


def canny_edges(images: Images, random: Generator) -> Images:
    """Only the outline is left (Canny, 1986)."""
    return np.stack([feature.canny(image) for image in images]).astype(float)


CORRUPTIONS: dict[str, Callable[[Images, Generator], Images]] = {
    kind.__name__: kind
    for kind in (
        shot_noise,
        impulse_noise,
        glass_blur,
        motion_blur,
        shear,
        scale,
        rotate,
        brightness,
        translate,
        stripe,
        fog,
        spatter,
        dotted_line,
        zigzag,
        canny_edges,
    )
}


def _transform(images: Images, matrices: Sequence[ArrayLike]) -> Images:
    """Resample: a pixel at p, (x, y) from the centre, takes the value at its image's matrix @ p."""
    centre = np.full(2, (SIDE - 1) / 2)
    warped = []
    for image, matrix in zip(images, np.asarray(matrices), strict=True):
        affine = np.eye(3)
        affine[:2, :2], affine[:2, 2] = matrix, centre - matrix @ centre
        warped.append(transform.warp(image, affine))
    return np.stack(warped)


def _line(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    """Draw a line from left to right on (28, 28): 1 in its middle, 0 from 1.5 pixels off."""
    rows, columns = np.arange(SIDE)[:, None], np.arange(SIDE)
    distance = abs(rows - (y0 + (y1 - y0) / (x1 - x0) * (columns - x0)))  # vertical
    ink = (1 + np.log(1 - distance.clip(max=2) / 2.3)).clip(min=0)
    ink[:, : int(np.floor(x0))] = 0
    ink[:, int(np.ceil(x1)) :] = 0
    return ink


def _clouds(random: Generator) -> np.ndarray:
    """Draw a (28, 28) part of a plasma fractal (Fournier, Fussell & Carpenter, 1982), 0..1.

    A coarse grid of random heights is halved again and again. New points take the mean of their
    four neighbours and a random change, which shrinks by 1.4**2 each time. The fractal has 256x256
    points and continues at the opposite edge.
    """
    heights = np.zeros((256, 256))
    size = 100.0**2
    for step in (256, 128, 64, 32, 16, 8, 4, 2):
        half = step // 2
        change = size * random.uniform(-1, 1, (3, 256 // step, 256 // step))
        corners = heights[::step, ::step]
        right, below = np.roll(corners, -1, axis=1), np.roll(corners, -1, axis=0)
        centres = (corners + right + below + np.roll(right, -1, axis=0)) / 4 + change[0]
        top = (corners + right + centres + np.roll(centres, 1, axis=0)) / 4 + change[1]
        left = (corners + below + centres + np.roll(centres, 1, axis=1)) / 4 + change[2]
        heights[half::step, half::step] = centres
        heights[::step, half::step] = top
        heights[half::step, ::step] = left
        size /= 1.4**2
    part = heights[:SIDE, :SIDE]
    return (part - heights.min()) / (heights.max() - heights.min())
