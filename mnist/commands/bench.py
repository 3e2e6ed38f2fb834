"""Time training and inference of every model, into metrics/benchmark.json.

Nothing else should run at the same time. The file then holds only the models that were asked for.

Examples:
  python -m mnist bench
  python -m mnist bench --models cnn,vit --rounds 3
"""

import argparse
import tempfile
from pathlib import Path

from mnist.commands import add_models_argument
from mnist.errors import UserError

ARRAYS, RAW = Path("data/mnist"), Path("data/raw")
RESULT = Path("metrics/benchmark.json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to `parser`."""
    add_models_argument(parser)
    parser.add_argument("--rounds", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="of each training in a round (default: 3)"
    )


def main(arguments: argparse.Namespace) -> None:
    """Measure the models that are asked for and write the file."""
    from mnist.atomic_io import write_json
    from mnist.benchmark.measure import measure_models
    from mnist.data.arrays import load_arrays
    from mnist.device import set_up
    from mnist.params import load_params

    if arguments.rounds < 1 or arguments.seconds <= 0:
        raise UserError("--rounds and --seconds must be more than 0.")
    params = load_params()
    device = set_up(params)
    training = load_arrays(ARRAYS / "train.npz", device)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "MNIST").mkdir()
        (folder / "MNIST/raw").symlink_to(RAW.resolve())
        figures = measure_models(
            arguments.models, params, training, folder, device, arguments.rounds, arguments.seconds
        )
    write_json(RESULT, figures)
