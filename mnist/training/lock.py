"""One training of a model at a time, and none that outlives the `dvc` that started it.

After `kill -9` on DVC its stage would go on, and the next `dvc repro` would start a second one
beside it.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from mnist.errors import UserError

LOCK_TIMEOUT = 15.0  # seconds; a stage whose DVC was killed ends within less


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
