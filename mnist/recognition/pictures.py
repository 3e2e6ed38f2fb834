"""Turn a picture of handwriting into 28x28 pixels as MNIST has them.

MNIST's digits were scaled into a box of 20x20 pixels with their aspect ratio kept, then placed in
28x28 pixels with their centre of mass in the middle; ink is bright on black (LeCun et al., 1998).
A network trained on them misreads a photo that is dark on light, squashed or off centre.
"""

import io
import math
from collections.abc import Sequence

import numpy as np
import tifffile
from PIL import Image, ImageOps, UnidentifiedImageError
from scipy import ndimage
from skimage.filters import threshold_otsu

from mnist.errors import UserError

SIDE, BOX = 28, 20
MAX_SIDE = 1600  # pixels; a larger picture is reduced first
MIN_CONTRAST = 0.15  # between ink and paper, both 0..1
MAX_DIGITS = 100
MIN_SIZE = 0.2  # relative to the largest digit; what is smaller is dirt
UNREAD = {"HEIC": b"heic", "SVG": b"<svg", "PDF": b"%PDF"}  # what their beginning has
RANGES = (1, 255, 4095, 65535)  # white, in floats and in 8, 12 and 16 bits

Box = tuple[int, int, int, int]
"""left, top, right, bottom in pixels; right and bottom are the first pixels outside"""


def open_picture(content: bytes, name: str) -> tuple[np.ndarray, float]:
    """Decode a picture of any size; raises UserError where it is damaged or of a format not read.

    The orientation that a camera notes (EXIF) is applied. Transparent pixels become paper.

    Returns:
        float32 (H, W) grey values in 0..1, at most MAX_SIDE a side, and the factor, at most 1, by
        which the picture was reduced for that.
    """
    try:
        upright = _decode(content)
    except Exception:  # Pillow and tifffile raise many kinds for damaged files
        known = (kind for kind, mark in UNREAD.items() if mark in content[:1000])
        what = f"a {kind} file" if (kind := next(known, "")) else "damaged, too large or no picture"
        raise UserError(f"{name} is {what}: not read; save it as PNG or JPEG.") from None
    width = upright.width
    upright.thumbnail((MAX_SIDE, MAX_SIDE))
    shade = np.asarray(upright.convert("RGB").convert("L"), dtype=np.float32) / 255
    alpha = np.asarray(upright.getchannel("A"), dtype=np.float32) / 255
    # Paper is light where the drawing is dark, and dark where it is light.
    drawn_light = alpha.min() < 1 and (shade * alpha).sum() > alpha.sum() / 2
    return shade * alpha + (1 - alpha) * (0.0 if drawn_light else 1.0), upright.width / width


def _decode(content: bytes) -> Image.Image:
    """Decode a file into 8-bit RGBA."""
    try:
        with Image.open(io.BytesIO(content)) as picture:
            upright = ImageOps.exif_transpose(picture)
            if upright.mode[0] in "IF":  # integers of more than 8 bits, or floats
                upright = _to_8_bits(np.asarray(upright))
            return upright.convert("RGBA")
    except UnidentifiedImageError:
        # Pillow does not read all TIFF files of floats that scikit-image writes.
        return _to_8_bits(tifffile.imread(io.BytesIO(content), key=0)).convert("RGBA")


def _to_8_bits(values: np.ndarray) -> Image.Image:
    """Scale integers or floats, (H, W) or (H, W, 3), to 0..255 by the range that they come from."""
    values = np.nan_to_num(values.astype(np.float64))
    values -= min(values.min(), 0)
    largest = values.max()
    top = next((top for top in RANGES if largest <= top), largest)
    return Image.fromarray((values * (255 / top)).astype(np.uint8))


