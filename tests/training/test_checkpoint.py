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

from mnist import atomic_io
from mnist.errors import UserError
from mnist.training import checkpoint
from mnist.training.checkpoint import Checkpoints, key
from mnist.training.loop import train
from mnist.training.run import open_checkpoints
from tests.conftest import Faults
from tests.small_models import (
    CPU,
    MODELS,
    Kill,
    fingerprint,
    run_tiny,
    start,
    tiny,
    tiny_params,
)

SAVES = 18  # of the tiny CNN: after each of 16 steps, and at the end of both epochs besides
WHERE = ("write", "fsync", "replace", "replaced", "saved")


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """The result of a model's training without a stop and without checkpoints."""
    known: dict[str, str] = {}

    def result(name: str) -> str:
        if name not in known:
            known[name] = fingerprint(run_tiny(name), tmp_path_factory.mktemp("unbroken"))
        return known[name]

    return result


def killed(name: str, folder: Path, kill: Kill) -> None:
    child = start(name, folder, kill)
    child.join(60)
    assert child.exitcode == -9, f"{kill} did not strike"


def finished(name: str, folder: Path) -> str:
    child = start(name, folder)
    child.join(60)
    assert child.exitcode == 0
    return (folder / "result").read_text()


def test_checkpoints_change_nothing(tmp_path: Path, unbroken: Callable[[str], str]) -> None:
    for name in MODELS:
        assert finished(name, tmp_path / name) == unbroken(name), name


@pytest.mark.faults
def test_a_kill_at_every_step_is_survived(
    tmp_path: Path, unbroken: Callable[[str], str], faults: Faults
) -> None:
    for _ in range(SAVES):  # each run gets to its first checkpoint, one step further
        killed("cnn", tmp_path, Kill("saved", 1))
    with faults("SIGKILL at a step", SAVES):
        assert finished("cnn", tmp_path) == unbroken("cnn")


@pytest.mark.faults
def test_a_kill_during_every_save_is_survived(
    tmp_path: Path, unbroken: Callable[[str], str], faults: Faults, chaos: bool
) -> None:
    for where in WHERE[:-1]:
        # Two fsyncs a save: of the file and of its folder.
        calls = 2 * SAVES if where == "fsync" else SAVES
        for number in range(1, calls + 1) if chaos else (1, 12):
            folder = tmp_path / f"{where}{number}"
            with faults(f"SIGKILL in a save ({where})"):
                killed("cnn", folder, Kill(where, number))
                assert finished("cnn", folder) == unbroken("cnn"), (where, number)


@pytest.mark.faults
@pytest.mark.parametrize("name", MODELS)
def test_every_model_survives_kill_after_kill(
    tmp_path: Path, unbroken: Callable[[str], str], faults: Faults, chaos: bool, name: str
) -> None:
    # Each "saved" gets one save further, so two of them are in one epoch; the others get nowhere.
    # VGG16, of the fewest saves, has five.
    several = ["saved", "replace", "saved", "write", "fsync", "replace"]
    several += ["saved", "fsync", "write", "saved", "replace", "fsync"]
    wanted = several if chaos else several[:4]
    with faults(f"SIGKILL, {name}", len(wanted)):
        for where in wanted:
            killed(name, tmp_path, Kill(where, 1))
        assert finished(name, tmp_path) == unbroken(name)


@pytest.mark.faults
def test_a_kill_at_any_instant_is_survived(
    tmp_path: Path, unbroken: Callable[[str], str], faults: Faults, chaos: bool
) -> None:
    rng = random.Random(0)
    struck, wanted = 0, 120 if chaos else 5
    for attempt in range(1000):
        if struck == wanted:
            break
        folder = tmp_path / str(attempt)
        child = start("cnn", folder)
        child.join(rng.uniform(0.02, 0.4))
        if child.exitcode is None:
            with faults("SIGKILL at an instant"):
                child.kill()
                child.join()
                assert finished("cnn", folder) == unbroken("cnn"), attempt
            struck += 1
    assert struck == wanted


@pytest.mark.parametrize(
    "forgotten",
    [
        "model",
        "average",
        "optimizer",
        "schedule",
        "epoch_start",
        "first",
        "step",
        "loss_sum",
        "curve",
        "rng",
    ],
)
def test_whatever_a_checkpoint_forgot_would_show(
    tmp_path: Path,
    unbroken: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    forgotten: str,
) -> None:
    """The negative control: with any one part as it was at the start, the results differ."""
    # The ViT's dropout draws from PyTorch's own generator. The 14th save is in the second epoch.
    first, last = (state_after("vit", saves, tmp_path / str(saves)) for saves in (1, 14))
    assert 10 == last["first"] < last["step"] < 16
    checkpoints = Checkpoints(tmp_path / "resumed", 1000, resume=True)
    # A training moves what it was given, so each gets a copy.
    monkeypatch.setattr(checkpoints, "latest", lambda: copy.deepcopy(last))
    assert fingerprint(run_tiny("vit", checkpoints), tmp_path) == unbroken("vit")

    first["loss_sum"], first["curve"] = torch.zeros(()), []
    if forgotten == "step":  # the place in the epoch's order
        first["step"] = last["first"]
    changed = last | {forgotten: first[forgotten]}
    monkeypatch.setattr(checkpoints, "latest", lambda: copy.deepcopy(changed))
    assert fingerprint(run_tiny("vit", checkpoints), tmp_path) != unbroken("vit")


def state_after(name: str, saves: int, folder: Path) -> dict[str, Any]:
    killed(name, folder, Kill("saved", saves))
    state = Checkpoints(folder / "checkpoints", 0, resume=True).latest()
    assert state is not None
    return state


