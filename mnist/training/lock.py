"""One training of a model at a time, and none that outlives the `dvc` that started it.

`kill -9` on DVC leaves its stage running, and the next `dvc repro` would start a second one beside
it, both writing the same files.
"""

import fcntl
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mnist.errors import UserError

PATIENCE = 15.0  # seconds that a process has to die in whose DVC was killed


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Hold `lock` while the block runs; the system lets go of it however the process ends.

    Raises:
        UserError: another process has held it for `PATIENCE` seconds.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with open(lock, "a+", encoding="utf-8") as file:
        end = time.monotonic() + PATIENCE
        while not _taken(file.fileno()):
            if time.monotonic() > end:
                file.seek(0)
                raise UserError(
                    f"process {file.read()} is at the same training ({lock}); wait until it ends, "
                    "or stop it."
                )
            time.sleep(0.1)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def die_with_dvc() -> None:
    """Where DVC has started this process, end it as SIGTERM does once DVC is gone."""
    if "DVC_STAGE" in os.environ:
        threading.Thread(target=_outlive_not, args=(os.getppid(),), daemon=True).start()


def _outlive_not(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
