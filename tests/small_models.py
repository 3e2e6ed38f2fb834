"""All five trainings, so small that one takes a second or so; and how to kill one for real."""

import hashlib
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from mnist.benchmark.case import build
from mnist.errors import run
from mnist.models import weights_io
from mnist.models.registry import MODELS
from mnist.params import Params, Training
from mnist.training import checkpoint
from mnist.training.checkpoint import Checkpoints
from mnist.training.classification import Classification
from mnist.training.detection import Detection
from mnist.training.distributed import joined
from mnist.training.loop import Task, Trained, train
from tests.conftest import ROOT
from tests.digits import as_tensors

SHORT = {"epochs": 1.6, "batch_size": 16, "ema_decay": 0.9}
SMALL: dict[str, dict[str, Any]] = {
    "cnn": {"widths": [8, 8, 16, 16]},
    "frcnn": {"hidden": 32, "proposals": 10, "batch_size": 4},
    "vgg16": {"input_size": 16, "last_pool": False, "batch_size": 32},
    "alexnet": {"input_size": 31, "hidden": 32, "batch_size": 32},
    "vit": {"dim": 20, "heads": 2, "depth": 1, "mlp_dim": 32, "dropout": 0.1},
}
IMAGES = {"cnn": 160, "frcnn": 100, "vgg16": 64, "alexnet": 96, "vit": 160}
CPU = torch.device("cpu")


def tiny_params() -> Params:
    """The committed parameters, shrunk."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for name in MODELS:
        params[name] |= SHORT | SMALL[name]
    return Params.model_validate(params)


def tiny(
    name: str, seed: int = 0, device: torch.device = CPU, **changes: Any
) -> tuple[nn.Module, Task, Training]:
    """Build a small model of that name, with what it learns and how."""
    params = tiny_params()
    recipe = getattr(params, name).model_copy(update=changes)
    torch.manual_seed(seed)
    model = build(name, params.model_copy(update={name: recipe}))
    training, validation = (
        (images.to(device), labels.to(device))
        for images, labels in (as_tensors(slice(IMAGES[name])), as_tensors(slice(300, 340)))
    )
    task = Detection if name == "frcnn" else Classification
    return model, task(training, validation, recipe), recipe


def run_tiny(
    name: str, checkpoints: Checkpoints | None = None, seed: int = 0, **changes: Any
) -> Trained:
    torch.set_num_threads(1)
    model, task, recipe = tiny(name, seed, **changes)
    head_lr = getattr(recipe, "head_lr", None)
    return train(model, task, recipe, seed, CPU, head_lr=head_lr, checkpoints=checkpoints)


def fingerprint(trained: Trained, folder: Path) -> str:
    """SHA-256 of all that a training leaves: weights and curve, to the bit."""
    weights_io.save(folder / "weights", trained.model, {})
    content = (folder / "weights").read_bytes() + repr(trained.curve).encode()
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Kill:
    """SIGKILL in the `number`th call of a function that saving a checkpoint goes through."""

    where: str
    """write, fsync, replace (before it), replaced (after it) or saved"""
    number: int


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _install(kill: Kill) -> None:
    """Let this process kill itself as `kill` says."""
    calls = 0

    def is_due() -> bool:
        nonlocal calls
        calls += 1
        return calls == kill.number

    def before(function: Callable[..., Any]) -> Callable[..., Any]:
        def dying(*arguments: Any) -> Any:
            if is_due():
                _die()
            return function(*arguments)

        return dying

    def after(function: Callable[..., Any]) -> Callable[..., Any]:
        def dying(*arguments: Any, **named: Any) -> Any:
            result = function(*arguments, **named)
            if is_due():
                _die()
            return result

        return dying

    match kill.where:
        case "fsync":
            os.fsync = before(os.fsync)
        case "replace":
            os.replace = before(os.replace)
        case "replaced":
            os.replace = after(os.replace)
        case "saved":
            Checkpoints._write = after(Checkpoints._write)  # type: ignore[method-assign]
        case "write":
            # A save writes twice, the state and its hash: the file is not whole in between.
            def dying_open(path: Any, mode: str) -> Any:
                file = open(path, mode)  # noqa: SIM115
                return _Dying(file) if is_due() else file

            checkpoint.open = dying_open  # type: ignore[attr-defined]


class _Dying:
    """A file in whose second write the process dies."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.writes = 0

    def __enter__(self) -> "_Dying":
        return self

    def __exit__(self, *_: Any) -> None:
        self.file.close()

    def write(self, content: Any) -> int:
        self.writes += 1
        if self.writes == 2:
            self.file.flush()
            _die()
        return self.file.write(content)


def train_in_this_process(
    name: str, folder: str, kill: Kill | None, seconds: float, largest_file: int | None
) -> None:
    """Train with a checkpoint every `seconds`, going on from those in `folder`.

    `largest_file`: bytes that a file may have; it stands for a full disk.
    """
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = open(Path(folder) / "stderr", "w")  # noqa: SIM115
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if kill:
        _install(kill)
    if largest_file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY))

    def main() -> None:
        checkpoints = Checkpoints(Path(folder) / "checkpoints", seconds, resume=True)
        trained = run_tiny(name, checkpoints)
        checkpoints.wait()
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        (Path(folder) / "result").write_text(fingerprint(trained, Path(folder)))

    run(main)


# A server that has imported everything forks each child: it starts in milliseconds.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.small_models"])


def start(
    name: str,
    folder: Path,
    kill: Kill | None = None,
    seconds: float = 0,
    largest_file: int | None = None,
) -> Any:
    """Start a training in a process of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    arguments = (name, str(folder), kill, seconds, largest_file)
    child = _CONTEXT.Process(target=train_in_this_process, args=arguments, daemon=True)
    child.start()
    return child


def share_in_this_process(name: str, folder: str, rank: int, changes: dict[str, Any]) -> None:
    """Be one of two processes that train together; torchrun would set the environment."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": (Path(folder) / "port").read_text()}
    sys.stderr = sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    torch.set_num_threads(1)
    model, task, recipe = tiny(name, **changes)
    with joined(CPU) as processes:
        head_lr = getattr(recipe, "head_lr", None)
        trained = train(model, task, recipe, 0, CPU, head_lr=head_lr, processes=processes)
    torch.save(trained.model.state_dict(), Path(folder) / f"weights{rank}")
    torch.save(trained.curve[-1].train_loss, Path(folder) / f"loss{rank}")


def start_sharing(name: str, folder: Path, rank: int, **changes: Any) -> Any:
    arguments = (name, str(folder), rank, changes)
    child = _CONTEXT.Process(target=share_in_this_process, args=arguments, daemon=True)
    child.start()
    return child