def find_ink(grey: np.ndarray, name: str) -> tuple[np.ndarray, list[Box]]:
    """Separate ink from paper in grey values 0..1 (H, W), dark on light or light on dark.

    The shade of most of the border is the paper. Uneven light is corrected. Strokes are found by
    Otsu's threshold (Otsu, 1979); what is far from them is removed.

    Returns:
        The ink, float32 (H, W) from 0 (paper) to 1 (most of a stroke), and the box of each digit,
        from left to right.

    Raises:
        UserError: there is no ink, or there are more than MAX_DIGITS marks.
    """
    # Smooth the grain of paper and camera.
    grey = ndimage.gaussian_filter(grey, max(grey.shape) / 400)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    on_light = np.median(border) > (grey.min() + grey.max()) / 2
    dark = grey if on_light else 1 - grey
    # Half the light makes both paper and ink half as bright: their ratio stays.
    ink = (1 - dark / _paper(dark).clip(0.05)).clip(0, 1)
    if min(np.ptp(grey), ink.max()) < MIN_CONTRAST:
        raise UserError(f"{name} is blank: nothing in it stands out from the background.")
    # MNIST's strokes are mostly full ink.
    ink = (ink / np.median(ink[ink >= ink.max() / 2])).clip(0, 1)
    strokes = ink > threshold_otsu(ink)
    near = ndimage.binary_dilation(strokes, iterations=1 + max(ink.shape) // 100)
    digits = find_digits(strokes)
    if len(digits) > MAX_DIGITS:
        raise UserError(f"{name} shows {len(digits)} separate marks; crop it to the digits.")
    return np.where(near, ink, 0).astype(np.float32), digits


def find_digits(strokes: np.ndarray) -> list[Box]:
    """Find the box of each digit in strokes, bool (H, W), from left to right.

    Two parts of which one lies above the other, as the bar of a 5, are one digit.
    """
    gap = max(1, max(strokes.shape) // 100)
    labels, _ = ndimage.label(ndimage.binary_dilation(strokes, iterations=gap))
    objects = ndimage.find_objects(labels * strokes)
    boxes: list[Box] = [(x.start, y.start, x.stop, y.stop) for y, x in objects]
    largest = max(max(right - left, bottom - top) for left, top, right, bottom in boxes)
    boxes = [b for b in boxes if max(b[2] - b[0], b[3] - b[1]) >= MIN_SIZE * largest]
    digits: list[Box] = []
    for box in sorted(boxes, key=lambda b: b[0]):
        partner = next((other for other in digits if _one_digit(box, other)), None)
        if partner:
            digits.remove(partner)
            box = union_box([box, partner])
        digits.append(box)
    return sorted(digits)


def union_box(boxes: Sequence[Box]) -> Box:
    """Return the smallest box that contains all `boxes`."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def to_mnist(ink: np.ndarray, box: tuple[float, ...]) -> np.ndarray:
    """Turn the ink, float32 (H, W) in 0..1, in `box` into a digit as MNIST has them.

    A detector's box may lie partly outside. Returns uint8 (28, 28), all 0 where there is no ink.
    """
    left, top = (max(0, math.floor(edge)) for edge in box[:2])
    right, bottom = (max(0, math.ceil(edge)) for edge in box[2:])
    cut = ink[top:bottom, left:right]
    image = np.zeros((SIDE, SIDE), dtype=np.float32)
    if cut.any():
        longest = max(cut.shape)
        height, width = (max(1, math.floor(BOX * side / longest + 0.5)) for side in cut.shape)
        resized = Image.fromarray(cut).resize((width, height), Image.Resampling.BILINEAR)
        digit = np.asarray(resized)
        # The centre of mass comes to the middle, rounded as in MNIST, where it lies 14.0 to 15.0
        # pixels from the edge in every digit. The digit stays inside the image.
        corner = np.ceil(SIDE / 2 - 0.5 - np.array(ndimage.center_of_mass(digit))).astype(int)
        top, left = corner.clip(0, SIDE - np.array(digit.shape))
        image[top : top + height, left : left + width] = digit / digit.max()
    return np.floor(image * 255 + 0.5).astype(np.uint8)


def _paper(dark: np.ndarray) -> np.ndarray:
    """Estimate the page without strokes: grey closing removes what is dark and narrow."""
    height, width = dark.shape
    step = max(1, max(height, width) // 64)  # light changes slowly: a coarse grid is enough
    coarse = ndimage.minimum_filter(dark, step)[::step, ::step]
    paper = ndimage.grey_closing(coarse, size=max(3, min(coarse.shape) // 2 + 1))
    paper = ndimage.gaussian_filter(paper, 1)
    picture = Image.fromarray(paper.astype(np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def _one_digit(a: Box, b: Box) -> bool:
    """Whether two boxes are parts of one digit: one above the other with a small gap."""
    overlap = min(a[2], b[2]) - max(a[0], b[0])
    narrower = min(a[2] - a[0], b[2] - b[0])
    gap = max(a[1], b[1]) - min(a[3], b[3])
    higher = max(a[3] - a[1], b[3] - b[1])
    return overlap > 0.5 * narrower and gap < 0.25 * higher
