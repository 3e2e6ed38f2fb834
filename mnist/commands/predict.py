"""Command, no stage: read pictures of handwritten digits with the trained models.

Any PNG, JPEG or other picture that Pillow reads: dark on light or light on dark, of any size, with
one digit or several. A folder stands for the pictures in it, - for one from standard input.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from mnist.device import set_up
from mnist.errors import UserError, run
from mnist.models.registry import load
from mnist.params import load_params
from mnist.pipeline import models as all_models
from mnist.recognition.recognize import Reading, read
from mnist.reporting.results import TITLES

DRAWN = (".png", ".jpg", ".pdf", ".svg")
UNREADABLE = 2  # exit code when a picture could not be read; the others are answered all the same


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m mnist.commands.predict", description=__doc__)
    parser.add_argument("pictures", nargs="+", metavar="PICTURE")
    parser.add_argument(
        "--models", nargs="+", default=all_models(), choices=all_models(), metavar="MODEL"
    )
    parser.add_argument("--json", action="store_true", help="write JSON for machines")
    parser.add_argument("--show", type=Path, metavar="FILE.png", help="draw what the models saw")
    arguments = parser.parse_args()
    if arguments.show and arguments.show.suffix not in DRAWN:
        parser.error(f"--show takes a file that ends in {', '.join(DRAWN)}")
    device = set_up(load_params().runtime)
    networks = {n: load(n, Path(f"models/{n}.safetensors")).to(device) for n in arguments.models}

    readings: list[tuple[str, Reading]] = []
    answers: list[dict[str, Any]] = []
    for name in _named(arguments.pictures):
        try:
            reading = read(_content(name), name, networks, device)
        except UserError as error:
            print(f"predict: {error}", file=sys.stderr)
            answers.append({"picture": name, "error": str(error)})
            continue
        readings.append((name, reading))
        answers.append({"picture": name} | as_json(reading))
        if not arguments.json:
            print(as_table(name, reading, arguments.models))
    if arguments.json:
        print(json.dumps(answers, indent=2))
    if arguments.show and readings:
        from mnist.recognition.drawing import draw  # matplotlib takes a second to start

        draw(readings, arguments.show)
    if len(readings) < len(answers):
        sys.exit(UNREADABLE)


def as_table(name: str, reading: Reading, models: list[str]) -> str:
    """Say what each of `models` reads, and how probable it thinks that is."""
    count = len(reading.boxes)
    head = name if count == 1 else f"{name}: {count} digits, from left to right"
    lines = [head]
    for model in models:
        digits = reading.digits(model)
        said = " ".join(str(digit) for digit, _ in digits) or "nothing"
        sure = " ".join(f"{share:.1%}" for _, share in digits)
        lines.append(f"  {TITLES.get(model, model):20}{said}   {sure}".rstrip())
    return "\n".join(lines)


def as_json(reading: Reading) -> dict[str, Any]:
    """Everything that the models said, in plain values.

    Boxes are left, top, right, bottom in pixels of the file.
    """

    def whole(box: Sequence[float]) -> list[int]:
        return [round(edge / reading.reduced) for edge in box]

    classifiers = {
        name: [{"digit": int(row.argmax()), "probabilities": row.round(6).tolist()} for row in rows]
        for name, rows in reading.probabilities.items()
    }
    detectors = {
        name: [{"digit": f.digit, "score": round(f.score, 6), "box": whole(f.box)} for f in found]
        for name, found in reading.found.items()
    }
    return {
        "boxes": [*map(whole, reading.boxes)],
        "classifiers": classifiers,
        "detectors": detectors,
    }


def _named(pictures: list[str]) -> list[str]:
    """Folders replaced by the pictures in them."""
    known = Image.registered_extensions()
    names = []
    for picture in pictures:
        if Path(picture).is_dir():
            files = sorted(Path(picture).iterdir())
            names += [str(file) for file in files if file.suffix.lower() in known]
        else:
            names.append(picture)
    if not names:
        raise UserError(f"there is no picture in {', '.join(pictures)}.")
    return names


def _content(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except FileNotFoundError:
        raise UserError(f"{name} is missing; check the path.") from None
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror}.") from None


if __name__ == "__main__":
    run(main)
