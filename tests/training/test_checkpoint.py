"""A training that is killed, at whatever moment, ends with the bits of one that was not."""

import copy
import errno
import os
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mnist.errors import UserError
from mnist.training import checkpoint
from mnist.training.checkpoint import Checkpoint, Parts, open_checkpoint, training_lock
from tests.conftest import ROOT
from tests.small_models import CPU, MODELS, fingerprint, small_model, small_params, train_small
from tests.training.processes import LIMIT, MOMENTS, Kill, start_training

PARTS = ["model", "ema", "optimizer", "scheduler", "task", "step", "curve"]


@cache
def uninterrupted(name: str) -> str:
    """Return the fingerprint of a model's training without a stop and without checkpoints."""
    return fingerprint(train_small(name))


def finish(name: str, folder: Path) -> str:
    child = start_training(name, folder)
    child.join(LIMIT)
    assert child.exitcode == 0, (folder / "output").read_text()
    return (folder / "result").read_text()


# In the middle of a save; and after one, in the middle of an epoch and between rows of the curve.
TWO: list[Kill] = [("write", 2), ("saved", 3)]
ALL: list[Kill] = [(moment, number) for number in (2, 1) for moment in MOMENTS]


@pytest.mark.parametrize(
    ("name", "moments"),
    [(name, TWO) for name in ("cnn", "vit", "frcnn")]
    + [pytest.param(name, ALL, marks=pytest.mark.slow) for name in MODELS],
)
def test_a_training_survives_kill_after_kill(
    tmp_path: Path, name: str, moments: list[Kill]
) -> None:
    for moment in moments:
        child = start_training(name, tmp_path, kill=moment)
        child.join(LIMIT)
        assert child.exitcode == -signal.SIGKILL, f"{moment}: {(tmp_path / 'output').read_text()}"
    assert finish(name, tmp_path) == uninterrupted(name)


class InMemory(Checkpoint):
    """Keeps every state in memory, and loads the one that it is given."""

    def __init__(self, loaded: dict[str, Any] | None = None) -> None:
        super().__init__(Path("never written"), 0)
        self.states: list[dict[str, Any]] = []
        self.loaded = loaded

    def save(self, parts: Parts, step: int) -> None:
        state = {name: part.state_dict() for name, part in parts.items()}
        self.states.append(copy.deepcopy(state | {"step": step}))

    def load(self, parts: Parts) -> int:
        if self.loaded is None:
            return 0
        state = copy.deepcopy(self.loaded)  # a training changes what it was given
        for name, part in parts.items():
            part.load_state_dict(state[name])
        return state["step"]


@pytest.fixture(scope="module")
def states() -> list[dict[str, Any]]:
    """The state after each step of the ViT, which has dropout and AdamW."""
    kept = InMemory()
    train_small("vit", kept)
    return kept.states


@pytest.mark.parametrize("forgotten", [None, *PARTS, "sum", "steps", "rows"])
def test_each_part_of_a_checkpoint_is_needed(
    states: list[dict[str, Any]],
    forgotten: str | None,
) -> None:
    """With any part as it was after the first step, the training ends with other bits."""
    assert set(states[0]) == set(PARTS)
    state = states[12]  # in the second epoch of ten steps, between two rows of the curve
    assert (state["step"], state["curve"]["steps"]) == (13, 1)
    before = {"sum": torch.zeros(()), "steps": 0, "rows": []}
    if forgotten in before:
        state = state | {"curve": state["curve"] | {forgotten: before[forgotten]}}
    elif forgotten:
        state = state | {forgotten: states[0][forgotten]}
    resumed = train_small("vit", InMemory(state))
    assert (fingerprint(resumed) == uninterrupted("vit")) == (forgotten is None)


def counter(value: float) -> Any:
    """A part of a training whose state is one number."""
    module = nn.Module()
    module.register_buffer("value", torch.full((1000,), value))
    return module


