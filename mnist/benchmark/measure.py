"""What `python -m mnist bench` measures.

The models take turns, each trained by its recipe and by its baseline, for several rounds. Medians
count, because a shared machine is fast in one second and slow in the next.
"""

import os
import platform
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch

from mnist.benchmark.baseline import BaselineTraining
from mnist.benchmark.case import BenchmarkCase, Split
from mnist.device import cpu_name
from mnist.models import registry
from mnist.params import Params


def measure_models(
    names: Sequence[str],
    params: Params,
    training: Split,
    folder: Path,
    device: torch.device,
    rounds: int,
    seconds: float,
) -> dict[str, Any]:
    """Time training and inference of every model.

    Args:
        training: uint8 images (N, 28, 28) and int64 labels (N,), on `device`.
        folder: where torchvision finds the same images; see `BaselineTraining`.
        seconds: about how long each training lasts in a round.

    Returns:
        The figures of each model by its name, and those of the machine as `machine`.
    """
    cases = {name: BenchmarkCase(name, params, training, device) for name in names}
    classifiers = [name for name in names if registry.task(name) == "classification"]
    baselines = {name: BaselineTraining(name, params, folder, device) for name in classifiers}
    # The first, short training also warms up.
    images = {name: round(case.training_rate(1) * seconds) for name, case in cases.items()}
    baseline_images = {name: round(b.training_rate(1) * seconds) for name, b in baselines.items()}
    digits = training[0][:256]
    rates: dict[tuple[str, str], list[float]] = defaultdict(list)
    for number in range(1, rounds + 1):
        print(f"round {number} of {rounds}", flush=True)
        for name, case in cases.items():
            rates[name, "train"].append(case.training_rate(images[name]))
            if name in baselines:
                rates[name, "baseline"].append(baselines[name].training_rate(baseline_images[name]))
            for size, some in ((1, digits[:32]), (256, digits)):
                case.inference_rate(some[: 2 * size], size)  # warms up
                rates[name, f"b{size}"].append(case.inference_rate(some, size))
    medians = {key: median(values) for key, values in rates.items()}
    figures: dict[str, Any] = {}
    for name, case in cases.items():
        rate, gflop = medians[name, "train"], case.training_flops() / 1e9
        figures[name] = {
            "train_images_per_second": round(rate, 2),
            "infer_images_per_second_b1": round(medians[name, "b1"], 2),
            "infer_images_per_second_b256": round(medians[name, "b256"], 2),
            "gflop_per_image": round(gflop, 5),
        }
        if name in baselines:
            figures[name]["speedup"] = round(rate / medians[name, "baseline"], 2)
    figures["machine"] = {
        "processor": f"{cpu_name()}, {os.cpu_count()} cores",
        "cpu": cpu_name(),
        "portable": params.portable,
        "device": device.type,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "rounds": rounds,
    }
    return figures
