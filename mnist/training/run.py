"""What every training stage does around its own model: arrays in, training, outputs out."""

import csv
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mnist.atomic_io import new_file, sha256, write_json
from mnist.data.arrays import load_arrays
from mnist.device import peak_memory_mb, pick_precision, sgemm_gflops
from mnist.models import weights_io
from mnist.params import Params, Training
from mnist.training import checkpoint
from mnist.training.checkpoint import Checkpoints
from mnist.training.distributed import joined
from mnist.training.lock import alone, die_with_dvc
from mnist.training.loop import Task, Trained, train

Split = tuple[Tensor, Tensor]
ARRAYS, MODELS, METRICS = Path("data/mnist"), Path("models"), Path("metrics")


def train_and_write(
    name: str,
    model: nn.Module,
    architecture: dict[str, Any],
    task: Callable[[Split, Split, Any], Task],
    recipe: Training,
    params: Params,
    device: torch.device,
    *,
    head_lr: float | None = None,
    facts: dict[str, float] | None = None,
) -> None:
    """Train `model` on MNIST and write what the stage of model `name` promises in dvc.yaml.

    Under torchrun, several processes do it together and the first one writes.

    Args:
        architecture: the keyword arguments that `model` was built with.
        task: makes of training split, validation split and recipe what is to be learnt.
        head_lr: see `train`.
        facts: further figures for metrics/train/<name>.json.

    Raises:
        UserError: the same training is running already, or this one cannot be.
    """
    die_with_dvc()
    with (
        joined(device) as processes,
        alone(checkpoint.FOLDER / f"{name}.{processes.rank}.lock"),
    ):
        if processes.rank > 0:
            torch.manual_seed(params.seed + processes.rank)  # each drops out other neurons
        limit = sgemm_gflops(device)
        training = load_arrays(ARRAYS / "train.npz", device)
        validation = load_arrays(ARRAYS / "validation.npz", device)
        precision = pick_precision(params.runtime.precision, device)
        checkpoints = None
        if processes.count == 1:
            start = [*training, *validation, *model.state_dict().values()]
            how = {"architecture": architecture, "device": str(device), "precision": str(precision)}
            checkpoints = open_checkpoints(name, recipe, params, how, start)
        trained = train(
            model,
            task(training, validation, recipe),
            recipe,
            params.seed,
            device,
            head_lr=head_lr,
            precision=precision,
            processes=processes,
            checkpoints=checkpoints,
        )
        processes.wait()
        if processes.rank == 0:
            _write(name, trained, architecture, facts or {}, limit, device, processes.count)
        if checkpoints:
            checkpoints.remove()


def open_checkpoints(
    name: str, recipe: Training, params: Params, how: dict[str, Any], start: list[Tensor]
) -> Checkpoints:
    """Find the checkpoints of this training, which share their folder with no other.

    Args:
        how: what decides the result besides recipe, seed and runtime.
        start: the data and the first weights.
    """
    runtime = params.runtime.model_dump(exclude={"resume", "checkpoint_seconds"})
    settings = {"recipe": recipe.model_dump(), "seed": params.seed, "runtime": runtime, "how": how}
    folder = checkpoint.FOLDER / f"{name}-{checkpoint.key(settings, start)[:16]}"
    return Checkpoints(folder, params.runtime.checkpoint_seconds, resume=params.runtime.resume)


def _write(
    name: str,
    trained: Trained,
    architecture: dict[str, Any],
    facts: dict[str, float],
    limit: float,
    device: torch.device,
    processes: int,
) -> None:
    weights = MODELS / f"{name}.safetensors"
    weights_io.save(weights, trained.model, architecture)
    last = asdict(trained.curve[-1])
    epochs = {"epochs": last.pop("epoch"), "train_samples": trained.samples}
    write_json(METRICS / f"train/{name}.json", epochs | last | facts)
    _write_curve(METRICS / f"curves/{name}.csv", trained)
    # The one file that differs from run to run is no output in dvc.yaml. The SHA-256 in it tells
    # whether it still belongs to the model at hand.
    timing = {
        "train_seconds": round(trained.seconds, 2),
        "train_images_per_second": round(trained.samples / trained.seconds, 1),
        "sgemm_gflops": round(limit, 1),
        "peak_memory_mb": round(peak_memory_mb(), 1),
        "device": device.type,
        "threads": torch.get_num_threads(),
        "world_size": processes,
        "torch": torch.__version__,
        "weights_sha256": sha256(weights),
    }
    write_json(METRICS / f"timing/{name}.json", timing)


def _write_curve(path: Path, trained: Trained) -> None:
    rows = [asdict(score) for score in trained.curve]
    with new_file(path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
