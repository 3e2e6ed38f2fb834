"""Command, no stage: read every file that dvc.lock names again, and say which are not what it says.

Outputs, what is in git, and DVC's cache; what is not here, as in a fresh clone, is no fault.
"""

import subprocess
import sys
from pathlib import Path

from dvc.repo import Repo

from mnist.commands.integrity import check, entries
from mnist.errors import run


def main() -> None:
    listing = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True)  # noqa: S607
    in_git = set(listing.stdout.splitlines())
    with Repo() as repo:
        cache = Path(repo.cache.local.path).parent.parent
    every = entries(Path("dvc.lock"))
    faults = [str(fault) for entry in every for fault in check(entry, in_git, cache)]
    for fault in dict.fromkeys(faults):  # several stages may share a file
        print(f"verify: {fault}", file=sys.stderr)
    if faults:
        sys.exit(1)
    here = {entry.path for entry in every if Path(entry.path).exists()}
    print(
        f"{len(here)} files and folders are what dvc.lock says, and so is what DVC's cache holds."
    )


if __name__ == "__main__":
    run(main)
