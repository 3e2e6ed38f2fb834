"""Classify handwritten digits in pictures with the trained models.

A picture is a PNG, a JPEG or any other format that Pillow reads: dark on light or light on dark, of
any size, with one digit or several. A folder stands for all pictures in it, - for a picture from
standard input. The exit code is 2 where a picture could not be read.

Examples:
  python -m mnist predict digit.png
  python -m mnist predict --models cnn,vit page.jpg --show seen.png
  python -m mnist predict --json scans/ > digits.json
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist.commands import add_models_argument
from mnist.errors import UserError

if TYPE_CHECKING:
    from mnist.recognition.recognize import Reading

DRAWING_FORMATS = (".png", ".jpg", ".pdf", ".svg")
UNREADABLE = 2  # exit code


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to `parser`."""
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="a file, a folder or -")
    add_models_argument(parser)
    parser.add_argument("--json", action="store_true", help="write JSON, with all probabilities")
    parser.add_argument(
        "--show", type=_drawing_path, metavar="FILE.png", help="draw what the models saw"
    )


def main(arguments: argparse.Namespace) -> None:
    """Print what each model reads in each picture."""
    import json

    from mnist.device import set_up
    from mnist.models import registry
    from mnist.params import load_params
    from mnist.recognition.recognize import read

    params = load_params()
    device = set_up(params)
    models = {
        name: registry.load(name, Path(f"models/{name}.safetensors")).to(device)
        for name in arguments.models
    }
    readings: list[tuple[str, Reading]] = []
    results: list[dict[str, Any]] = []
    for name in _files(arguments.pictures):
        try:
            reading = read(_content(name), name, models, device)
        except UserError as error:
            print(f"predict: {error}", file=sys.stderr)
            results.append({"picture": name, "error": str(error)})
            continue
        readings.append((name, reading))
        results.append({"picture": name} | as_json(reading))
        if not arguments.json:
            print(as_table(name, reading, arguments.models, params.data.classes))
    if arguments.json:
        print(json.dumps(results, indent=2))
    if arguments.show and readings:
        from mnist.recognition.drawing import draw  # importing matplotlib takes a second

        draw(readings, params.data.classes, arguments.show)
    if len(readings) < len(results):
        sys.exit(UNREADABLE)


def as_table(name: str, reading: "Reading", models: Sequence[str], classes: Sequence[str]) -> str:
    """Format what each of `models` reads, and how probable each digit is, one model per line."""
    from mnist.reporting.style import style

    count = len(reading.boxes)
    lines = [name if count == 1 else f"{name}: {count} digits, from left to right"]
    for model in models:
        digits = reading.digits(model)
        names = " ".join(classes[digit] for digit, _ in digits) or "nothing"
        probabilities = " ".join(f"{probability:.1%}" for _, probability in digits)
        lines.append(f"  {style(model).title:20}{names}   {probabilities}".rstrip())
    return "\n".join(lines)


def as_json(reading: "Reading") -> dict[str, Any]:
    """Return a reading as plain values.

    Boxes are left, top, right, bottom in pixels of the file.
    """

    def in_file(box: Sequence[float]) -> list[int]:
        return [round(edge / reading.reduced) for edge in box]

    classifiers = {
        name: [{"digit": int(row.argmax()), "probabilities": row.round(6).tolist()} for row in rows]
        for name, rows in reading.probabilities.items()
    }
    detectors = {
        name: [{"digit": f.digit, "score": round(f.score, 6), "box": in_file(f.box)} for f in found]
        for name, found in reading.found.items()
    }
    return {
        "boxes": [in_file(box) for box in reading.boxes],
        "classifiers": classifiers,
        "detectors": detectors,
    }


def _drawing_path(text: str) -> Path:
    path = Path(text)
    if path.suffix not in DRAWING_FORMATS:
        raise argparse.ArgumentTypeError(f"{text} must end in {', '.join(DRAWING_FORMATS)}")
    return path


def _files(pictures: list[str]) -> list[str]:
    """Replace each folder by the pictures in it."""
    from PIL import Image

    suffixes = Image.registered_extensions()
    names = []
    for picture in pictures:
        if Path(picture).is_dir():
            files = sorted(Path(picture).iterdir())
            names += [str(file) for file in files if file.suffix.lower() in suffixes]
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
