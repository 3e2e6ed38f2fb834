"""Run the stages that are not up to date, several side by side.

Each stage runs in a `dvc repro --single-item` of its own, as soon as the stages that it depends on
are done. A stage uses as many threads as in `dvc repro`, so its results are the same to the bit.
Where a stage fails, the others are ended; the next run goes on from there.

Example:
  python -m mnist parallel --jobs 4
"""

import argparse
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread

from mnist.commands import require_git
from mnist.errors import UserError

END_SECONDS = 10  # for a stage to remove its half-written files
Process = subprocess.Popen[bytes]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=int, required=True, help="stages at a time, 1 or more")


def main(arguments: argparse.Namespace) -> None:
    if arguments.jobs < 1:
        raise UserError(f"--jobs {arguments.jobs} is not possible; it must be 1 or more.")
    require_git()
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            graph = repo.index.graph  # an edge leads from a stage to one that it depends on
            names = {s.addressing: {n.addressing for n in graph.successors(s)} for s in graph}
    except DvcException as error:
        raise UserError(f"DVC cannot read the stages: {' '.join(str(error).split())}") from None
    run_stages(names, arguments.jobs)


def run_stages(graph: Mapping[str, set[str]], jobs: int) -> None:
    """Run stages, at most `jobs` at a time; `graph` names the stages that each depends on.

    Raises:
        UserError: a stage failed; its messages are on stdout.
    """
    # A shell lets what it runs in the background, and so the stages, ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Many stages depend on a training, few on an evaluation: the trainings start first.
    dependents = Counter(needed for stage in graph for needed in graph[stage])
    waiting = sorted(graph, key=lambda stage: -dependents[stage])
    done: set[str] = set()
    running: dict[str, Process] = {}
    ended: SimpleQueue[str] = SimpleQueue()
    try:
        while waiting or running:
            ready = [stage for stage in waiting if graph[stage] <= done]
            for stage in ready[: jobs - len(running)]:
                waiting.remove(stage)
                running[stage] = _start(stage)
                Thread(target=_print_output, args=(stage, running[stage], ended)).start()
            stage = ended.get()
            if running.pop(stage).wait() != 0:
                raise UserError(f"stage {stage} failed, see above; the next run goes on from here.")
            done.add(stage)
    finally:
        _end(running, ended)


def _start(stage: str) -> Process:
    return subprocess.Popen(
        # DVC locks the repository while it reads and writes files, not while a stage computes.
        ["dvc", "--wait-for-lock", "repro", "--single-item", stage],  # noqa: S607
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # to end the stage together with DVC
        # A thread that waits sleeps; by default it keeps a core busy, which others need here.
        env={"OMP_WAIT_POLICY": "PASSIVE"} | os.environ | {"PYTHONUNBUFFERED": "1"},
    )


def _print_output(stage: str, process: Process, ended: SimpleQueue[str]) -> None:
    """Print each line behind the name of its stage; put the name into `ended` after the last."""
    for line in process.stdout or ():
        # A progress bar goes back to the start of its line; only its last state is printed.
        text = line.decode("utf-8", "replace").rstrip().rpartition("\r")[2]
        if text:
            print(f"{stage}: {text}", flush=True)
    ended.put(stage)


def _end(running: dict[str, Process], ended: SimpleQueue[str]) -> None:
    """End the stages and wait until they are gone.

    DVC ignores Ctrl-C while a stage runs, and then cleans up as after any stage that fails.
    """
    for number in (signal.SIGINT, signal.SIGKILL):
        for process in running.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
        with suppress(Empty):
            while running:
                del running[ended.get(timeout=END_SECONDS)]
