"""Measure which share of pictures without a digit each trained model calls unlike a digit.

`python -m docs.non_digits` prints the table of docs/predict.md.
"""

from pathlib import Path

import mnist  # noqa: F401 (sets the environment before torch and NumPy are imported)

# isort: split
import numpy as np
import torch
from mnist.evaluation.predictions import predict
from PIL import Image, ImageDraw, ImageFont
from scipy.special import softmax

from mnist.models import registry
from mnist.params import load_params
from mnist.recognition.pictures import to_mnist
from mnist.recognition.recognize import read_calibration

KINDS = ("scribble", "letter", "cross", "dot", "noise")
PICTURES, SIDE = 200, 200  # of each kind; pixels of the paper


def make_picture(kind: str, random: np.random.Generator) -> np.ndarray:
    """Draw one picture and scale it as MNIST's digits: uint8 (28, 28)."""
    paper, pen = Image.new("L", (SIDE, SIDE)), int(random.integers(10, 24))
    draw = ImageDraw.Draw(paper)
    if kind == "scribble":
        points = random.uniform(20, SIDE - 20, (int(random.integers(8, 16)), 2))
        draw.line([(x, y) for x, y in points.tolist()], fill=255, width=pen, joint="curve")
    elif kind == "letter":
        letter = random.choice(list("AEFHKMNRTVWXY"))  # the others look like a digit
        font = ImageFont.load_default(140)
        draw.text((SIDE / 2, SIDE / 2), letter, fill=255, font=font, anchor="mm")
        paper = paper.rotate(random.uniform(-15, 15), Image.Resampling.BILINEAR)
    elif kind == "cross":
        for ends in ([40, 40, 160, 160], [160, 40, 40, 160]):
            draw.line((ends + random.uniform(-18, 18, 4)).tolist(), fill=255, width=pen)
    elif kind == "dot":
        draw.ellipse((40, 40, 160, 160 - random.uniform(0, 50)), fill=255)
    else:  # grey pixels, independent of each other
        paper = Image.fromarray(random.integers(0, 256, (SIDE // pen,) * 2).astype(np.uint8))
    return to_mnist(np.asarray(paper, dtype=np.float32) / 255, paper.getbbox() or (0, 0, 1, 1))


def main() -> None:
    """Print a row per model."""
    random = np.random.default_rng(0)
    pictures = [np.stack([make_picture(kind, random) for _ in range(PICTURES)]) for kind in KINDS]
    print("| model |", " | ".join(KINDS), "|\n|" + "---|" * (1 + len(KINDS)))
    for name in load_params().models:
        model = registry.load(name, Path(f"models/{name}.safetensors"))
        temperature, limit = read_calibration(Path(f"metrics/details/{name}.json"))
        shares = []
        for images in pictures:
            logits = predict(model, torch.from_numpy(images), batch_size=100).logits
            confidence = softmax(logits / temperature, axis=1).max(axis=1)
            shares.append(f"{(confidence < limit).mean():.0%}")
        print(f"| {name} |", " | ".join(shares), "|", flush=True)


if __name__ == "__main__":
    main()
