"""From a picture of handwriting to what MNIST would have made of it.

MNIST's digits were scaled into a box of 20x20 pixels, their aspect kept, and laid into 28x28 with
their centre of mass in the middle; ink is bright on black (LeCun et al., 1998). A network that has
seen nothing else misreads a photo as it comes: dark on light, squashed, off centre.
"""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from scipy import ndimage
from skimage.filters import threshold_otsu

from mnist.errors import UserError

SIDE, BOX = 28, 20
LARGEST = 1600  # pixels a side; what is larger is reduced before it is looked at
LEAST_CONTRAST = 0.15  # of ink to paper, both 0..1
MOST_DIGITS = 100
SPECK = 0.2  # what is smaller than this share of the largest digit is dirt

Box = tuple[int, int, int, int]
"""left, top, right, bottom in pixels; the last two are not included"""


@dataclass(frozen=True)
class Handwriting:
    """A picture with the paper taken away."""

    ink: np.ndarray
    """float32 (H, W), from 0, paper, to 1, the darkest ink"""
    digits: list[Box]
    """where there is something written, from left to right"""


def open_picture(content: bytes, name: str) -> tuple[np.ndarray, float]:
    """Decode a picture of any size and format.

    A camera's orientation is heeded, and transparency is taken for paper.

    Returns:
        Grey values 0..1, (H, W), at most LARGEST a side, and by how much it was reduced for that:
        its size against the picture's, at most 1.

    Raises:
        UserError: it is no picture, or is damaged.
    """
    try:
        with Image.open(io.BytesIO(content)) as picture:
            upright = ImageOps.exif_transpose(picture)
            if upright.mode.startswith("I"):  # more than 8 bits a pixel
                deep = np.asarray(upright, dtype=np.float32)
                scaled = deep * (255 / max(float(deep.max()), 1))
                upright = Image.fromarray(scaled.astype(np.uint8))
            upright = upright.convert("RGBA")
    except UnidentifiedImageError:
        raise UserError(f"{name} is no picture, or of a kind that Pillow cannot read.") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{name} cannot be read as a picture: {error}") from None
    width = upright.width
    upright.thumbnail((LARGEST, LARGEST))
    seen = np.asarray(upright.convert("RGB").convert("L"), dtype=np.float32) / 255
    cover = np.asarray(upright.getchannel("A"), dtype=np.float32) / 255
    # Transparent is paper, and paper is of the other shade than what is drawn on it.
    drawn_light = cover.min() < 1 and (seen * cover).sum() > cover.sum() / 2
    return seen * cover + (1 - cover) * (0.0 if drawn_light else 1.0), upright.width / width


def find_ink(grey: np.ndarray, name: str) -> Handwriting:
    """Tell ink from paper in grey values 0..1 (H, W), dark on light or light on dark.

    Paper is what most of the border is; light that falls off over the page is evened out.

    Raises:
        UserError: nothing stands out, or too much for digits.
    """
    grey = ndimage.gaussian_filter(grey, max(grey.shape) / 400)  # the grain of paper and camera
    if np.ptp(grey) < LEAST_CONTRAST:
        raise UserError(f"{name} is blank: nothing in it stands out from the background.")
    rim = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    on_light = np.median(rim) > (grey.min() + grey.max()) / 2
    dark = grey if on_light else 1 - grey
    # Light that is half as bright makes paper and ink half as bright: their ratio stays.
    ink = (1 - dark / _paper(dark).clip(0.05)).clip(0, 1)
    if ink.max() < LEAST_CONTRAST:
        raise UserError(f"{name} is blank: nothing in it stands out from the background.")
    ink = (ink / np.quantile(ink[ink >= ink.max() / 2], 0.5)).clip(0, 1)
    strokes = ink > threshold_otsu(ink)
    near = ndimage.binary_dilation(strokes, iterations=1 + max(grey.shape) // 100)
    ink = np.where(near, ink, 0).astype(np.float32)  # grain of the paper away from strokes
    digits = find_digits(strokes)
    if len(digits) > MOST_DIGITS:
        raise UserError(f"{name} shows {len(digits)} separate marks; crop it to the digits.")
    return Handwriting(ink, digits)


def find_digits(strokes: np.ndarray) -> list[Box]:
    """Box in what is written, bool (H, W), digit by digit, from left to right.

    Parts of which one lies mostly over the other, as the bar of a 5 does, are one digit.
    """
    gap = max(1, max(strokes.shape) // 100)
    joined, _ = ndimage.label(ndimage.binary_dilation(strokes, iterations=gap))
    boxes: list[Box] = []
    for rows, columns in ndimage.find_objects(joined * strokes):
        boxes.append((columns.start, rows.start, columns.stop, rows.stop))
    largest = max(max(right - left, bottom - top) for left, top, right, bottom in boxes)
    boxes = [b for b in boxes if max(b[2] - b[0], b[3] - b[1]) >= SPECK * largest]
    digits: list[Box] = []
    for box in sorted(boxes, key=lambda b: b[0]):
        partner = next((other for other in digits if _one_digit(box, other)), None)
        if partner:
            digits.remove(partner)
            box = union_box([box, partner])
        digits.append(box)
    return sorted(digits)


def union_box(boxes: Sequence[Box]) -> Box:
    """The box around all of them."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def to_mnist(ink: np.ndarray, box: Box) -> np.ndarray:
    """Make of the ink in `box` the digit that MNIST would have made: uint8 (28, 28).

    Args:
        ink: float32 (H, W) in 0..1.
    """
    left, top, right, bottom = box
    longest = max(right - left, bottom - top)
    sides = (right - left, bottom - top)
    width, height = (max(1, math.floor(BOX * side / longest + 0.5)) for side in sides)
    cut = Image.fromarray(ink[top:bottom, left:right])
    digit = np.asarray(cut.resize((width, height), Image.Resampling.BILINEAR))
    digit = digit / max(float(digit.max()), 1e-6)
    image = np.zeros((SIDE, SIDE), dtype=np.float32)
    mass = digit.sum()
    # The corner goes where the centre of mass comes to the middle, rounded as MNIST's was: in all
    # of its digits it lies from 14.0 to 15.0 pixels from the edge. Never over the rim.
    corner = []
    for axis, extent in ((1, height), (0, width)):
        centre = float((digit.sum(axis=axis) * (np.arange(extent) + 0.5)).sum() / mass)
        corner.append(min(max(math.ceil(SIDE / 2 - centre), 0), SIDE - extent))
    top, left = corner
    image[top : top + height, left : left + width] = digit
    return np.floor(image * 255 + 0.5).astype(np.uint8)


def _paper(dark: np.ndarray) -> np.ndarray:
    """What the page would be without strokes: closing wipes out what is dark and narrow."""
    height, width = dark.shape
    step = max(1, max(height, width) // 64)  # light falls off slowly: a coarse look is enough
    coarse = ndimage.minimum_filter(dark, step)[::step, ::step]
    paper = ndimage.grey_closing(coarse, size=max(3, min(coarse.shape) // 2 + 1))
    paper = ndimage.gaussian_filter(paper, 1)
    picture = Image.fromarray(paper.astype(np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def _one_digit(a: Box, b: Box) -> bool:
    """Whether two boxes share most of the narrower one's width and lie close above each other."""
    shared = min(a[2], b[2]) - max(a[0], b[0])
    narrower = min(a[2] - a[0], b[2] - b[0])
    apart = max(a[1], b[1]) - min(a[3], b[3])
    higher = max(a[3] - a[1], b[3] - b[1])
    return shared > 0.5 * narrower and apart < 0.25 * higher
