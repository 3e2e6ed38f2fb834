"""Compare the weights after a few training steps between CPUs: `python -m tests.portability`.

Each row of the table is a process of its own: this CPU as it is, with one core, with another
default number of threads, and then an Intel and an AMD CPU without AVX-512 in the emulator qemu.
`--write` stores what this CPU gives in constants.json, which a test compares.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from mnist.device import cpu_name

CONSTANTS = Path(__file__).with_name("constants.json")
STEPS = [sys.executable, "-m", "tests.portability.steps"]
QEMU = "qemu-x86_64"


Hashes = dict[str, dict[str, str]]


def hashes(*before: str, **environment: str) -> Hashes:
    """Run steps.py, after the command `before`, and return what it prints."""
    options = [] if QEMU in before else ["--all"]
    done = subprocess.run(
        [*before, *STEPS, *options],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def main() -> None:
    native = hashes()
    if "--write" in sys.argv:
        CONSTANTS.write_text(json.dumps(native, indent=2) + "\n", encoding="utf-8")
        return
    print(f"{'':28}" + "".join(f"{name:>13}" for name in native))
    show(f"{cpu_name()[:20]} (stored)", json.loads(CONSTANTS.read_text(encoding="utf-8")), native)
    if shutil.which("taskset"):
        show("1 core visible", hashes("taskset", "--cpu-list", "0"), native)
    show("8 threads by default", hashes(OMP_NUM_THREADS="8", MKL_NUM_THREADS="8"), native)
    if not shutil.which(QEMU):
        print(f"No {QEMU} here, so no other CPU is emulated; install the package qemu-user.")
        return
    for title, cpu in (("Intel Haswell (qemu)", "Haswell-v4"), ("AMD EPYC (qemu)", "EPYC-v3")):
        show(title, hashes("nice", QEMU, "-cpu", cpu), native)


def show(title: str, found: Hashes, native: Hashes) -> None:
    words = [
        "-" if n not in found else "ok" if found[n] == native[n] else "differs" for n in native
    ]
    print(f"{title:28}" + "".join(f"{word:>13}" for word in words), flush=True)


if __name__ == "__main__":
    main()
