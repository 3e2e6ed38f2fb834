"""Checkpoints: the whole state of a training, so that a killed one goes on where it was.

A checkpoint is a file that ends in the SHA-256 of what stands before, so a damaged one is known
before a byte of it is interpreted. The folder is keyed by everything that decides the result: a
training with another learning rate, other data or other code never finds it. It lies outside DVC's
outs, which DVC deletes before a stage runs.
"""

import hashlib
import io
import json
import shutil
import sys
import threading
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mnist.atomic_io import new_file

FOLDER = Path("checkpoints")
GENERATIONS = 2
DIGEST = hashlib.sha256().digest_size
State = dict[str, Any]


class Checkpoints:
    """The last two states of one training, on disk.

    Args:
        folder: of this training alone.
        seconds: of work between two checkpoints.
        resume: whether to go on from what lies there; otherwise it is removed.
    """

    def __init__(self, folder: Path, seconds: float, *, resume: bool) -> None:
        self.folder = folder
        self.seconds = seconds
        self.last = time.perf_counter()
        self.writer: threading.Thread | None = None
        if not resume:
            self.remove()

    def due(self) -> bool:
        return time.perf_counter() - self.last >= self.seconds

    def save(self, step: int, state: State) -> None:
        """Copy `state`, and write it while training goes on, whole or not at all.

        A disk that takes no more costs the checkpoint, not the training: it is said on stderr.
        """
        self.wait()
        torch.serialization.set_crc32_options(False)  # the SHA-256 does better
        # Into memory first: training changes the state, and torch.save turns an error of the disk,
        # and Ctrl-C, into one of its own.
        copy = io.BytesIO()
        torch.save(state, copy)
        self.writer = threading.Thread(target=self._write, args=(step, copy.getbuffer()))
        self.writer.start()
        self.last = time.perf_counter()

    def wait(self) -> None:
        """Return once what was saved is on the disk."""
        if self.writer:
            self.writer.join()

    def _write(self, step: int, body: memoryview) -> None:
        """Write a checkpoint and drop the generation before the previous one."""
        try:
            path = self.folder / f"{step:09d}.pt"
            with new_file(path) as partial, open(partial, "wb") as file:
                file.write(body)
                file.write(hashlib.sha256(body).digest())
            for old in self._generations()[GENERATIONS:]:
                old.unlink()
        except OSError as error:
            print(f"no checkpoint of step {step}, training goes on: {error}", file=sys.stderr)

    def latest(self) -> State | None:
        """Read the newest state that is whole; tensors come to the CPU.

        A damaged file is set aside under another name, and said on stderr.
        """
        self.wait()
        for path in self._generations():
            content = path.read_bytes()
            body, digest = content[:-DIGEST], content[-DIGEST:]
            if hashlib.sha256(body).digest() == digest:
                return torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
            aside = path.rename(path.with_suffix(".damaged"))
            print(f"{path} is damaged: set aside as {aside.name}", file=sys.stderr)
        return None

    def remove(self) -> None:
        self.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _generations(self) -> list[Path]:
        """The newest first."""
        return sorted(self.folder.glob("*.pt"), reverse=True)


def key(settings: dict[str, Any], tensors: list[Tensor]) -> str:
    """Hash what decides a training's result: settings, data, code and libraries.

    Args:
        settings: recipe, seed, machine settings; anything that JSON can say.
        tensors: the data, and the weights that it starts from.

    Returns:
        64 hexadecimal digits.
    """
    libraries = {name: version(name) for name in ("torch", "torchvision", "numpy")}
    total = hashlib.sha256()
    total.update(json.dumps([settings, libraries, sys.version, _code()], sort_keys=True).encode())
    for tensor in tensors:
        total.update(repr((tensor.dtype, tensor.shape)).encode())
        total.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()


def rng_states(device: torch.device) -> list[Tensor]:
    """What dropout and torchvision's detector draw from: the CPU's generator, the device's."""
    states = [torch.get_rng_state()]
    if device.type != "cpu":
        states.append(torch.get_device_module(device).get_rng_state())
    return states


def set_rng_states(states: list[Tensor], device: torch.device) -> None:
    torch.set_rng_state(states[0])
    if device.type != "cpu":
        torch.get_device_module(device).set_rng_state(states[1])


def _code() -> dict[str, str]:
    """The SHA-256 of every module of ours that this process has loaded."""
    hashes = {}
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if path and (name == "__main__" or name.startswith("stages.")):
            hashes[name] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return hashes
