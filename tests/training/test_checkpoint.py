"""A training that is killed, at whatever moment, ends with the bits of one that was not."""

import copy
import errno
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mnist import atomic_io
from mnist.training import checkpoint
from mnist.training.checkpoint import Checkpoint, Parts, hash_of
from mnist.training.loop import train
from mnist.training.run import open_checkpoint
from tests.small_models import (
    CPU,
    MODELS,
    fingerprint,
    small_case,
    small_model,
    small_params,
    train_small,
)
from tests.training.processes import LIMIT, MOMENTS, Kill, start_training

Uninterrupted = Callable[[str], str]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Uninterrupted:
    """The fingerprint of a model's training without a stop and without checkpoints."""
    known: dict[str, str] = {}

    def result(name: str) -> str:
        if name not in known:
            known[name] = fingerprint(train_small(name), tmp_path_factory.mktemp(name))
        return known[name]

    return result


def kill(name: str, folder: Path, moment: Kill) -> None:
    child = start_training(name, folder, kill=moment)
    child.join(LIMIT)
    assert child.exitcode == -signal.SIGKILL, f"{moment}: {(folder / 'stderr').read_text()}"


def finish(name: str, folder: Path) -> str:
    child = start_training(name, folder)
    child.join(LIMIT)
    assert child.exitcode == 0, (folder / "stderr").read_text()
    return (folder / "result").read_text()


@pytest.mark.parametrize("name", MODELS)
def test_checkpoints_change_nothing(
    tmp_path: Path, uninterrupted: Uninterrupted, name: str
) -> None:
    result = train_small(name, Checkpoint(tmp_path / "checkpoint.pt", 0, resume=True))
    assert fingerprint(result, tmp_path) == uninterrupted(name)


@pytest.mark.faults
@pytest.mark.parametrize("name", MODELS)
def test_every_model_survives_kill_after_kill(
    tmp_path: Path, uninterrupted: Uninterrupted, chaos: bool, name: str
) -> None:
    # The first stops in the middle of an epoch and between two rows of the curve.
    moments: list[Kill] = [("saved", 3), *((moment, 2) for moment in MOMENTS)]
    if chaos:
        moments = [(moment, 1 + number % 2) for number, moment in enumerate(2 * MOMENTS)]
    for moment in moments:
        kill(name, tmp_path, moment)
    assert finish(name, tmp_path) == uninterrupted(name)


@pytest.mark.faults
def test_a_training_killed_at_any_instant_ends_with_the_same_bits(
    tmp_path: Path, uninterrupted: Uninterrupted, chaos: bool
) -> None:
    rng = random.Random(0)
    killed, wanted = 0, 100 if chaos else 3
    for attempt in range(10 * wanted):
        folder = tmp_path / str(attempt)
        child = start_training("cnn", folder)
        wait_for(folder / "checkpoint.pt")
        time.sleep(rng.uniform(0, 0.1))
        child.kill()
        child.join(LIMIT)
        if child.exitcode == -signal.SIGKILL:  # it was not done yet
            killed += 1
            assert finish("cnn", folder) == uninterrupted("cnn"), attempt
        if killed == wanted:
            break
    assert killed == wanted


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + LIMIT
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not come"
        time.sleep(0.005)


class Recorder(Checkpoint):
    """Keeps every state in memory, and loads the one that it is given."""

    def __init__(self, path: Path, loaded: dict[str, Any] | None = None) -> None:
        super().__init__(path, 0, resume=True)
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


