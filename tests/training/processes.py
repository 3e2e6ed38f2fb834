"""Small trainings in processes of their own, to be killed or to train together."""

import multiprocessing
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # every optimizer imports it, in each child anew if not here

from mnist.errors import run
from mnist.training import distributed
from mnist.training.checkpoint import Checkpoint
from mnist.training.loop import train
from tests.small_models import CPU, fingerprint, small_case, train_small

LIMIT = 120.0  # seconds that a child may take on a busy machine

# Moments of a save: half the file written; before its fsync; before and after the rename; done.
MOMENTS = ("write", "fsync", "rename", "renamed", "saved")
Kill = tuple[str, int]
"""SIGKILL at one of MOMENTS, in the save of that number"""

# A server that has imported everything forks each child, which then starts in milliseconds.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.training.processes"])


def start_training(
    name: str, folder: Path, *, kill: Kill | None = None, largest_file: int | None = None
) -> Any:
    """Start to train a small model with a checkpoint after every step, in `folder`.

    Args:
        largest_file: bytes that a file may have, which stands for a full disk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arguments = (name, folder, kill, largest_file)
    return _start(_train, arguments)


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


def _train(name: str, folder: Path, kill: Kill | None, largest_file: int | None) -> None:
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = open(folder / "stderr", "w")  # noqa: SIM115
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if kill:
        _install(*kill)
    if largest_file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY))

    def main() -> None:
        result = train_small(name, Checkpoint(folder / "checkpoint.pt", 0, resume=True))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        (folder / "result").write_text(fingerprint(result, folder))

    run(main)


def _train_together(name: str, folder: Path, rank: int, port: int, changes: dict[str, Any]) -> None:
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    sys.stderr = sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    torch.set_num_threads(1)
    with distributed.process_group(CPU):
        model, task, recipe = small_case(name, **changes)
        result = train(model, task, recipe)
    state = {"weights": result.model.state_dict(), "loss": result.curve[-1].train_loss}
    state["task"] = task.state_dict()
    torch.save(state, folder / f"{rank}.pt")


def _install(moment: str, number: int) -> None:
    """Let this process kill itself in the save of that number."""
    saves = 0

    def die() -> None:
        if saves == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(save: Callable[..., None]) -> Callable[..., None]:
        def counting(*arguments: Any) -> None:
            nonlocal saves
            saves += 1
            save(*arguments)
            if moment == "saved":
                die()

        return counting

    def dying(function: Callable[..., Any], *, after: bool = False) -> Callable[..., Any]:
        def wrapper(*arguments: Any) -> Any:
            if not after:
                die()
            result = function(*arguments)
            die()
            return result

        return wrapper

    def write_half(path: Path, content: Any) -> None:
        if saves == number:
            with path.open("wb") as file:
                file.write(content[: len(content) // 2])
        die()
        write_bytes(path, content)

    write_bytes = Path.write_bytes
    patched: Any = Checkpoint
    patched.save = counted(Checkpoint.save)
    match moment:
        case "write":
            Path.write_bytes = write_half  # type: ignore[assignment,method-assign]
        case "fsync":
            os.fsync = dying(os.fsync)
        case "rename":
            os.replace = dying(os.replace)
        case "renamed":
            os.replace = dying(os.replace, after=True)
