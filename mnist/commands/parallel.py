"""Run the stages that are not up to date, several side by side.

Each stage runs in a `dvc repro --single-item` of its own, as soon as the stages that it depends on
are done. A stage uses as many threads as in `dvc repro`, so its results are the same to the bit.
Where a stage fails, the others are ended; the next run goes on from there.
"""

import argparse
import os
import signal
import subprocess
from graphlib import TopologicalSorter
from queue import SimpleQueue
from threading import Thread

from mnist.commands import require_git
from mnist.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=int, required=True, help="stages at a time")


def main(arguments: argparse.Namespace) -> None:
    require_git()
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            graph = repo.index.graph  # an edge leads from a stage to one that it depends on
            names = {s.addressing: {n.addressing for n in graph.successors(s)} for s in graph}
    except DvcException as error:
        raise UserError(f"DVC cannot read the stages: {' '.join(str(error).split())}") from None
    # A thread that waits sleeps; by default it keeps a core busy, which others need here.
    environment = {"OMP_WAIT_POLICY": "PASSIVE"} | os.environ | {"PYTHONUNBUFFERED": "1"}
    # A shell lets what it runs in the background, and so the stages, ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sorter = TopologicalSorter(names)
    sorter.prepare()
    waiting: list[str] = []
    running: dict[str, subprocess.Popen[bytes]] = {}
    ended: SimpleQueue[str] = SimpleQueue()
    try:
        while sorter.is_active():
            waiting += sorter.get_ready()
            while waiting and len(running) < max(1, arguments.jobs):
                stage = waiting.pop(0)
                running[stage] = subprocess.Popen(
                    # DVC's lock is held while it reads and writes files, not in a computation.
                    ["dvc", "--wait-for-lock", "repro", "--single-item", stage],  # noqa: S607
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # to end the stage together with DVC
                    env=environment,
                )
                Thread(target=_print_output, args=(stage, running[stage], ended)).start()
            stage = ended.get()
            if running.pop(stage).wait() != 0:
                raise UserError(f"stage {stage} failed, see above; the next run goes on from here.")
            sorter.done(stage)
    finally:
        # DVC ignores Ctrl-C while a stage runs, and then cleans up as after any that fails.
        for process in running.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
        for process in running.values():
            process.wait()


def _print_output(stage: str, process: subprocess.Popen[bytes], ended: SimpleQueue[str]) -> None:
    """Print each line behind the name of its stage; put the name into `ended` after the last."""
    for line in process.stdout or ():
        # A progress bar goes back to the start of its line; only its last state is printed.
        text = line.decode("utf-8", "replace").rstrip().rpartition("\r")[2]
        print(f"{stage}: {text}", flush=True)
    ended.put(stage)
