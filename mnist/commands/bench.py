"""Command, no stage: time training and inference of every model, into metrics/benchmark.json.

Models take turns, ours and the plain one of the same network, several rounds over; medians count,
since a shared machine is now fast and now slow. Nothing else should run meanwhile. The file is
written anew, with the models that were asked for.
"""

import argparse
import multiprocessing
import os
import platform
import tempfile
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import torch

from mnist.atomic_io import write_json
from mnist.benchmark.baseline import BaselineTraining, tutorial_seconds_to
from mnist.benchmark.case import BenchmarkCase, Split, suppress_output
from mnist.data.arrays import load_arrays
from mnist.device import peak_memory_mb, set_up, sgemm_gflops
from mnist.errors import UserError, run
from mnist.models.cnn import PIXEL_MEAN, PIXEL_STD
from mnist.models.inference import predict_logits, to_input
from mnist.params import Params, load_params
from mnist.pipeline import models
from mnist.training.loop import train

ARRAYS, RAW = Path("data/mnist"), Path("data/raw")
RESULT = Path("metrics/benchmark.json")
GOAL = 0.99  # of the test digits, for the time to get there


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each training a round")
    parser.add_argument("--models", nargs="+", default=models(), choices=models(), metavar="MODEL")
    parser.add_argument("--no-time-to-99", action="store_true", help="leave out the longest part")
    arguments = parser.parse_args()
    if arguments.rounds < 1 or arguments.seconds <= 0:
        parser.error("--rounds and --seconds need to be more than 0")
    params = load_params()
    device = set_up(params.runtime)
    # First, while this process is small: Linux counts a parent's memory to its child's peak.
    peaks = {name: _peak_memory(name) for name in arguments.models}
    training = load_arrays(ARRAYS / "train.npz", device)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "MNIST").mkdir()
        (Path(folder) / "MNIST/raw").symlink_to(RAW.resolve())
        figures = time_models(arguments, params, training, Path(folder), device)
        for name, peak in peaks.items():
            figures[name]["peak_memory_mb"] = round(peak, 1)
        write_json(RESULT, figures)
        if not arguments.no_time_to_99:
            print(f"training until {GOAL:.0%} of the test digits are read", flush=True)
            figures["time_to_99"] = time_to_goal(params, training, Path(folder), device)
            write_json(RESULT, figures)


def time_models(
    arguments: argparse.Namespace,
    params: Params,
    training: Split,
    folder: Path,
    device: torch.device,
) -> dict[str, Any]:
    """Measure every model in turn, `rounds` times over; `machine` says on what."""
    rates: dict[tuple[str, str], list[float]] = defaultdict(list)
    ours = {name: BenchmarkCase.of(name, params, training, device) for name in arguments.models}
    plain = {name: BaselineTraining(name, params, folder, device) for name in arguments.models}
    few = {
        (name, kind): max(1, round(work.train(1) * arguments.seconds))  # the first also warms up
        for kind, works in (("train", ours), ("plain", plain))
        for name, work in works.items()
    }
    digits = training[0][:256]
    for number in range(1, arguments.rounds + 1):
        print(f"round {number} of {arguments.rounds}", flush=True)
        rates["sgemm", ""].append(sgemm_gflops(device, seconds=1.0))
        for name in arguments.models:
            rates[name, "train"].append(ours[name].train(few[name, "train"]))
            rates[name, "plain"].append(plain[name].train(few[name, "plain"]))
            for size, images in ((1, digits[:32]), (256, digits)):
                ours[name].infer(images[: 2 * size], size)  # brings code and weights into reach
                rates[name, f"b{size}"].append(ours[name].infer(images, size))
    middle = {key: median(values) for key, values in rates.items()}
    figures: dict[str, Any] = {}
    for name in arguments.models:
        flops = ours[name].training_flops()
        figures[name] = {
            "train_images_per_second": round(middle[name, "train"], 2),
            "infer_images_per_second_b1": round(middle[name, "b1"], 2),
            "infer_images_per_second_b256": round(middle[name, "b256"], 2),
            "gflop_per_image": round(flops / 1e9, 5),
            "share_of_sgemm": round(middle[name, "train"] * flops / 1e9 / middle["sgemm", ""], 3),
            "speedup_vs_plain": round(middle[name, "train"] / middle[name, "plain"], 2),
        }
    figures["machine"] = {
        "processor": _processor(),
        "device": device.type,
        "threads": torch.get_num_threads(),
        "sgemm_gflops": round(middle["sgemm", ""], 1),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "rounds": arguments.rounds,
    }
    return figures


def time_to_goal(
    params: Params, training: Split, folder: Path, device: torch.device
) -> dict[str, Any]:
    """Seconds of training until 99 % of the test digits are read, by our CNN and the tutorial's.

    Ours runs through its whole learning-rate cycle, so it is given more and more epochs, each time
    from the start, until the end is good enough; only the run that is counts.

    Raises:
        UserError: one of them does not get there.
    """
    images, labels = load_arrays(ARRAYS / "test.npz", device)
    for quarters in range(1, 13):
        torch.manual_seed(params.seed)
        work = BenchmarkCase.of("cnn", params, training, device)
        shorter = params.cnn.model_copy(update={"epochs": quarters / 4})
        with suppress_output():
            trained = train(work.model, work.task, shorter, params.seed, device)
        right = predict_logits(trained.model, images, 200).argmax(dim=1) == labels
        if right.float().mean().item() >= GOAL:
            break
    else:
        raise UserError("the CNN of params.yaml does not get to 99 % in 3 epochs.")
    normalised = (to_input(images) - PIXEL_MEAN) / PIXEL_STD
    seconds, epochs = tutorial_seconds_to(GOAL, folder, (normalised, labels), device)
    return {
        "cnn": round(trained.seconds, 2),
        "cnn_epochs": quarters / 4,
        "plain": round(seconds, 2),
        "plain_epochs": epochs,
        "ratio": round(seconds / trained.seconds, 1),
    }


def _peak_memory(name: str) -> float:
    """Of a process that does nothing but train this model, in MB."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_train_a_little, name).result()


def _train_a_little(name: str) -> float:
    params = load_params()
    device = set_up(params.runtime)
    training = load_arrays(ARRAYS / "train.npz", device)
    validation = load_arrays(ARRAYS / "validation.npz", device)
    work = BenchmarkCase.of(name, params, training, device, validation)
    work.train(5 * work.task.batch_size)
    return peak_memory_mb()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores"


if __name__ == "__main__":
    run(main)
