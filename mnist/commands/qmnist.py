"""Measure the models on QMNIST, whose labels also say who wrote each digit.

QMNIST (Yadav & Bottou, 2019) reconstructs MNIST's test digits from their source and adds 50,000
that no model has seen. The files, 10 MB, are downloaded into data/qmnist once and checked by MD5.
Digits of one writer are alike, so the 95 % intervals are cluster-robust. See docs/qmnist.md.

Examples:
  python -m mnist qmnist
  python -m mnist qmnist --models cnn,vit --json qmnist.json
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist.commands import add_models_argument
from mnist.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

FOLDER = Path("data/qmnist")
MNIST_DIGITS = 10_000  # QMNIST's test digits start with MNIST's
CLASS, WRITER = 0, 2  # columns of QMNIST's labels


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to `parser`."""
    add_models_argument(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")


def main(arguments: argparse.Namespace) -> None:
    """Print a table with a row per model."""
    from mnist.atomic_io import round_numbers, write_json
    from mnist.device import set_up
    from mnist.evaluation.predictions import predict
    from mnist.models import registry
    from mnist.params import load_params

    params = load_params()
    device = set_up(params)
    images, labels = load_qmnist(FOLDER)
    classes, writers = labels[:, CLASS].numpy(), labels[:, WRITER].numpy()
    parts = {"mnist": slice(MNIST_DIGITS), "further": slice(MNIST_DIGITS, None)}
    counts = [f"{part} ({len(classes[rows]):,} digits)" for part, rows in parts.items()]
    print(f"{'':8} {counts[0]:42} {counts[1]}")
    results: dict[str, Any] = {}
    for name in arguments.models:
        model = registry.load(name, Path(f"models/{name}.safetensors")).to(device)
        size = params.evaluate.batch_size
        if registry.task(name) == "detection":
            size = params.evaluate.scenes_batch_size
        errors = predict(model, images.to(device), size).predicted != classes
        results[name] = {k: error_rate(errors[rows], writers[rows]) for k, rows in parts.items()}
        print(f"{name:8} " + " ".join(f"{_text(result):42}" for result in results[name].values()))
    if arguments.json:
        write_json(arguments.json, round_numbers(results))


def load_qmnist(folder: Path) -> "tuple[Tensor, Tensor]":
    """Return QMNIST's test digits, uint8 (N, 28, 28), and their labels, int64 (N, 8).

    Raises:
        UserError: the files are not in `folder` and cannot be downloaded, or they are damaged.
    """
    from urllib.error import URLError

    from torchvision.datasets import QMNIST

    try:
        dataset = QMNIST(folder, what="test", compat=False, download=True)
    except (URLError, ConnectionError, TimeoutError) as error:
        raise UserError(f"QMNIST cannot be downloaded ({error}); it needs a network.") from None
    except (AssertionError, RuntimeError, ValueError):
        raise UserError(f"{folder} is damaged; delete it and run again.") from None
    return dataset.data, dataset.targets


def error_rate(errors: "np.ndarray", writers: "np.ndarray") -> dict[str, Any]:
    """Estimate an error rate and its uncertainty, where the errors of a writer are alike.

    With n digits of G writers and mean error m, the variance of m is G / (G - 1) times the sum over
    writers of (sum over his digits of error - m)**2, divided by n**2; its interval is of Student's
    t distribution with G - 1 degrees of freedom (Cameron & Miller, 2015).

    Args:
        errors: bool (N,); writers: (N,) whose digit it is.

    Returns:
        `digits`, `writers`, `errors`; `error`, 0..1, and its interval `error_ci95`; and
        `design_effect`, the variance over that of independent digits, m (1 - m) / n (Kish, 1965).
    """
    import numpy as np
    from scipy.stats import t

    number, mean = len(errors), errors.mean()
    _, writer = np.unique(writers, return_inverse=True)
    sums = np.bincount(writer, weights=errors - mean)
    variance = len(sums) / (len(sums) - 1) * (sums**2).sum() / number**2
    margin = t.ppf(0.975, len(sums) - 1) * variance**0.5
    independent = mean * (1 - mean) / number
    return {
        "digits": number,
        "writers": len(sums),
        "errors": int(errors.sum()),
        "error": float(mean),
        "error_ci95": [float(max(0, mean - margin)), float(min(1, mean + margin))],
        "design_effect": float(variance / independent) if independent else None,
    }


def _text(result: dict[str, Any]) -> str:
    low, high = result["error_ci95"]
    effect = result["design_effect"]
    shown = "-" if effect is None else f"{effect:.2f}"
    return f"{result['error']:.2%} ({low:.2%} to {high:.2%}), effect {shown}"