def test_two_generations_are_kept_and_a_damaged_one_is_set_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints = Checkpoints(tmp_path, 0, resume=True)
    assert checkpoints.latest() is None
    for step in (1, 2, 10):
        checkpoints.save(step, {"step": step})
    checkpoints.wait()
    old, new = sorted(tmp_path.iterdir())
    assert checkpoints.latest() == {"step": 10}

    content = bytearray(new.read_bytes())
    content[len(content) // 2] ^= 1
    new.write_bytes(content)
    assert checkpoints.latest() == {"step": 2}
    assert "is damaged: set aside as" in capsys.readouterr().err
    old.write_bytes(old.read_bytes()[:-1])
    assert checkpoints.latest() is None
    assert {path.suffix for path in tmp_path.iterdir()} == {".damaged"}

    checkpoints.remove()
    assert not tmp_path.exists()


def test_a_damaged_checkpoint_is_not_interpreted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.joinpath("000000007.pt").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was parsed"))
    assert Checkpoints(tmp_path, 0, resume=True).latest() is None


@pytest.mark.faults
@pytest.mark.parametrize("failing", ["open", "fsync", "replace"])
def test_a_save_that_fails_leaves_the_one_before(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    faults: Faults,
    failing: str,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    checkpoints = Checkpoints(tmp_path / "checkpoints", 0, resume=True)
    checkpoints.save(0, {"before": 1})
    checkpoints.wait()
    with faults(f"failing {failing} in a save"):
        with monkeypatch.context() as patch:
            if failing == "open":
                patch.setattr(checkpoint, "open", fail, raising=False)
            else:
                patch.setattr(os, failing, fail)
            checkpoints.save(1, {"after": 1})
            checkpoints.wait()
        assert "no checkpoint of step 1, training goes on" in capsys.readouterr().err
        assert checkpoints.latest() == {"before": 1}
        assert len(list((tmp_path / "checkpoints").iterdir())) == 1


@pytest.mark.faults
@pytest.mark.parametrize("room", [5_000, 40_000])
def test_a_disk_that_is_full_throughout_costs_the_checkpoints_alone(
    tmp_path: Path, unbroken: Callable[[str], str], faults: Faults, room: int
) -> None:
    with faults("no room for a checkpoint", SAVES):
        child = start("cnn", tmp_path, largest_file=room)
        child.join(60)
        assert child.exitcode == 0
        said = (tmp_path / "stderr").read_text()
        assert said.count("training goes on: ") == SAVES
        assert "Traceback" not in said
        assert (tmp_path / "result").read_text() == unbroken("cnn")
        assert not list((tmp_path / "checkpoints").iterdir())


@pytest.mark.faults
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_training_that_is_told_to_stop_goes_on_later(
    tmp_path: Path, unbroken: Callable[[str], str], faults: Faults, sent: int, code: int
) -> None:
    with faults(signal.Signals(sent).name):
        child = start("vit", tmp_path)
        while not list(tmp_path.glob("checkpoints/00000000[3-9].pt")):
            time.sleep(0.005)
        os.kill(child.pid, sent)
        child.join(60)
        assert child.exitcode == code
        assert "Traceback" not in (tmp_path / "stderr").read_text()
        assert not list(tmp_path.rglob("*.tmp"))
        assert finished("vit", tmp_path) == unbroken("vit")


def test_what_has_diverged_is_not_kept(tmp_path: Path) -> None:
    model, task, recipe = tiny("cnn")
    recipe = recipe.model_copy(update={"lr": 1e30, "warmup": 0.5, "epochs": 4})
    checkpoints = Checkpoints(tmp_path, 0, resume=True)
    with pytest.raises(UserError, match=r"step \d+ .*learning rate"):
        train(model, task, recipe, 0, CPU, checkpoints=checkpoints)
    state = checkpoints.latest()
    assert state is not None  # from before it diverged
    assert all(value.isfinite().all() for value in state["model"].values())


def test_the_key_tells_trainings_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    data = torch.arange(4.0)
    settings: dict[str, Any] = {"lr": 0.1, "seed": 1}
    same = key(settings, [data])
    assert same == key(dict(settings), [data.clone()])
    assert len({same, key(settings | {"lr": 0.2}, [data]), key(settings, [data + 1])}) == 3
    assert key(settings, [data]) != key(settings, [data.view(2, 2)])
    monkeypatch.setattr(checkpoint, "version", lambda _: "0")
    assert key(settings, [data]) != same


def test_every_setting_has_a_folder_of_its_own() -> None:
    params = tiny_params()

    def folder(how: str = "float32", **changes: Any) -> Path:
        changed = params.model_copy(update=changes)
        recipe = changed.vit
        return open_checkpoints("vit", recipe, changed, {"precision": how}, []).folder

    runtime = params.runtime
    others = [
        folder("bfloat16"),
        folder(seed=2),
        folder(vit=params.vit.model_copy(update={"lr": 0.1})),
        folder(runtime=runtime.model_copy(update={"threads": 7})),
        folder(runtime=runtime.model_copy(update={"compile": True})),
    ]
    assert len({folder(), *others}) == 6
    assert folder(runtime=runtime.model_copy(update={"checkpoint_seconds": 1})) == folder()


def test_the_key_depends_on_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = key({}, [])
    changed = tmp_path / "files.py"
    changed.write_text(Path(atomic_io.__file__).read_text() + "# changed\n")
    monkeypatch.setattr(files, "__file__", str(changed))
    assert key({}, []) != before
