"""Fifteen corruptions of digits, after MNIST-C (Mu & Gilmer, 2019).

The kinds are those of MNIST-C, but the code and the strengths differ. So accuracies measured here
can be compared with each other, but not with those published for MNIST-C.
"""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from scipy import ndimage
from skimage import draw, feature

Image = np.ndarray
"""float (28, 28), 0 (background) to 1 (ink)"""


def corrupt(images: np.ndarray, kind: str, seed: int) -> np.ndarray:
    """Corrupt each image; the random numbers depend on `seed` and `kind` only.

    Args:
        images: uint8 (N, 28, 28).
        kind: a key of `CORRUPTIONS`.

    Returns:
        A new array of the same shape and type.
    """
    random = np.random.default_rng([seed, list(CORRUPTIONS).index(kind)])
    distorted = np.stack([CORRUPTIONS[kind](image / 255, random) for image in images])
    return np.rint(distorted.clip(0, 1) * 255).astype(np.uint8)


def shot_noise(image: Image, random: Generator) -> Image:
    """Too little light: each pixel counts a few photons, six where it is white."""
    photons = 6
    return random.poisson(image * photons) / photons


def impulse_noise(image: Image, random: Generator) -> Image:
    """A fifth of the pixels are black or white."""
    hit = random.random(image.shape) < 0.2
    return np.where(hit, random.integers(0, 2, image.shape), image)


def glass_blur(image: Image, random: Generator) -> Image:
    """Frosted glass: each pixel is taken from up to two pixels away, then all are blurred."""
    sources = np.indices(image.shape)
    sources = (sources + random.integers(-2, 3, sources.shape)).clip(0, len(image) - 1)
    return ndimage.gaussian_filter(image[tuple(sources)], 0.6)


def motion_blur(image: Image, random: Generator) -> Image:
    """The camera moved along a line of nine pixels."""
    angle = random.uniform(0, np.pi)
    along = np.linspace(-4, 4, 17)
    shifts = zip(along * np.sin(angle), along * np.cos(angle), strict=True)
    return np.mean([ndimage.shift(image, shift, order=1) for shift in shifts], axis=0)


def shear(image: Image, random: Generator) -> Image:
    """Slanted by 31 degrees to the left or to the right."""
    slant = random.choice([-0.6, 0.6])
    return _transform(image, [[1, 0], [slant, 1]])


def scale(image: Image, random: Generator) -> Image:
    """Shrunk to 55 %, or enlarged to 150 % and cut at the edges."""
    return _transform(image, np.eye(2) / random.choice([0.55, 1.5]))


def rotate(image: Image, random: Generator) -> Image:
    """Rotated by 30 to 45 degrees to the left or to the right."""
    angle = np.deg2rad(random.uniform(30, 45)) * random.choice([-1, 1])
    return _transform(image, [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def brightness(image: Image, random: Generator) -> Image:
    """The background is grey."""
    return image + random.uniform(0.4, 0.7)


def translate(image: Image, random: Generator) -> Image:
    """Moved by four to six pixels along both axes; a digit loses its edge at most."""
    return ndimage.shift(image, random.integers(4, 7, 2) * random.choice([-1, 1], 2), order=0)


def stripe(image: Image, random: Generator) -> Image:
    """Seven neighbouring columns, a quarter of the image, are inverted."""
    left, result = random.integers(3, 19), image.copy()
    result[:, left : left + 7] = 1 - result[:, left : left + 7]
    return result


def fog(image: Image, random: Generator) -> Image:
    """Bright clouds lie over the digit."""
    clouds = np.sum([_cloud(random, size) * size for size in (1, 2, 4, 8)], axis=0)
    clouds = (clouds - clouds.min()) / np.ptp(clouds)
    return 0.65 * image + 0.6 * clouds


def spatter(image: Image, random: Generator) -> Image:
    """Bright drops cover 12 % of the image."""
    drops = _cloud(random, 1.5)
    return np.where(drops > np.quantile(drops, 0.88), random.uniform(0.5, 1), image)


def dotted_line(image: Image, random: Generator) -> Image:
    """A dotted line runs from the left to the right."""
    (top, bottom), result = random.integers(3, 25, 2), image.copy()
    rows, columns = draw.line(top, 1, bottom, 26)
    dots = np.arange(len(rows)) % 4 < 2
    result[rows[dots], columns[dots]] = 1
    return result


def zigzag(image: Image, random: Generator) -> Image:
    """A zigzag line runs from the left to the right."""
    middle, result = random.integers(6, 22), image.copy()
    corners = np.linspace(1, 26, 8).astype(int)
    heights = middle + 3 * np.resize([-1, 1], len(corners))
    for i in range(len(corners) - 1):
        line = draw.line(heights[i], corners[i], heights[i + 1], corners[i + 1])
        result[line] = 1
    return result


def canny_edges(image: Image, random: Generator) -> Image:
    """Only the outline is left (Canny, 1986)."""
    return feature.canny(image, sigma=1).astype(float)


CORRUPTIONS: dict[str, Callable[[Image, Generator], Image]] = {
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


def _transform(image: Image, matrix: np.ndarray | list[list[float]]) -> Image:
    """Resample: position p, (row, column) from the centre, takes its value from matrix @ p."""
    centre = (np.array(image.shape) - 1) / 2
    return ndimage.affine_transform(image, matrix, centre - np.asarray(matrix) @ centre, order=1)


def _cloud(random: Generator, size: float) -> Image:
    """Smooth noise with spots of `size` pixels, mean about 0 and standard deviation 1."""
    noise = ndimage.gaussian_filter(random.standard_normal((28, 28)), size, mode="wrap")
    return noise / noise.std()
