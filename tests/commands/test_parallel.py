"""`python -m mnist parallel` runs independent stages of dvc.yaml side by side."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from tests.conftest import ROOT

# first -> left, right -> last. A stage notes when it begins and ends.
DEPENDS_ON = {"first": [], "left": ["first"], "right": ["first"], "last": ["left", "right"]}
WORK = """\
echo {name} begins >> events.log
sh {name}.sh || exit 1
cp {name}.sh {name}.out
echo {name} ends >> events.log"""
STAGES = {
    name: {
        "cmd": WORK.format(name=name),
        "deps": [f"{name}.sh", *(f"{other}.out" for other in others)],
        "outs": [f"{name}.out"],
    }
    for name, others in DEPENDS_ON.items()
}
# Each of two stages ends only if both run at the same time.
MEET = "touch {0}.here; while ! test -e {1}.here; do sleep 0.02; done"
SIGNALS = [None, signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
COMMAND = (sys.executable, "-m", "mnist", "parallel", "--jobs")
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}))
    for name in STAGES:
        Path(f"{name}.sh").write_text("")
    for command in ("git init --quiet", "dvc init --quiet", "git add --all", "git commit -qm x"):
        user = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
        first, *rest = command.split()
        subprocess.run([first, *(user if first == "git" else ()), *rest], check=True)
    return tmp_path


def events() -> list[str]:
    log = Path("events.log")
    lines = log.read_text().splitlines()
    log.unlink()
    return lines


def test_independent_stages_run_at_the_same_time_and_the_others_in_order(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, other in (("left", "right"), ("right", "left")):
        Path(f"{name}.sh").write_text(MEET.format(name, other))
    subprocess.run([*COMMAND, "2"], env=ENVIRONMENT, check=True)
    assert "left: Running stage 'left':" in capfd.readouterr().out
    lines = events()
    assert lines[:2] == ["first begins", "first ends"]
    assert set(lines[2:4]) == {"left begins", "right begins"}
    assert lines[-2:] == ["last begins", "last ends"]
    subprocess.run(["dvc", "repro", "--quiet"], check=True)
    assert not Path("events.log").exists()


@pytest.mark.parametrize("number", SIGNALS)
def test_a_failure_or_a_kill_ends_the_others_and_the_next_run_goes_on(
    project: Path, number: signal.Signals | None
) -> None:
    # A shell goes on after Ctrl-C if its command has just ended by itself, so these have none.
    sleeping = ": > {}.here; exec sleep 600"
    left = "exit 1" if number is None else sleeping.format("left")
    Path("left.sh").write_text(f"while ! test -e right.here; do sleep 0.02; done; {left}")
    Path("right.sh").write_text(sleeping.format("right"))
    process = subprocess.Popen([*COMMAND, "2"], env=ENVIRONMENT)
    while number and not Path("left.here").exists():
        assert process.poll() is None
        time.sleep(0.02)
    if number:
        process.send_signal(number)
    assert process.wait(timeout=300) == {None: 1, signal.SIGTERM: 143, signal.SIGINT: 130}[number]
    assert not [p for p in psutil.process_iter(["cwd"]) if p.info["cwd"] == str(project)][1:]
    assert [line for line in events() if "ends" in line] == ["first ends"]
    for name in ("left", "right"):
        Path(f"{name}.sh").write_text("")
    subprocess.run(["dvc", "repro", "--quiet"], check=True)
    assert {line.split()[0] for line in events()} == {"left", "right", "last"}
