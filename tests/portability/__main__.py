"""Compare the weights after a few training steps between CPUs: `python -m tests.portability`.

Each row of the table is a process of its own: this CPU as it is, with one core, with another
default number of threads, and then an Intel and an AMD CPU without AVX-512 in the emulator qemu.
The exit code is 1 where a row differs. `--write` stores what this CPU gives in constants.json,
which a test compares.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from mnist import portable
from mnist.device import cpu_name

CONSTANTS = Path(__file__).with_name("constants.json")
STEPS = [sys.executable, "-m", "tests.portability.steps"]
QEMU = "qemu-x86_64"

Hashes = dict[str, dict[str, str]]


def hashes(*before: str, **environment: str) -> Hashes:
    """Run steps.py, after the command `before`, and return what it prints."""
    command = [*before, *STEPS] if QEMU in before else [*before, *STEPS, "--all"]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout)


def show(title: str, found: Hashes, native: Hashes) -> bool:
    """Print a row of the table, and return whether nothing differs; "-" is not compared."""
    words = []
    for name, here in native.items():
        there = found.get(name, {"settings": "none"})
        words.append("-" if there["settings"] != here["settings"] else "ok")
        if words[-1] == "ok" and there["weights"] != here["weights"]:
            words[-1] = "differs"
    print(f"{title:28}" + "".join(f"{word:>13}" for word in words), flush=True)
    return "differs" not in words


def main() -> None:
    if not portable.is_wanted() or not portable.is_supported():
        sys.exit(
            "portable arithmetic is switched off, or this CPU is no x86-64: nothing to compare"
        )
    native = hashes()
    if "--write" in sys.argv:
        CONSTANTS.write_text(json.dumps(native, indent=2) + "\n", encoding="utf-8")
        return
    print(f"{'':28}" + "".join(f"{name:>13}" for name in native))
    stored = json.loads(CONSTANTS.read_text(encoding="utf-8"))
    equal = [show(f"{cpu_name()[:18]} (stored)", stored, native)]
    if shutil.which("taskset"):
        equal.append(show("1 core visible", hashes("taskset", "--cpu-list", "0"), native))
    threads = hashes(OMP_NUM_THREADS="8", MKL_NUM_THREADS="8")
    equal.append(show("8 threads by default", threads, native))
    if shutil.which(QEMU):
        for title, cpu in (("Intel Haswell (qemu)", "Haswell-v4"), ("AMD EPYC (qemu)", "EPYC-v3")):
            equal.append(show(title, hashes("nice", QEMU, "-cpu", cpu), native))
    else:
        print(f"no {QEMU}: other CPUs are not emulated; install the package qemu-user")
    sys.exit(not all(equal))


if __name__ == "__main__":
    main()
