"""Scenes for the detector: MNIST digits scattered over a canvas, each with its box.

Each digit of a split is in one scene at most, and scenes of different splits share none. All
scenes are made at once: first the first digit of each, then the second, and so on.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from mnist.data.augmentation import random_affine, warp
from mnist.errors import UserError
from mnist.params import SceneParams

INK_THRESHOLD = 64  # the grey value (0..255) at which ink begins; below lies the blur around it
ATTEMPTS = 40  # places tried for a digit before it is left out


@dataclass(frozen=True)
class Scenes:
    """N scenes with M digits in all, sorted by scene."""

    images: Tensor
    """uint8 (N, side, side)"""
    boxes: Tensor
    """float (M, 4): left, top, right, bottom edge of the ink in pixels from the scene's corner"""
    labels: Tensor
    """int64 (M,): classes 0, 1, ..."""
    scene: Tensor
    """int64 (M,): the scene that each digit is in"""
    source: Tensor
    """int64 (M,): which of the given images each digit is"""

    def to(self, device: torch.device) -> "Scenes":
        return Scenes(**{name: tensor.to(device) for name, tensor in vars(self).items()})

    def digits(self) -> list[tuple[Tensor, Tensor]]:
        """Boxes (n, 4) and labels (n,) of each scene."""
        counts = torch.bincount(self.scene, minlength=len(self.images)).tolist()
        return list(zip(self.boxes.split(counts), self.labels.split(counts), strict=True))


def scene_count(images: int, limits: SceneParams) -> int:
    """Return the number of scenes that so many images are enough for.

    Raises:
        UserError: for none.
    """
    fewest, most = limits.digits_min, limits.digits_max
    if 2 * images < fewest + most:
        raise UserError(f"{images} digits are too few for a scene of {fewest} to {most}.")
    return 2 * images // (fewest + most)


def make_scenes(
    images: Tensor,
    labels: Tensor,
    limits: SceneParams,
    generator: torch.Generator,
    *,
    rotate: float = 0.0,
    shear: float = 0.0,
    number: int | None = None,
) -> Scenes:
    """Distribute the digits over scenes, in an order drawn from `generator`, and place them.

    Args:
        images, labels: uint8 (D, 28, 28) and int64 (D,), on the CPU.
        rotate, shear: as of `random_affine`.
        number: of scenes at most; None: as many as there are digits for.

    A digit that finds no place is left out, and so is an image without ink.

    Raises:
        UserError: the digits are too few for one scene, or the scene is too small for a digit.
    """
    fewest, max_count = limits.digits_min, limits.digits_max
    possible = scene_count(len(images), limits)
    number = possible if number is None else min(number, possible)
    # Each count of digits comes equally often, in a random order.
    counts = fewest + torch.arange(number) % (max_count - fewest + 1)
    counts = counts[torch.randperm(number, generator=generator)]
    order = torch.randperm(len(images), generator=generator)
    ends = counts.cumsum(0)
    # order[slots[s, k]] is the k-th digit of scene s, where there is one
    slots = (ends - counts)[:, None] + torch.arange(max_count)
    present = slots < ends[:, None]

    distortion = {"rotate": rotate, "scale": limits.scale, "shear": shear}
    margin = 2 + math.ceil(limits.scale * images.shape[-1] / 2)  # what the largest digit grows by
    tile = images.shape[-1] + 2 * margin
    if limits.side < tile:
        raise UserError(
            f"frcnn.scenes.side = {limits.side} leaves no room for the largest digit; allowed is "
            f"{tile} or more."
        )
    padded = limits.side + 2 * tile  # a digit at the edge may stick out with its blur
    canvas = torch.zeros(number, padded, padded, dtype=torch.uint8)
    boxes = torch.zeros(number, max_count, 4)
    for k in range(max_count):
        scenes = present[:, k].nonzero().flatten()
        if len(scenes) == 0:  # no scene has so many digits
            break
        digits = F.pad(images[order[slots[scenes, k]]], (margin,) * 4).unsqueeze(1).float()
        matrices = random_affine(len(digits), tile, generator, **distortion)
        tiles = warp(digits, matrices, "bilinear").round().byte().squeeze(1)
        ink = ink_boxes(tiles)
        shift, free = _find_places(ink, boxes[scenes, :k], limits, generator)
        free &= tiles.amax(dim=(1, 2)) >= INK_THRESHOLD
        present[scenes, k] = free
        boxes[scenes, k] = (ink + shift.repeat(1, 2)) * free[:, None]
        # Where a tile and the scene both have ink, the brighter pixel stays.
        x, y = (shift + tile)[free, :, None].unbind(1)
        steps = torch.arange(tile)
        where = scenes[free, None, None], (y + steps)[:, :, None], (x + steps)[:, None, :]
        canvas[where] = torch.maximum(canvas[where], tiles[free])

    chosen = order[slots[present]]
    return Scenes(
        images=canvas[:, tile:-tile, tile:-tile].contiguous(),
        boxes=boxes[present],
        labels=labels[chosen],
        scene=present.nonzero()[:, 0],
        source=chosen,
    )


