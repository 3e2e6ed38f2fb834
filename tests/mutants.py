"""Put one-line faults into a copy of the project, one at a time, and see the tests go red.

`make mutants` does so for each line of tests/mutants.txt: a file, what to replace in it, by what,
and the tests that must fail. It prints the faults that no test noticed, and exits with 1 if there
is one.
"""

import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent
WORKERS = 2


def read_faults() -> list[tuple[str, ...]]:
    lines = (ROOT / "tests/mutants.txt").read_text(encoding="utf-8").splitlines()
    return [tuple(line.split(" | ")) for line in lines if line and not line.startswith("#")]


def is_noticed(project: Path, path: str, old: str, new: str, tests: str) -> bool:
    """Replace `old` by `new` in the file `path` of `project`, run `tests`, and put `old` back."""
    file = project / path
    text = file.read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise SystemExit(f"{path} has {old!r} {text.count(old)} times, not once")
    file.write_text(text.replace(old, new), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--numprocesses", "0", *tests.split()]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)
    file.write_text(text, encoding="utf-8")
    if done.returncode not in (0, 1):  # pytest could not run the tests
        raise SystemExit(f"{path}: {old} -> {new}\n{done.stdout}{done.stderr}")
    return done.returncode == 1


def main() -> None:
    names = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    faults = read_faults()
    with tempfile.TemporaryDirectory() as folder:
        projects = [Path(folder) / str(i) for i in range(WORKERS)]
        for project in projects:
            for name in filter(lambda name: (ROOT / name).is_file(), names):
                (project / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, project / name)

        def check(worker: int) -> list[tuple[str, ...]]:
            survivors = []
            for fault in faults[worker::WORKERS]:
                noticed = is_noticed(projects[worker], *fault)
                print("noticed " if noticed else "SURVIVED", " | ".join(fault[:3]), flush=True)
                survivors += [] if noticed else [fault]
            return survivors

        with ThreadPoolExecutor(WORKERS) as pool:
            survivors = sum(pool.map(check, range(WORKERS)), [])
    print(f"{len(faults)} faults, {len(survivors)} survived")
    sys.exit(bool(survivors))


if __name__ == "__main__":
    main()
