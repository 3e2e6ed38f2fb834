"""Small trainings in processes of their own, to be killed or to train together."""

import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # every optimizer imports it, in each child anew if not here

from mnist.training import distributed
from mnist.training.checkpoint import Checkpoint, Parts
from mnist.training.loop import train
from tests.small_models import fingerprint, small_case, train_small

LIMIT = 120.0  # seconds that a child may take on a busy machine

# Moments of a save: half the file written; before it is renamed to its own name; done.
MOMENTS = ("write", "rename", "saved")
Kill = tuple[str, int]
"""SIGKILL at one of MOMENTS, in the save of that number"""

# A server that has imported everything forks each child, which then starts in milliseconds.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.training.processes"])


def start_training(name: str, folder: Path, kill: Kill = ("never", 0)) -> Any:
    """Start to train a small model with a checkpoint after every step, in `folder`."""
    return _start(_train, (name, folder, kill))


def start_rank(name: str, folder: Path, rank: int, port: int, **changes: Any) -> Any:
    """Start one of two processes that train together, as torchrun would."""
    return _start(_train_together, (name, folder, rank, port, changes))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _start(target: Callable[..., None], arguments: tuple[Any, ...]) -> Any:
    child = _CONTEXT.Process(target=target, args=arguments, daemon=True)
    child.start()
    return child


class Dying(Checkpoint):
    """Is saved after every step; kills its process in one of its saves."""

    def __init__(self, path: Path, moment: str, number: int) -> None:
        super().__init__(path, 0)
        self.moment, self.left = moment, number

    def save(self, parts: Parts, step: int) -> None:
        self.left -= 1
        if self.left == 0 and self.moment == "write":
            Path.write_bytes = write_half  # type: ignore[assignment,method-assign]
        if self.left == 0 and self.moment == "rename":
            os.replace = die  # type: ignore[assignment]
        super().save(parts, step)
        if self.left == 0:
            die()


def write_half(path: Path, content: Any) -> None:
    with path.open("wb") as file:
        file.write(content[: len(content) // 2])
    die()


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _train(name: str, folder: Path, kill: Kill) -> None:
    sys.stdout = sys.stderr = open(folder / "output", "w")  # noqa: SIM115
    result = train_small(name, Dying(folder / "checkpoint.pt", *kill))
    (folder / "result").write_text(fingerprint(result))


def _train_together(name: str, folder: Path, rank: int, port: int, changes: dict[str, Any]) -> None:
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    sys.stderr = sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    torch.set_num_threads(1)
    with distributed.process_group():
        model, task, recipe = small_case(name, **changes)
        result = train(model, task, recipe)
    state = {"weights": result.model.state_dict(), "loss": result.curve[-1].train_loss}
    state["task"] = task.state_dict()
    torch.save(state, folder / f"{rank}.pt")
