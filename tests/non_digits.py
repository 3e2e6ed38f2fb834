"""Pictures that are no digits, prepared as MNIST's: the limits in mnist/evaluation are chosen with
them.

`python -m tests.non_digits` prints the share of each kind that each trained model calls unlike its
digits, and that of the validation digits: the table of docs/predict.md.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.interpolate import CubicSpline

from mnist.recognition.pictures import to_mnist

SIDE = 200  # pixels of the paper
LETTERS = "AEFHKMNRTVWXY"  # the others look like a digit, at least turned
PER_KIND = 200


def scribble(random: np.random.Generator) -> np.ndarray:
    """One long, smooth stroke with many turns."""
    return _strokes(random, strokes=1, points=int(random.integers(8, 16)))


def strokes(random: np.random.Generator) -> np.ndarray:
    """Some bent strokes across each other."""
    return _strokes(random, strokes=int(random.integers(3, 6)), points=3)


def letter(random: np.random.Generator) -> np.ndarray:
    """A printed letter, light or bold, turned a little."""
    paper = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(paper).text(
        (SIDE / 2, SIDE / 2),
        random.choice(list(LETTERS)),
        fill=255,
        font=ImageFont.load_default(140),
        anchor="mm",
        stroke_width=int(random.integers(0, 5)),
    )
    return _prepare(paper.rotate(random.uniform(-15, 15), Image.Resampling.BILINEAR))


def cross(random: np.random.Generator) -> np.ndarray:
    """A large X of two straight strokes."""
    corners = np.array([[[40, 40], [160, 160]], [[160, 40], [40, 160]]])
    return _draw(random, list(corners + random.uniform(-18, 18, corners.shape)))


def dash(random: np.random.Generator) -> np.ndarray:
    """A straight stroke, more or less level."""
    angle, half = np.radians(random.uniform(-25, 25)), random.uniform(20, 70)
    end = half * np.array([np.cos(angle), np.sin(angle)])
    return _draw(random, [np.stack([SIDE / 2 - end, SIDE / 2 + end])])


def dot(random: np.random.Generator) -> np.ndarray:
    """A disc or a flat ellipse."""
    paper = Image.new("L", (SIDE, SIDE))
    width = random.uniform(6, 60)
    height = width * random.uniform(0.6, 1)
    box = (SIDE / 2 - width, SIDE / 2 - height, SIDE / 2 + width, SIDE / 2 + height)
    ImageDraw.Draw(paper).ellipse(box, fill=255)
    return _prepare(paper)


def noise(random: np.random.Generator) -> np.ndarray:
    """A square of independent pixels, grey or black and white."""
    side = int(random.integers(10, 60))
    ink = random.random((side, side), dtype=np.float32)
    if random.random() < 0.5:
        ink = (ink > random.uniform(0.3, 0.7)).astype(np.float32)
    return to_mnist(ink, (0, 0, side, side))


KINDS: tuple[Callable[[np.random.Generator], np.ndarray], ...] = (
    scribble, strokes, letter, cross, dash, dot, noise
)  # fmt: skip


def non_digits(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Return uint8 (count, 28, 28) of each kind, by name."""
    return {
        kind.__name__: np.stack([kind(np.random.default_rng([seed, i])) for i in range(count)])
        for kind in KINDS
    }


def _strokes(random: np.random.Generator, strokes: int, points: int) -> np.ndarray:
    """Draw smooth curves through random points."""
    places, fine = np.arange(points), np.linspace(0, points - 1, 12 * points)
    curves = [
        CubicSpline(places, random.uniform(20, SIDE - 20, (points, 2))) for _ in range(strokes)
    ]
    return _draw(random, [curve(fine) for curve in curves])


def _draw(random: np.random.Generator, lines: list[np.ndarray]) -> np.ndarray:
    """Draw lines, (points, 2) each, with a round pen as thick as those of MNIST's writers."""
    paper, pen = Image.new("L", (SIDE, SIDE)), int(random.integers(10, 24))
    draw = ImageDraw.Draw(paper)
    for line in lines:
        draw.line([(x, y) for x, y in line.tolist()], fill=255, width=pen, joint="curve")
        for x, y in (line[0], line[-1]):
            draw.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=255)
    return _prepare(paper)


def _prepare(paper: Image.Image) -> np.ndarray:
    ink = np.asarray(paper, dtype=np.float32) / 255
    rows, columns = np.nonzero(ink > 0.5)
    return to_mnist(ink, (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))


def main() -> None:
    from pathlib import Path

    import torch

    from mnist.data.arrays import load_arrays
    from mnist.evaluation.calibration import fit_temperature
    from mnist.evaluation.out_of_distribution import choose_limits, is_unlike
    from mnist.evaluation.predictions import predict
    from mnist.models import registry
    from mnist.params import load_params

    pictures = non_digits(PER_KIND)
    print("| model |", " | ".join([*pictures, "validation digits"]), "|")
    print("|" + "---|" * (2 + len(pictures)))
    digits, labels = load_arrays(Path("data/mnist/validation.npz"), torch.device("cpu"))
    for name in load_params().models:
        model = registry.load(name, Path(f"models/{name}.safetensors"))
        logits = predict(model, digits, 100).logits
        temperature = fit_temperature(logits, labels.numpy())
        limits = choose_limits(digits.numpy(), logits, temperature)
        shares = [
            is_unlike(images, predict(model, torch.from_numpy(images), 100).logits, limits).mean()
            for images in pictures.values()
        ]
        shares.append(is_unlike(digits.numpy(), logits, limits).mean())
        print(f"| {name} |", " | ".join(f"{share:.1%}" for share in shares), "|", flush=True)


if __name__ == "__main__":
    main()
