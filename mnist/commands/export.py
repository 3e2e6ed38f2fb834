"""Write the trained classifiers as ONNX files, for programs without PyTorch.

A file takes `images`, float32 (batch, 1, 28, 28) from 0, background, to 1, ink, and gives `logits`,
float32 (batch, classes), for a batch of any size. Detectors are left out: the number of boxes
depends on the picture, which PyTorch's exporter does not follow.

Example:
  python -m mnist export --models cnn,vit
"""

import argparse
import warnings
from pathlib import Path

import torch
from torch import nn

from mnist.commands import model_names
from mnist.files import new_file
from mnist.models import registry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--models", type=model_names, default="", help="cnn,vit; default: all")


def main(arguments: argparse.Namespace) -> None:
    for name in arguments.models:
        if registry.detects(name):
            print(f"{name}: left out; PyTorch's exporter cannot follow a detector")
            continue
        path = Path(f"exports/{name}.onnx")
        export(registry.load(name, Path(f"models/{name}.safetensors")), path)
        print(f"{name}: {path}, {path.stat().st_size / 1e6:.1f} MB")


def export(model: nn.Module, path: Path) -> None:
    """Write `model`, which takes images (N, 1, 28, 28), to `path`."""
    with new_file(path) as partial, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about deprecations inside the exporter
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
