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
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist.commands import model_names
from mnist.errors import UserError
from mnist.files import round_numbers

if TYPE_CHECKING:
    from mnist.recognition.recognize import Reading

SHOWN_FORMATS = (".png", ".jpg", ".pdf", ".svg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="a file, a folder or -")
    parser.add_argument("--models", type=model_names, default="", help="cnn,vit; default: all")
    parser.add_argument("--json", action="store_true", help="write JSON, with all probabilities")
    parser.add_argument("--show", type=Path, metavar="FILE.png", help="draw what the models saw")


def main(arguments: argparse.Namespace) -> None:
    from mnist.device import set_up
    from mnist.models import registry
    from mnist.params import load_params
    from mnist.recognition.recognize import read

    if arguments.show and arguments.show.suffix not in SHOWN_FORMATS:
        raise UserError(f"--show {arguments.show} must end in {', '.join(SHOWN_FORMATS)}.")
    params = load_params()
    device = set_up(params)
    models, details = {}, {}
    for name in arguments.models:
        models[name] = registry.load(name, Path(f"models/{name}.safetensors")).to(device)
        path = Path(f"metrics/details/{name}.json")
        details[name] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    readings: list[tuple[str, Reading]] = []
    results: list[dict[str, Any]] = []
    errors: list[str] = []
    for name in _files(arguments.pictures):
        try:
            content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
            reading = read(content, name, models, details, device)
        except (OSError, UserError) as error:
            reason = getattr(error, "strerror", None)
            if Path(name).is_dir():
                reason = "no picture is in it"
            errors.append(f"{name} cannot be read: {reason}." if reason else str(error))
            results.append({"picture": name, "error": errors[-1]})
            text = f"{name}: not read"
        else:
            readings.append((name, reading))
            digits = asdict(reading)["digits"]
            results.append({"picture": name, "models": round_numbers(digits)})
            text = as_table(name, reading, params.data.classes)
        if not arguments.json:
            print(text)
    if arguments.json:
        print(json.dumps(results, indent=2))
    if arguments.show and readings:
        from mnist.recognition.annotate import annotate  # importing matplotlib takes a second

        annotate(readings, params.data.classes, arguments.show)
    if errors:
        lines = [f"predict: {len(errors)} of {len(results)} not read:", *errors]
        print("\n  ".join(lines), file=sys.stderr)
        sys.exit(2)


def as_table(name: str, reading: "Reading", classes: Sequence[str]) -> str:
    """Format what each model reads, and how sure it is of each digit, one model per line.

    A ? follows what is unlike the digits that the model was trained on.
    """
    count = len(reading.images)
    separator = ", " if any(" " in name for name in classes) else " "
    lines = [name if count == 1 else f"{name}: {count} digits, from left to right"]
    for model, digits in reading.digits.items():
        names = separator.join(classes[d.digit] + ("?" if d.unlike else "") for d in digits)
        confidences = " ".join(f"{d.confidence:.1%}" for d in digits)
        lines.append(f"  {model:10}{names or 'nothing'}   {confidences}".rstrip())
    if any(digit.unlike for digits in reading.digits.values() for digit in digits):
        lines.append("  warning: ? marks what is unlike the digits that the model was trained on")
    return "\n".join(lines)


def _files(pictures: list[str]) -> list[str]:
    """Replace each folder by the pictures in it, if there are any."""
    from PIL import Image

    suffixes = {*Image.registered_extensions(), ".heic", ".svg"}  # the last two: not in silence
    names = []
    for picture in pictures:
        files = sorted(Path(picture).iterdir()) if Path(picture).is_dir() else []
        found = [str(file) for file in files if file.suffix.lower() in suffixes]
        names += found or [picture]
    return names
