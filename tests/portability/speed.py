"""Compare training speed with and without portable arithmetic: `python -m tests.portability.speed`.

The two take turns, each in a process of its own, because the libraries choose their kernels once.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import torch

from mnist.benchmark.case import BenchmarkCase
from mnist.device import cpu_name, set_up
from mnist.params import load_params
from tests.portability.steps import images_of

ROOT = Path(__file__).parents[2]
ROUNDS = 5
SECONDS = 3  # of each training


def measure(*, portable: bool) -> dict[str, float]:
    """Return the images per second that a new process trains each model with."""
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    text = re.sub(r"(?m)^portable: .*", f"portable: {str(portable).lower()}", text)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "params.yaml").write_text(text, encoding="utf-8")
        # Started in that folder; the project is found through PYTHONPATH.
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "tests.portability.speed", "--one"]
        done = subprocess.run(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, check=True
        )
    return json.loads(done.stdout)


def measure_here() -> dict[str, float]:
    params = load_params()
    set_up(params)
    training = images_of(0, 4000), torch.arange(4000) % 10
    rates = {}
    for name in params.models:
        case = BenchmarkCase(name, params, training, torch.device("cpu"))
        rates[name] = case.training_rate(round(case.training_rate(1) * SECONDS))
    return rates


def main() -> None:
    if "--one" in sys.argv:
        print(json.dumps(measure_here()))
        return
    rounds = [(measure(portable=False), measure(portable=True)) for _ in range(ROUNDS)]
    print(f"Training images/s on {cpu_name()}, medians of {ROUNDS} rounds:\n")
    print("| model | native | portable | portable / native |\n|---|---:|---:|---:|")
    for name in rounds[0][0]:
        native, portable = (median(rates[kind][name] for rates in rounds) for kind in (0, 1))
        print(f"| {name} | {native:.0f} | {portable:.0f} | {portable / native:.2f} |")


if __name__ == "__main__":
    main()
