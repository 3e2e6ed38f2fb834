"""What `python -m mnist bench` measures.

The models take turns, each trained by its recipe and by the baseline, for several rounds. Medians
count, because a shared machine is fast in one second and slow in the next.
"""

import os
import platform
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch

from mnist.benchmark.baseline import BaselineTraining
from mnist.benchmark.case import BenchmarkCase, Split
from mnist.device import cpu_name
from mnist.models.linear import Linear
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
    baselines = {name: BaselineTraining(name, params, folder, device) for name in names}
    # The first, short training also warms up.
    images = {name: round(case.training_rate(1) * seconds) for name, case in cases.items()}
    baseline_images = {name: round(b.training_rate(1) * seconds) for name, b in baselines.items()}
    digits = training[0][:256]
    rates: dict[tuple[str, str], list[float]] = defaultdict(list)
    for number in range(1, rounds + 1):
        print(f"round {number} of {rounds}", flush=True)
        rates["sgemm", ""].append(sgemm_gflops(device))
        for name, case in cases.items():
            rates[name, "train"].append(case.training_rate(images[name]))
            rates[name, "baseline"].append(baselines[name].training_rate(baseline_images[name]))
            for size, some in ((1, digits[:32]), (256, digits)):
                case.inference_rate(some[: 2 * size], size)  # warms up
                rates[name, f"b{size}"].append(case.inference_rate(some, size))
    medians = {key: median(values) for key, values in rates.items()}
    sgemm = medians["sgemm", ""]
    figures: dict[str, Any] = {}
    for name, case in cases.items():
        rate, gflop = medians[name, "train"], case.training_flops() / 1e9
        figures[name] = {
            "train_images_per_second": round(rate, 2),
            "infer_images_per_second_b1": round(medians[name, "b1"], 2),
            "infer_images_per_second_b256": round(medians[name, "b256"], 2),
            "gflop_per_image": round(gflop, 5),
            "share_of_sgemm": round(rate * gflop / sgemm, 3),
            "speedup_vs_plain": round(rate / medians[name, "baseline"], 2),
        }
    figures["machine"] = {
        "processor": f"{cpu_name()}, {os.cpu_count()} cores",
        "cpu": cpu_name(),
        "portable": params.portable,
        "device": device.type,
        "threads": torch.get_num_threads(),
        "sgemm_gflops": round(sgemm, 1),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "rounds": rounds,
    }
    return figures


@torch.inference_mode()
def sgemm_gflops(device: torch.device, seconds: float = 1.0) -> float:
    """Measure float32 matrix multiplication, an upper limit of the speed of training.

    It is done as the models do it (see `Linear`): MKL's is slow in its portable mode.

    Returns:
        GFLOP/s of products (1024, 512) x (512, 512), the median over at least `seconds`.
    """
    tokens, linear = torch.ones(64, 16, 512, device=device), Linear(512, 512).to(device)
    rates: list[float] = []
    end = time.perf_counter() + seconds
    while len(rates) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        linear(tokens)[0, 0, 0].item()  # waits for the device
        rates.append(2 * 1024 * 512**2 / (time.perf_counter() - start) / 1e9)
    return median(rates)
