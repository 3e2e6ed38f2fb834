"""Checkpoints: the state of a training on disk, so that a killed one continues where it was.

The file's name holds a hash of everything that decides the result, so a training with another
learning rate, other data or other code never finds it. The folder is no DVC output, because DVC
deletes outputs before a stage runs.

One process at a time trains a model: `training_lock`. And none outlives the `dvc` that started it:
after `kill -9` on DVC its stage would go on, and the next `dvc repro` would start a second one
beside it.
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
from torch import Tensor

from mnist.errors import UserError
from mnist.files import new_file

FOLDER = Path("checkpoints")
LOCK_TIMEOUT = 15.0  # seconds; a stage whose DVC was killed ends within less
# What has state_dict and load_state_dict: model, EMA, optimizer, scheduler, task, learning curve.
Parts = dict[str, Any]


class Checkpoint:
    """One training's latest state, in the file `path`.

    Args:
        seconds: time between two saves.
        resume: whether to continue from what is there; otherwise it is removed.
    """

    def __init__(self, path: Path, seconds: float, *, resume: bool) -> None:
        self.path, self.seconds = path, seconds
        self.last_save = time.perf_counter()
        if not resume:
            path.unlink(missing_ok=True)

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
            state = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged file can raise nearly anything
            reason = str(error).partition("\n")[0]
            print(f"{self.path} cannot be read and is ignored: {reason}", file=sys.stderr)
            return 0
        for name, part in parts.items():
            part.load_state_dict(state[name])
        return state["step"]


def hash_of(settings: dict[str, Any], tensors: list[Tensor]) -> str:
    """Hash what decides a training's result; returns 16 hexadecimal digits.

    Args:
        settings: recipe, seed, device; anything that JSON can express.
        tensors: the data and the initial weights.
    """
    versions = {name: version(name) for name in ("torch", "torchvision", "numpy")}
    total = hashlib.sha256(json.dumps([settings, versions], sort_keys=True).encode())
    modules = [module for name, module in sys.modules.items() if name.split(".")[0] == "mnist"]
    for path in sorted(str(module.__file__) for module in modules):
        total.update(Path(path).read_bytes())
    for tensor in tensors:
        total.update(repr((tensor.dtype, tensor.shape)).encode())
        total.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()[:16]


@contextmanager
def training_lock(path: Path) -> Iterator[None]:
    """Hold the lock file `path` during the block; it is free again however the process ends.

    Raises:
        UserError: another process has held it for `LOCK_TIMEOUT` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    holder = path.with_suffix(".pid")
    lock = FileLock(path)
    try:
        lock.acquire(timeout=LOCK_TIMEOUT)
    except Timeout:
        pid = holder.read_text(encoding="utf-8") if holder.exists() else "unknown"
        raise UserError(
            f"process {pid} is at the same training ({path}); wait until it ends, or stop it."
        ) from None
    try:
        holder.write_text(str(os.getpid()), encoding="utf-8")
        yield
    finally:
        lock.release()


def stop_with_dvc() -> None:
    """If DVC has started this process, stop it, as SIGTERM does, as soon as DVC is gone."""
    if "DVC_STAGE" not in os.environ:
        return
    for process in psutil.Process().parents():
        if any("dvc" in Path(word).name for word in process.cmdline()[:3]):
            threading.Thread(target=_stop_after, args=(process,), daemon=True).start()
            return


def _stop_after(dvc: psutil.Process) -> None:
    dvc.wait()
    os.kill(os.getpid(), signal.SIGTERM)
