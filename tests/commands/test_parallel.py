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
from dvc.lock import Lock

from tests.conftest import ROOT

# first -> left, right -> last. A stage notes when it begins and ends.
WORK = """\
import pathlib, sys, time
name = sys.argv[1]
def note(event):
    with open("events.log", "a") as log:
        log.write(f"{name} {event}\\n")
def wait_for(path):
    deadline = time.monotonic() + 60
    while not pathlib.Path(path).exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.02)
note("begins")
exec(pathlib.Path(f"{name}.py").read_text())
pathlib.Path(f"{name}.out").write_text(pathlib.Path(f"{name}.py").read_text())
note("ends")
"""
DEPENDS_ON = {"first": [], "left": ["first"], "right": ["first"], "last": ["left", "right"]}
STAGES = {
    name: {
        "cmd": f"{sys.executable} work.py {name}",
        "deps": ["work.py", f"{name}.py", *(f"{other}.out" for other in others)],
        "outs": [f"{name}.out"],
    }
    for name, others in DEPENDS_ON.items()
}
COMMAND = (sys.executable, "-m", "mnist", "parallel", "--jobs")
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
ENVIRONMENT.pop("OMP_WAIT_POLICY", None)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "work.py").write_text(WORK)
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}))
    for name in STAGES:
        (tmp_path / f"{name}.py").write_text("")
    subprocess.run(["dvc", "init", "--no-scm", "--quiet"], check=True)
    return tmp_path


def run(jobs: int, *, code: int = 0) -> str:
    result = subprocess.run(
        [*COMMAND, str(jobs)], env=ENVIRONMENT, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout + result.stderr


def events(project: Path) -> list[str]:
    log = project / "events.log"
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return lines


def is_up_to_date() -> bool:
    status = subprocess.run(["dvc", "status"], capture_output=True, text=True, check=True)
    return "up to date" in status.stdout


def meet(project: Path) -> None:
    """Let `left` and `right` end only if both run at the same time."""
    for name, other in (("left", "right"), ("right", "left")):
        (project / f"{name}.py").write_text(
            f"pathlib.Path('{name}.here').touch(); wait_for('{other}.here')"
        )


def test_independent_stages_run_at_the_same_time_and_the_others_in_order(project: Path) -> None:
    meet(project)
    (project / "first.py").write_text("import os; print(os.environ['OMP_WAIT_POLICY'])")
    output = run(2)
    assert "first: PASSIVE\n" in output  # threads that wait leave the cores to other stages
    lines = events(project)
    assert lines[:2] == ["first begins", "first ends"]
    assert set(lines[2:4]) == {"left begins", "right begins"}
    assert lines[-2:] == ["last begins", "last ends"]
    assert "left: Running stage 'left':" in output
    assert is_up_to_date()
    run(2)
    assert events(project) == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_no_more_stages_run_than_there_are_jobs(project: Path, jobs: int) -> None:
    stage = STAGES["left"]
    stages = {
        f"left{i}": stage | {"cmd": f"{stage['cmd']}{i}", "outs": [f"left{i}.out"]}
        for i in range(3)
    }
    (project / "dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES | stages}))
    for name in stages:
        (project / f"{name}.py").write_text("time.sleep(2)")
    run(jobs)
    running, most = 0, 0
    for line in events(project):
        running += 1 if line.endswith("begins") else -1
        most = max(most, running)
    assert most == jobs


def test_the_lock_has_what_one_job_writes(project: Path) -> None:
    run(4)
    parallel = yaml.safe_load((project / "dvc.lock").read_text())
    (project / "dvc.lock").unlink()
    subprocess.run(["dvc", "repro", "--force", "--quiet"], check=True)
    assert yaml.safe_load((project / "dvc.lock").read_text()) == parallel


def test_a_failed_stage_ends_the_others_and_the_next_run_goes_on(project: Path) -> None:
    (project / "left.py").write_text("wait_for('right.here'); sys.exit('no luck')")
    (project / "right.py").write_text("pathlib.Path('right.here').touch(); time.sleep(600)")
    output = run(2, code=1)
    assert "left: no luck" in output
    assert output.splitlines()[-1].startswith("parallel: stage left failed")
    assert "right ends" not in events(project)
    assert not processes_in(project)

    for name in ("left", "right"):
        (project / f"{name}.py").write_text("")
    run(2)
    assert {line.split()[0] for line in events(project)} == {"left", "right", "last"}
    assert is_up_to_date()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_kill_ends_the_stages_and_the_next_run_goes_on(
    project: Path, number: int, code: int
) -> None:
    for name in ("left", "right"):
        (project / f"{name}.py").write_text(f"pathlib.Path('{name}.here').touch(); time.sleep(600)")
    process = subprocess.Popen(
        [*COMMAND, "2"],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        # A shell makes what it runs in the background ignore Ctrl-C; pytest may be there.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not all((project / f"{name}.here").exists() for name in ("left", "right")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(timeout=300) == code
    assert not processes_in(project)

    events(project)
    for name in ("left", "right"):
        (project / f"{name}.py").write_text("")
    run(2)
    assert "first begins" not in events(project)
    assert is_up_to_date()


def processes_in(project: Path) -> list[str]:
    """The processes of DVC and of its stages that are still there."""
    found = []
    for process in psutil.process_iter(["cwd", "cmdline", "pid"]):
        if process.info["cwd"] == str(project) and process.info["pid"] != os.getpid():
            found.append(" ".join(process.info["cmdline"]))
    return found


def test_a_lock_that_another_command_of_dvc_holds_is_waited_for(project: Path) -> None:
    """DVC itself gives up after 3 seconds: "Unable to acquire lock"."""
    (project / ".dvc/tmp").mkdir(exist_ok=True)
    lock = Lock(str(project / ".dvc/tmp/lock"))
    lock.lock()
    process = subprocess.Popen([*COMMAND, "2"], env=ENVIRONMENT, stdout=subprocess.DEVNULL)
    while not psutil.Process(process.pid).children():
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(10)  # DVC has started and waits
    lock.unlock()
    assert process.wait(timeout=300) == 0
    assert is_up_to_date()


def test_what_dvc_cannot_read_is_one_line(project: Path) -> None:
    (project / "dvc.yaml").write_text("stages: 1\n")
    (line,) = run(2, code=1).splitlines()
    assert line.startswith("parallel: DVC cannot read the stages: ")
    assert run(0, code=1).splitlines() == [
        "parallel: --jobs 0 is not possible; it must be 1 or more."
    ]
