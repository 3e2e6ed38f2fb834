"""Command, no stage: write the trained classifiers as ONNX, for programs without PyTorch.

Each takes `images`, float32 (batch, 1, 28, 28) in 0..1 with bright ink, any batch, and gives
`logits`, (batch, 10). Faster R-CNN is left out: how many boxes it weighs depends on the picture,
and PyTorch's exporter does not follow that.
"""

import argparse
import warnings
from pathlib import Path

import torch

from mnist.atomic_io import new_file
from mnist.errors import run
from mnist.models.frcnn import DigitDetector
from mnist.models.registry import load
from mnist.pipeline import models


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m mnist.commands.export", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("exports"))
    parser.add_argument("--models", nargs="+", default=models(), choices=models(), metavar="MODEL")
    arguments = parser.parse_args()
    for name in arguments.models:
        model = load(name, Path(f"models/{name}.safetensors"))
        if isinstance(model, DigitDetector):
            print(f"{name}: left out; PyTorch's exporter cannot follow a detector")
            continue
        path = arguments.folder / f"{name}.onnx"
        export(model, path)
        print(f"{name}: {path}, {path.stat().st_size / 1e6:.1f} MB")


def export(model: torch.nn.Module, path: Path) -> None:
    """Write `model`, which takes images (N, 1, 28, 28), to `path`."""
    with new_file(path) as partial, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own deprecations
        torch.onnx.export(
            model.eval(),
            (torch.zeros(2, 1, 28, 28),),
            partial,
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            external_data=False,
            verbose=False,
        )


if __name__ == "__main__":
    run(main)