def full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(("where", "failing"), [(Path, "write_bytes"), (os, "replace")])
def test_a_full_disk_leaves_the_checkpoint_before(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    where: Any,
    failing: str,
) -> None:
    saved = Checkpoint(tmp_path / "checkpoint.pt", 0)
    saved.save({"part": counter(1)}, 1)
    with monkeypatch.context() as patch:
        patch.setattr(where, failing, full)
        saved.save({"part": counter(2)}, 2)
    assert "no checkpoint was written, training continues: " in capsys.readouterr().err
    part = counter(0)
    assert saved.load({"part": part}) == 1
    assert part.value[0] == 1
    assert list(tmp_path.iterdir()) == [saved.path]


@pytest.mark.parametrize("damage", ["empty", "cut", "code"])
def test_a_checkpoint_that_cannot_be_read_is_ignored_with_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    saved = Checkpoint(tmp_path / "checkpoint.pt", 0)
    saved.save({"part": counter(3)}, 7)
    content = saved.path.read_bytes()
    code = f"cos\nsystem\n(S'touch {tmp_path}/executed'\ntR.".encode()
    saved.path.write_bytes(
        {"empty": b"", "cut": content[: len(content) // 2], "code": code}[damage]
    )
    assert saved.load({"part": counter(0)}) == 0
    assert "checkpoint.pt cannot be read and is ignored: " in capsys.readouterr().err
    assert not (tmp_path / "executed").exists()


def test_whatever_decides_a_result_decides_the_name_of_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = small_params()
    model, data, vit, runtime = (
        small_model("vit", params),
        torch.ones(4),
        params.vit,
        params.runtime,
    )

    def path(tensors: torch.Tensor = data, **changes: Any) -> Path:
        changed = params.model_copy(update=changes)
        return open_checkpoint("vit", changed, model, CPU, [tensors]).path

    paths = [path(), path(data + 1), path(data.view(2, 2)), path(data.double()), path(seed=2)]
    paths += [path(precision="bfloat16"), path(portable=False)]
    paths += [path(vit=vit.model_copy(update={"lr": 0.1}))]
    paths += [path(runtime=runtime.model_copy(update={"threads": 7}))]
    assert path(runtime=runtime.model_copy(update={"checkpoint_seconds": 1})) == path()
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "version", lambda _: "0")
        paths.append(path())
    code = tmp_path / "code.py"
    code.write_text(Path(str(checkpoint.__file__)).read_text() + "# changed\n")
    monkeypatch.setattr(checkpoint, "__file__", str(code))
    assert len({path(), *paths}) == 1 + len(paths)


def test_a_second_training_of_a_model_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "LOCK_TIMEOUT", 0.1)
    path = tmp_path / "checkpoints/cnn.0.lock"
    for _ in range(2):  # free after the block
        with training_lock(path), training_lock(path.with_name("vit.0.lock")):
            message = "another process is at the same training"
            with pytest.raises(UserError, match=message), training_lock(path):
                pass


STAGE = """
import time
from mnist.training.checkpoint import stop_with_dvc
stop_with_dvc()
print("started", flush=True)
time.sleep(120)
print("never stopped")
"""


def test_a_stage_ends_with_the_dvc_that_started_it(tmp_path: Path) -> None:
    (tmp_path / "dvc").write_text("import subprocess, sys; subprocess.run(sys.argv[1:])")
    (tmp_path / "stage.py").write_text(STAGE)
    # DVC starts a shell; the second command keeps the shell from becoming the first.
    shell = ["/bin/sh", "-c", f"'{sys.executable}' stage.py; true"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DVC_STAGE": "train_cnn"}
    command = [sys.executable, str(tmp_path / "dvc"), *shell]
    with subprocess.Popen(
        command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as dvc:
        assert dvc.stdout is not None
        assert dvc.stdout.readline() == "started\n"
        dvc.kill()
        dvc.wait()
        assert dvc.stdout.read() == ""  # which waits for the last process to end
