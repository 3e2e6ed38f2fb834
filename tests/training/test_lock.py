"""One training of a model at a time, and none that outlives the DVC that started it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mnist.errors import UserError
from mnist.training import lock
from mnist.training.lock import training_lock
from tests.conftest import ROOT

HOLDER = """
import sys, time
from pathlib import Path
from mnist.training.lock import training_lock
with training_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(120)
"""
STAGE = """
import os, sys, time
from pathlib import Path
from mnist.errors import run
from mnist.training.lock import stop_with_dvc

def main():
    stop_with_dvc()
    Path("started.tmp").write_text(str(os.getpid()))
    Path("started.tmp").rename("started")
    try:
        time.sleep(120)
    finally:
        Path("ended").touch()

run(main)
"""
# Starts its arguments and waits, as DVC does; DVC starts a shell that starts the stage.
DVC = """
import subprocess, sys
subprocess.run(sys.argv[1:])
"""


def test_a_second_training_is_refused_until_the_first_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "LOCK_TIMEOUT", 0.2)
    path = tmp_path / "checkpoints/cnn.0.lock"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(UserError, match=f"process {holder.pid} is at the same training"),
            training_lock(path),
        ):
            pass
        with training_lock(path.with_name("vit.0.lock")):
            pass
        holder.kill()
    for _ in range(2):  # free after the block too
        with training_lock(path):
            assert path.with_suffix(".pid").read_text() == str(os.getpid())


@pytest.mark.parametrize("shell", [False, True])
@pytest.mark.parametrize("under_dvc", [True, False])
def test_a_stage_ends_soon_after_the_dvc_that_started_it(
    tmp_path: Path, shell: bool, under_dvc: bool
) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    environment.pop("DVC_STAGE", None)
    if under_dvc:
        environment["DVC_STAGE"] = "train_cnn"
    for name, code in (("dvc", DVC), ("stage.py", STAGE)):
        (tmp_path / name).write_text(code)
    stage = [sys.executable, "stage.py"]
    if shell:  # the second command keeps the shell from becoming the first
        stage = ["/bin/sh", "-c", f"'{sys.executable}' stage.py; true"]
    command = [sys.executable, str(tmp_path / "dvc"), *stage]
    with subprocess.Popen(command, env=environment, cwd=tmp_path, process_group=0) as dvc:
        try:
            assert exists(tmp_path / "started", 60)
            assert not exists(tmp_path / "ended", 0.5)
            dvc.kill()
            dvc.wait()
            assert exists(tmp_path / "ended", 60 if under_dvc else 1) == under_dvc
        finally:
            os.killpg(dvc.pid, signal.SIGKILL)


def exists(path: Path, seconds: float) -> bool:
    """Wait until the file is there, or the time is over."""
    deadline = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return path.exists()
