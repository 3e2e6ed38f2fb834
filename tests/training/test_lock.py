"""One training at a time, and none without the DVC that started it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mnist.errors import UserError
from mnist.training import lock as module
from mnist.training.lock import alone

HOLDER = """
import sys, time
from pathlib import Path
from mnist.training.lock import alone
with alone(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""
STAGE = """
import sys, time
from pathlib import Path
from mnist.training.lock import die_with_dvc
from mnist.errors import run
def main():
    die_with_dvc()
    Path(sys.argv[1], "started").touch()
    try:
        time.sleep(60)
    finally:
        Path(sys.argv[1], "ended").touch()
run(main)
"""


def test_a_second_training_is_refused_and_a_killed_one_lets_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.3)
    lock = tmp_path / "checkpoints/cnn.lock"
    command = [sys.executable, "-c", HOLDER, str(lock)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(UserError, match=f"process {holder.pid} is at the same training"),
            alone(lock),
        ):
            pass
        holder.kill()
    with alone(lock):
        assert lock.read_text() == str(os.getpid())


@pytest.mark.parametrize("under_dvc", [True, False])
def test_a_stage_ends_soon_after_the_dvc_that_started_it(tmp_path: Path, under_dvc: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DVC_STAGE"}
    if under_dvc:
        environment["DVC_STAGE"] = "train_cnn"
    start = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {STAGE!r}, sys.argv[1]])"
    )
    command = [sys.executable, "-c", start, str(tmp_path)]
    with subprocess.Popen(command, env=environment, process_group=0) as dvc:
        wait_for(tmp_path / "started", 20)
        dvc.kill()
    assert wait_for(tmp_path / "ended", 10 if under_dvc else 1.5) == under_dvc
    if not under_dvc:
        os.killpg(dvc.pid, signal.SIGTERM)


def wait_for(path: Path, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.05)
    return path.exists()
