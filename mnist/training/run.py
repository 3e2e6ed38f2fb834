"""What every training stage does around its own model: arrays in, training, files out."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mnist.data.arrays import load_arrays
from mnist.device import set_up
from mnist.errors import UserError
from mnist.files import round_numbers, write_json
from mnist.models import weights_io
from mnist.params import Params, load_params
from mnist.training import checkpoint, distributed
from mnist.training.checkpoint import open_checkpoint, stop_with_dvc, training_lock
from mnist.training.loop import Task, TrainResult, train
from mnist.training.randomness import derive_seed

ARRAYS, MODELS, METRICS = Path("data/mnist"), Path("models"), Path("metrics")
Split = tuple[Tensor, Tensor]


def train_stage(
    name: str,
    build: Callable[[Params], nn.Module],
    make_task: Callable[[Split, Split, Any, int], Task],
) -> None:
    """Train model `name` on MNIST and write the outputs that dvc.yaml names for its stage.

    Under torchrun, several processes train together and process 0 writes. `build` makes the model
    with its first weights.

    Raises:
        UserError: the same training is running already, or the network does not fit the images.
    """
    params = load_params()
    recipe = getattr(params, name)
    device = set_up(params)
    stop_with_dvc()
    with distributed.process_group():
        rank = distributed.rank()
        with training_lock(checkpoint.FOLDER / f"{name}.{rank}.lock"):
            training = load_arrays(ARRAYS / "train.npz", device)
            validation = load_arrays(ARRAYS / "validation.npz", device)
            torch.manual_seed(params.seed)
            try:
                model = build(params).to(device)
                task = make_task(training, validation, recipe, params.seed)
                flops = training_flops(model, task)
            except (RuntimeError, ValueError) as error:  # sizes that do not fit, or out of memory
                raise UserError(
                    f"the section {name} of params.yaml makes no network for 28x28 images, or one "
                    f"that {device} cannot train: {error}"
                ) from error
            saved = None
            if distributed.world_size() == 1:
                saved = open_checkpoint(name, params, model, device, [*training, *validation])
            precision = getattr(torch, params.precision)
            curve_file = METRICS / f"curves/{name}.csv" if rank == 0 else None
            result = train(model, task, recipe, precision, saved, curve_file)
            if rank == 0:
                _write(name, result, flops)
            if saved:
                saved.path.unlink(missing_ok=True)


def training_flops(model: nn.Module, task: Task) -> float:
    """Count the floating-point operations of a training step, per image of its batch, or scene.

    Convolutions and matrix products, forward and backward; a multiplication and an addition are
    two operations. Frozen layers have no backward pass.
    """
    model = copy.deepcopy(model).train()  # a step changes batch normalisation's statistics
    torch.manual_seed(derive_seed(task.seed, "flops"))
    with FlopCounterMode(display=False) as counter:
        task.loss(model, task.batch(0)).backward()
    shards = distributed.world_size()
    return counter.get_total_flops() * shards / task.batch_size


def _write(name: str, result: TrainResult, flops: float) -> None:
    weights_io.save(MODELS / f"{name}.safetensors", result.model)
    last = result.curve[-1]
    metrics = {
        "epochs": last.epoch,
        "train_samples": result.samples,
        "train_loss": last.train_loss,
        "val_loss": last.val_loss,
        "val_accuracy": last.val_accuracy,
        "train_tflop": result.samples * flops / 1e12,
    }
    write_json(METRICS / f"train/{name}.json", round_numbers(metrics))
