"""Classify handwritten digits in pictures with the trained models.

A picture is a PNG, a JPEG or any other format that Pillow reads: dark on light or light on dark, of
any size, with one digit or several. A folder stands for all pictures in it, without its subfolders,
and - for a picture from standard input. A warning names digits that are unlike those that a model
was trained on. The exit code is 2 where a picture could not be read. See docs/predict.md.

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

    import torch

    from mnist.device import pick_device
    from mnist.evaluation.out_of_distribution import read_limits
    from mnist.models import registry
    from mnist.params import load_params
    from mnist.recognition.recognize import read

    params = load_params()
    # `set_up` would ask for deterministic algorithms, and PyTorch import its compiler for that.
    device = pick_device(params.runtime.device)
    torch.set_num_threads(params.runtime.threads)
    models = {
        name: registry.load(name, Path(f"models/{name}.safetensors")).to(device)
        for name in arguments.models
    }
    limits = {name: read_limits(Path(f"metrics/details/{name}.json")) for name in models}
    readings: list[tuple[str, Reading]] = []
    results: list[dict[str, Any]] = []
    errors: list[str] = []
    for name in _files(arguments.pictures):
        try:
            reading = read(_content(name), name, models, limits, device)
        except UserError as error:
            errors.append(str(error))
            results.append({"picture": name, "error": str(error)})
            lines = f"{name}: not read"
        else:
            readings.append((name, reading))
            results.append({"picture": name} | as_json(reading))
            lines = as_table(name, reading, arguments.models, params.data.classes)
        if not arguments.json:
            print(lines)
    if arguments.json:
        print(json.dumps(results, indent=2))
    if arguments.show and readings:
        from mnist.recognition.drawing import draw  # importing matplotlib takes a second

        draw(readings, params.data.classes, arguments.show)
    if errors:
        print(f"predict: {len(errors)} of {len(results)} not read:", file=sys.stderr)
        for reason in errors:
            print(f"  {reason}", file=sys.stderr)
        sys.exit(UNREADABLE)


def as_table(name: str, reading: "Reading", models: Sequence[str], classes: Sequence[str]) -> str:
    """Format what each of `models` reads, and how probable each digit is, one model per line.

    A ? follows what is unlike the digits that the model was trained on.
    """
    from mnist.reporting.style import style

    count = len(reading.boxes)
    lines = [name if count == 1 else f"{name}: {count} digits, from left to right"]
    for model in models:
        digits = reading.digits(model)
        names = [
            classes[digit] + ("?" if unlike else "")
            for (digit, _), unlike in zip(digits, reading.unlike[model], strict=True)
        ]
        probabilities = " ".join(f"{probability:.1%}" for _, probability in digits)
        text = f"{' '.join(names) or 'nothing'}   {probabilities}".rstrip()
        lines.append(f"  {style(model).title:20}{text}")
    if any(map(any, reading.unlike.values())):
        lines.append("  warning: ? marks what is unlike the digits that the model was trained on")
    return "\n".join(lines)


def as_json(reading: "Reading") -> dict[str, Any]:
    """Return a reading as plain values, described in docs/predict.md.

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
    for name, digits in (classifiers | detectors).items():
        for digit, unlike in zip(digits, reading.unlike[name], strict=True):
            digit["unlike"] = unlike
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
    """Replace each folder by the pictures in it, if there are any."""
    from PIL import Image

    suffixes = Image.registered_extensions()
    names = []
    for picture in pictures:
        found = []
        if Path(picture).is_dir():
            files = sorted(Path(picture).iterdir())
            found = [str(file) for file in files if file.suffix.lower() in suffixes]
        names += found or [picture]
    return names


def _content(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    if Path(name).is_dir():
        raise UserError(f"{name} holds no picture (subfolders are not searched).")
    try:
        return Path(name).read_bytes()
    except FileNotFoundError:
        raise UserError(f"{name} is missing; check the path.") from None
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror}.") from None
