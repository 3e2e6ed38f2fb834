"""A picture of any light, size and position becomes a digit as MNIST has them."""

import io
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mnist.errors import UserError
from mnist.recognition.pictures import find_ink, open_picture, to_mnist, union_box
from tests.digits import digits


def smooth(i: int, side: int = 140) -> np.ndarray:
    """Small digit i as somebody would draw it: ink 0..1, side x side pixels and a border."""
    ink = Image.fromarray(digits()[0][i][2:26:3, 2:26:3]).resize(
        (side, side), Image.Resampling.BICUBIC
    )
    return np.pad(np.asarray(ink) / 255.0, side // 4)


def png(grey: np.ndarray, **options: Any) -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray((grey * 255).astype(np.uint8)).save(file, "PNG", **options)
    return file


def as_mnist(picture: io.BytesIO) -> np.ndarray:
    grey, _ = open_picture(picture.getvalue(), "test")
    ink, boxes = find_ink(grey, "test")
    return to_mnist(ink, union_box(boxes))


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Mean difference of two images relative to their mean, after the best shift by a pixel."""
    ink = (a.mean() + b.mean()) / 2
    shifts = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    return min(np.abs(np.roll(a, s, (0, 1)).astype(float) - b).mean() / ink for s in shifts)


@settings(max_examples=25)
@given(st.integers(0, 300))
def test_a_digit_fills_the_box_and_is_centred_by_mass(i: int) -> None:
    image = as_mnist(png(1 - smooth(i)))
    assert image.shape == (28, 28)
    assert image.dtype == np.uint8
    rows, columns = (np.flatnonzero((image > 0).any(axis=axis)) for axis in (1, 0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 in (19, 20)
    assert image.max() == 255
    for axis in (0, 1):
        positions = np.arange(28) + 0.5
        centre = (image.sum(axis=1 - axis) * positions).sum() / image.sum()
        border = image.take([0, 27], axis=axis)
        assert 14 <= centre < 15 or border.any()


@pytest.mark.parametrize("i", [2, 4, 7])
def test_shade_size_place_and_light_make_no_difference(i: int) -> None:
    ink = smooth(i)
    plain = as_mnist(png(1 - ink))
    assert difference(as_mnist(png(ink)), plain) < 0.02  # light on dark
    moved = np.pad(ink, ((200, 20), (30, 300)))
    assert difference(as_mnist(png(1 - moved)), plain) < 0.25
    faint = 0.8 - 0.4 * ink
    assert difference(as_mnist(png(faint)), plain) < 0.1
    shadow = (1 - 0.8 * ink) * np.linspace(0.55, 1, ink.shape[1])
    assert difference(as_mnist(png(shadow)), plain) < 0.25
    large = Image.fromarray(((1 - ink) * 255).astype(np.uint8)).resize((2500, 2500))
    file = io.BytesIO()
    large.save(file, "JPEG")
    assert difference(as_mnist(file), plain) < 0.25


def test_the_orientation_of_a_camera_is_applied() -> None:
    upright = 1 - smooth(2)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    turned = png(np.rot90(upright), exif=exif)
    assert difference(as_mnist(turned), as_mnist(png(upright))) < 0.02


@pytest.mark.parametrize("dark", [True, False])
def test_transparent_pixels_are_paper(dark: bool) -> None:
    ink = smooth(4)
    shade = np.zeros_like(ink) if dark else np.ones_like(ink)
    rgba = np.stack([shade, shade, shade, ink], axis=-1)
    file = io.BytesIO()
    Image.fromarray((rgba * 255).astype(np.uint8)).save(file, "PNG")
    assert difference(as_mnist(file), as_mnist(png(1 - ink))) < 0.05


@pytest.mark.parametrize("mode", ["1", "P", "RGB", "CMYK", "LA"])
def test_any_kind_of_pixel_is_read(mode: str) -> None:
    file = io.BytesIO()
    grey = Image.fromarray(((1 - smooth(5)) * 255).astype(np.uint8))
    grey.convert(mode).save(file, "TIFF" if mode == "CMYK" else "PNG")
    assert difference(as_mnist(file), as_mnist(png(1 - smooth(5)))) < 0.2


DEPTHS = "float16/1 float64/1 float32/1 float32/255 uint16/4095 uint16/65535 >u2/65535"


@pytest.mark.parametrize("depth", DEPTHS.split())
def test_values_of_many_bits_are_scaled_by_their_range(depth: str) -> None:
    dtype, white = depth.split("/")[0], int(depth.split("/")[1])
    grey = 0.9 - 0.8 * smooth(5)
    file = io.BytesIO()
    tifffile.imwrite(file, (grey * white).astype(dtype), byteorder=">" if dtype[0] == ">" else "<")
    read, _ = open_picture(file.getvalue(), "test")
    np.testing.assert_allclose(read, grey, atol=0.01)
    faint = io.BytesIO()  # paper with grain, but no ink
    grain = 0.9 + 0.02 * np.random.default_rng(0).random((50, 60))
    tifffile.imwrite(faint, (grain * white).astype(dtype))
    with pytest.raises(UserError, match="test is blank"):
        as_mnist(faint)


def test_floats_in_colour_are_read() -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, np.stack([1 - smooth(5)] * 3, axis=-1), photometric="rgb")
    assert difference(as_mnist(file), as_mnist(png(1 - smooth(5)))) < 0.02


def test_a_known_format_that_is_not_read_is_named() -> None:
    heic, svg = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", b'<?xml version="1.0"?>\n<svg/>'
    for kind, content in (("HEIC", heic), ("SVG", svg), ("PDF", b"%PDF-1.7\n")):
        with pytest.raises(UserError, match=f"test is a {kind} file: not read; save it as PNG"):
            open_picture(content, "test")


def test_several_digits_are_found_from_left_to_right_without_dirt() -> None:
    page = np.zeros((300, 900))
    for left, i in ((40, 0), (330, 1), (620, 2)):
        digit = smooth(i)
        page[40 : 40 + len(digit), left : left + len(digit)] = digit
    page[280:284, 450:454] = 1  # dirt
    ink, boxes = find_ink(1 - page, "test")
    for box, i in zip(boxes, range(3), strict=True):
        assert difference(to_mnist(ink, box), as_mnist(png(1 - smooth(i)))) < 0.25


def test_a_texture_is_not_taken_for_digits() -> None:
    page = np.zeros((400, 400))
    page[10::20, 10::20] = page[11::20, 10::20] = page[10::20, 11::20] = page[11::20, 11::20] = 1
    with pytest.raises(UserError, match="separate marks; crop it to the digits"):
        find_ink(1 - page, "test")


def test_a_bar_above_the_rest_belongs_to_its_digit() -> None:
    page = np.zeros((200, 200))
    page[40:50, 80:130] = 1  # the bar of a 5
    page[60:160, 80:92] = 1
    _, (box,) = find_ink(1 - page, "test")
    assert box == pytest.approx((80, 40, 130, 160), abs=2)


def test_slanted_neighbours_stay_two_digits() -> None:
    page = np.zeros((200, 200))
    for row in range(40, 160):  # two strokes like //, of which one leans over the other
        for left in (40, 80):
            page[row, left + (160 - row) // 2 : left + (160 - row) // 2 + 8] = 1
    _, (first, second) = find_ink(1 - page, "test")
    assert second[0] < first[2]


@pytest.mark.parametrize("shade", [0.0, 0.5, 1.0])
def test_a_blank_picture_is_refused(shade: float) -> None:
    with pytest.raises(UserError, match="test is blank"):
        as_mnist(png(np.full((50, 60), shade)))


@settings(max_examples=30)
@given(st.binary(max_size=200))
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(UserError, match="test is (damaged|blank|a (HEIC|SVG|PDF))"):
        as_mnist(io.BytesIO(content))
