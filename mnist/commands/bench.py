"""Time training and inference of every model, into metrics/benchmark.json.

Nothing else should run at the same time. The file then holds only the models that were asked for.

Examples:
  python -m mnist bench
  python -m mnist bench --models cnn,vit --rounds 3 --no-time-to-99
"""

import argparse
import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
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
    parser.add_argument(
        "--no-time-to-99", action="store_true", help="leave out the training to 99 %% accuracy"
    )


def main(arguments: argparse.Namespace) -> None:
    """Measure the models that are asked for and write the file."""
    from mnist.atomic_io import write_json
    from mnist.benchmark.measure import measure_models, time_to_goal
    from mnist.data.arrays import load_arrays
    from mnist.device import set_up
    from mnist.params import load_params

    if arguments.rounds < 1 or arguments.seconds <= 0:
        raise UserError("--rounds and --seconds must be more than 0.")
    params = load_params()
    # First, while this process is small: Linux counts a parent's memory to its child's peak.
    peaks = {name: _peak_memory(name) for name in arguments.models}
    device = set_up(params)
    training = load_arrays(ARRAYS / "train.npz", device)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "MNIST").mkdir()
        (folder / "MNIST/raw").symlink_to(RAW.resolve())
        figures = measure_models(
            arguments.models, params, training, folder, device, arguments.rounds, arguments.seconds
        )
        for name, peak in peaks.items():
            figures[name]["peak_memory_mb"] = round(peak, 1)
        write_json(RESULT, figures)
        if not arguments.no_time_to_99:
            print("training to 99 % accuracy on the test split", flush=True)
            test = load_arrays(ARRAYS / "test.npz", device)
            figures["time_to_99"] = time_to_goal(params, training, test, folder, device)
            write_json(RESULT, figures)


def _peak_memory(name: str) -> float:
    """Return the peak memory, in MB, of a process that only trains model `name`."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_train_briefly, name).result()


def _train_briefly(name: str) -> float:
    from mnist.benchmark.case import BenchmarkCase
    from mnist.data.arrays import load_arrays
    from mnist.device import peak_memory_mb, set_up
    from mnist.params import load_params

    params = load_params()
    device = set_up(params)
    training = load_arrays(ARRAYS / "train.npz", device)
    validation = load_arrays(ARRAYS / "validation.npz", device)
    case = BenchmarkCase(name, params, training, device, validation)
    case.training_rate(3 * case.task.batch_size)
    return peak_memory_mb()
