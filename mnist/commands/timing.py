"""Copy the training times that lie beside the weights into metrics/timing.json.

A training writes its time to models/NAME.timing.json, which is not in git. Only times of the
weights at hand are copied; of the other models the file keeps what it holds.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from mnist.atomic_io import sha256, write_json
from mnist.params import load_params

TIMING = Path("metrics/timing.json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has no arguments."""


def main(arguments: argparse.Namespace) -> None:
    old = json.loads(TIMING.read_text(encoding="utf-8")) if TIMING.exists() else {}
    timings = {}
    for name in load_params().models:
        timing, message = read_timing(name)
        print(f"{name}: {message}")
        if timing or name in old:
            timings[name] = timing or old[name]
    write_json(TIMING, timings)


def read_timing(name: str) -> tuple[dict[str, Any] | None, str]:
    """Return the timing of model `name`, None unless it is of the weights at hand; and why."""
    weights, path = Path(f"models/{name}.safetensors"), Path(f"models/{name}.timing.json")
    for file in (path, weights):
        if not file.exists():
            return None, f"not copied; {file} is missing"
    timing = json.loads(path.read_text(encoding="utf-8"))
    if timing["weights_sha256"] != sha256(weights):
        return None, f"not copied; {path} is of other weights than {weights}"
    return timing, f"copied; {timing['train_seconds']:.0f} s on {timing['cpu']}"