PARTS = ["model", "ema", "optimizer", "scheduler", "task", "step", "curve"]


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The state after each step of the ViT, which has dropout and AdamW."""
    recorder = Recorder(tmp_path_factory.mktemp("states") / "checkpoint.pt")
    train_small("vit", recorder)
    return recorder.states


@pytest.mark.parametrize("forgotten", [None, *PARTS, "sum", "steps", "rows"])
def test_each_part_of_a_checkpoint_is_needed(
    tmp_path: Path,
    uninterrupted: Uninterrupted,
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
    resumed = train_small("vit", Recorder(tmp_path / "checkpoint.pt", state))
    assert (fingerprint(resumed, tmp_path) == uninterrupted("vit")) == (forgotten is None)


@pytest.mark.parametrize("last", [12, -1])
def test_a_resumed_training_writes_the_whole_curve_again(
    tmp_path: Path, states: list[dict[str, Any]], last: int
) -> None:
    """DVC deletes the curve, an output, before it starts the stage again."""
    model, task, recipe = small_case("vit")
    recorder, curve = Recorder(tmp_path / "checkpoint.pt", states[last]), tmp_path / "curve.csv"
    result = train(model, task, recipe, checkpoint=recorder, curve_file=curve)
    assert len(curve.read_text().splitlines()) == 1 + len(result.curve) == 9


def counter(value: float) -> nn.Module:
    """A part of a training whose state is one number."""
    module = nn.Module()
    module.register_buffer("value", torch.full((1000,), value))
    return module


def saved_value(checkpoint: Checkpoint) -> float | None:
    part: Any = counter(-1)
    return part.value[0].item() if checkpoint.load({"part": part}) else None


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "code"])
def test_a_checkpoint_that_cannot_be_read_is_ignored_with_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    path = tmp_path / "checkpoint.pt"
    saved = Checkpoint(path, 0, resume=True)
    assert saved.load({}) == 0
    saved.save({"part": counter(3)}, 7)
    assert saved.load({"part": counter(0)}) == 7
    assert saved_value(saved) == 3
    assert capsys.readouterr().err == ""

    content = path.read_bytes()
    path.write_bytes(
        {
            "empty": b"",
            "cut": content[: len(content) // 2],
            "text": b"no checkpoint\n",
            "code": f"cos\nsystem\n(S'touch {tmp_path}/executed'\ntR.".encode(),
        }[damage]
    )
    assert saved.load({"part": counter(0)}) == 0
    assert "checkpoint.pt cannot be read and is ignored: " in capsys.readouterr().err
    assert not (tmp_path / "executed").exists()


def test_a_checkpoint_is_removed_where_a_training_shall_not_resume(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    Checkpoint(path, 0, resume=True).save({}, 7)
    assert Checkpoint(path, 0, resume=False).load({}) == 0
    assert not path.exists()


def test_a_checkpoint_is_due_when_its_time_has_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    saved = Checkpoint(tmp_path / "checkpoint.pt", 60, resume=True)
    now += 59
    assert not saved.is_due()
    now += 1
    assert saved.is_due()
    saved.save({}, 1)
    assert not saved.is_due()


@pytest.mark.faults
@pytest.mark.parametrize("failing", ["write_bytes", "fsync", "replace"])
def test_a_save_that_fails_leaves_the_one_before(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failing: str,
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    saved = Checkpoint(tmp_path / "checkpoint.pt", 0, resume=True)
    saved.save({"part": counter(1)}, 1)
    with monkeypatch.context() as patch:
        patch.setattr(Path if failing == "write_bytes" else os, failing, fail)
        saved.save({"part": counter(2)}, 2)
    assert "no checkpoint was written, training continues: " in capsys.readouterr().err
    assert saved_value(saved) == 1
    assert list(tmp_path.iterdir()) == [saved.path]


@pytest.mark.faults
def test_a_full_disk_costs_only_the_checkpoints(
    tmp_path: Path, uninterrupted: Uninterrupted
) -> None:
    child = start_training("cnn", tmp_path, largest_file=40_000)  # a checkpoint has 77,000 bytes
    child.join(LIMIT)
    assert child.exitcode == 0
    messages = (tmp_path / "stderr").read_text()
    assert messages.count("no checkpoint was written, training continues: ") == 16  # steps
    assert (tmp_path / "result").read_text() == uninterrupted("cnn")
    assert not (tmp_path / "checkpoint.pt").exists()


@pytest.mark.faults
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_training_that_is_told_to_stop_continues_later(
    tmp_path: Path, uninterrupted: Uninterrupted, sent: int, code: int
) -> None:
    child = start_training("vit", tmp_path)
    wait_for(tmp_path / "checkpoint.pt")
    os.kill(child.pid, sent)
    child.join(LIMIT)
    assert child.exitcode == code
    assert "Traceback" not in (tmp_path / "stderr").read_text()
    assert not list(tmp_path.rglob("*.tmp"))
    assert (tmp_path / "checkpoint.pt").exists()
    assert finish("vit", tmp_path) == uninterrupted("vit")


def test_whatever_decides_a_result_is_in_the_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = torch.arange(4.0)
    settings: dict[str, Any] = {"lr": 0.1, "seed": 1}
    before = hash_of(settings, [data])
    assert hash_of(dict(settings), [data.clone()]) == before
    changed = {
        before,
        hash_of(settings | {"lr": 0.2}, [data]),
        hash_of(settings, [data + 1]),
        hash_of(settings, [data.view(2, 2)]),
        hash_of(settings, [data.to(torch.float64)]),
    }
    assert len(changed) == 5
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "version", lambda _: "0")
        assert hash_of(settings, [data]) != before
    code = tmp_path / "atomic_io.py"
    code.write_text(Path(atomic_io.__file__).read_text() + "# changed\n")
    monkeypatch.setattr(atomic_io, "__file__", str(code))
    assert hash_of(settings, [data]) != before


def test_trainings_with_other_settings_have_other_checkpoints() -> None:
    params = small_params()
    model = small_model("vit", params)

    def path(**changes: Any) -> Path:
        return open_checkpoint("vit", params.model_copy(update=changes), model, CPU, []).path

    runtime = params.runtime
    others = [
        path(seed=2),
        path(precision="bfloat16"),
        path(portable=False),
        path(vit=params.vit.model_copy(update={"lr": 0.1})),
        path(runtime=runtime.model_copy(update={"threads": 7})),
        path(runtime=runtime.model_copy(update={"compile": True})),
    ]
    assert len({path(), *others}) == 1 + len(others)
    assert path(runtime=runtime.model_copy(update={"checkpoint_seconds": 1})) == path()