def ink_boxes(tiles: Tensor) -> Tensor:
    """Return the tight box around the ink of uint8 images (N, H, W), float (N, 4) as in `Scenes`.

    An edge lies where the grey value, interpolated between the centres of neighbouring pixels,
    rises to INK_THRESHOLD. With whole pixels, one grey level could move a box by a pixel. A box is
    at least a pixel wide and high; an image without ink gets the box of all of it.
    """
    sides = []
    for profile in (tiles.amax(dim=1), tiles.amax(dim=2)):  # of columns, of rows
        width = profile.shape[1]
        low = _first_rise(profile)
        high = torch.maximum(width - _first_rise(profile.flip(1)), low + 1)
        blank = (profile < INK_THRESHOLD).all(dim=1)
        sides.append((low.where(~blank, 0.0), high.where(~blank, float(width))))
    (left, right), (top, bottom) = sides
    return torch.stack([left, top, right, bottom], dim=1)


def _first_rise(profile: Tensor) -> Tensor:
    """Where each profile (N, W) first rises to INK_THRESHOLD; pixel i has its centre at i + 0.5."""
    first = (profile >= INK_THRESHOLD).int().argmax(dim=1)
    values = F.pad(profile, (1, 0)).float()  # black lies before the first pixel
    before, after = (values.gather(1, (first + i)[:, None]).squeeze(1) for i in (0, 1))
    return first + 0.5 - (after - INK_THRESHOLD) / (after - before).clamp(min=1)


def _find_places(
    ink: Tensor, placed: Tensor, limits: SceneParams, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw places for the boxes `ink` (N, 4) that overlap little with those `placed` (N, k, 4).

    A box of zeros among those placed is none.

    Returns:
        int64 (N, 2), by how much to shift right and down; bool (N,), whether there was a place.
    """
    lowest = (-ink[:, None, :2]).ceil()
    highest = (limits.side - ink[:, None, 2:]).floor()
    draws = torch.rand(len(ink), ATTEMPTS, 2, generator=generator)
    shifts = lowest + (draws * (highest - lowest + 1)).floor()
    boxes = ink[:, None] + shifts.repeat(1, 1, 2)
    # (N, ATTEMPTS, k, 2): the sides of what two boxes share
    shared = torch.minimum(boxes[:, :, None, 2:], placed[:, None, :, 2:]) - torch.maximum(
        boxes[:, :, None, :2], placed[:, None, :, :2]
    )
    shared_area = shared.clamp(min=0).prod(dim=-1)
    areas = (placed[..., 2:] - placed[..., :2]).prod(dim=-1)
    own_area = (ink[:, 2:] - ink[:, :2]).prod(dim=-1)
    smaller = torch.minimum(areas, own_area[:, None])[:, None]
    fits = (shared_area <= limits.overlap * smaller).all(dim=-1)
    first = fits.int().argmax(dim=1)
    return shifts[torch.arange(len(ink)), first].long(), fits.any(dim=1)
