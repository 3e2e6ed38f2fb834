"""Checkpoints: the state of a training on disk, so that a killed one continues where it was.

The file's name holds a hash of everything that decides the result, so a training with another
learning rate, other data or other code never finds it. The folder is no DVC output, because DVC
deletes outputs before a stage runs.

One process at a time trains a model: `training_lock`. And none outlives the `dvc` that started it:
after `kill -9` on DVC its stage would go on beside that of the next `dvc repro`.
"""

import hashlib
import io
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import torch
from filelock import FileLock, Timeout
from torch import Tensor, nn

from mnist.errors import UserError
from mnist.files import new_file
from mnist.params import Params

FOLDER = Path("checkpoints")
LOCK_TIMEOUT = 15.0  # seconds; a stage whose DVC was killed ends within less
# What has state_dict and load_state_dict: model, EMA, optimizer, scheduler, task, learning curve.
Parts = dict[str, Any]


class Checkpoint:
    """One training's latest state, in the file `path`, to be saved every `seconds`."""

    def __init__(self, path: Path, seconds: float, device: torch.device | str = "cpu") -> None:
        self.path, self.seconds, self.device = path, seconds, device
        self.last_save = time.perf_counter()

    def is_due(self) -> bool:
        return time.perf_counter() - self.last_save >= self.seconds

    def save(self, parts: Parts, step: int) -> None:
        """Write the state after `step` steps, whole or not at all.

        A full disk costs the checkpoint, not the training.
        """
        state = {name: part.state_dict() for name, part in parts.items()} | {"step": step}
        buffer = io.BytesIO()  # torch.save to a file turns an error of the disk into its own
        torch.save(state, buffer)
        try:
            with new_file(self.path) as partial:
                partial.write_bytes(buffer.getbuffer())
        except OSError as error:
            print(f"no checkpoint was written, training continues: {error}", file=sys.stderr)
        self.last_save = time.perf_counter()

    def load(self, parts: Parts) -> int:
        """Restore the state of `parts` from the file and return the steps done, 0 without one.

        A file that cannot be read is reported and ignored.
        """
        if not self.path.exists():
            return 0
        try:
            state = torch.load(self.path, map_location=self.device, weights_only=True)
        except Exception as error:  # a damaged file can raise nearly anything
            reason = str(error).partition("\n")[0]
            print(f"{self.path} cannot be read and is ignored: {reason}", file=sys.stderr)
            return 0
        for name, part in parts.items():
            part.load_state_dict(state[name])
        return state["step"]


def open_checkpoint(
    name: str, params: Params, model: nn.Module, device: torch.device, data: list[Tensor]
) -> Checkpoint:
    """Return the checkpoint of training model `name`, which starts as `model`, on `data`."""
    settings = [
        model.architecture,
        params.model_dump(include={name, "seed", "precision", "portable"}),
        params.runtime.threads,
        str(device),
        [version(package) for package in ("torch", "torchvision", "numpy")],
    ]
    total = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    modules = [module for name, module in sys.modules.items() if name.split(".")[0] == "mnist"]
    for source in sorted(str(module.__file__) for module in modules):
        total.update(Path(source).read_bytes())
    for tensor in [*data, *model.state_dict().values()]:
        total.update(repr((tensor.dtype, tensor.shape)).encode())
        total.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    path = FOLDER / f"{name}-{total.hexdigest()[:16]}.pt"
    return Checkpoint(path, params.runtime.checkpoint_seconds, device)


@contextmanager
def training_lock(path: Path) -> Iterator[None]:
    """Hold the lock file `path` during the block; it is free again however the process ends.

    Raises:
        UserError: another process has held it for `LOCK_TIMEOUT` seconds.
    """
    try:
        lock = FileLock(path).acquire(timeout=LOCK_TIMEOUT)
    except Timeout:
        raise UserError(
            f"another process is at the same training ({path}); wait until it ends, or stop it."
        ) from None
    with lock:
        yield


def stop_with_dvc() -> None:
    """If DVC has started this process, stop it, as SIGTERM does, as soon as DVC is gone."""
    if "DVC_STAGE" not in os.environ:
        return

    def stop_after(dvc: psutil.Process) -> None:
        dvc.wait()
        os.kill(os.getpid(), signal.SIGTERM)

    for process in psutil.Process().parents():
        if any("dvc" in Path(word).name for word in process.cmdline()[:3]):
            threading.Thread(target=stop_after, args=(process,), daemon=True).start()
            return
