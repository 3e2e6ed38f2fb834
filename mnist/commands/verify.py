"""Read every file that dvc.lock names again, and report which are not what dvc.lock says.

Outputs, files in git and DVC's cache are hashed anew. DVC itself does not read a file again whose
size and time are unchanged, and it trusts its cache. A file that is absent, as in a fresh clone, is
no fault. Each fault comes with the commands that fix it, and the exit code is then 1.

Example:
  python -m mnist verify
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from mnist.errors import UserError

LOCK = Path("dvc.lock")
Outputs = dict[str, tuple[str, str]]
"""The stage and the MD5 of each output, by its path"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the command has no arguments."""


def main(_: argparse.Namespace) -> None:
    """Print one line per fault."""
    outputs = read_lock()
    faults = list(find_faults(outputs))
    for fault in faults:
        print(f"verify: {fault}", file=sys.stderr)
    if faults:
        sys.exit(1)
    present = sum(Path(path).exists() for path in outputs)
    print(f"{present} outputs are what dvc.lock says, and so is what DVC's cache holds.")


def read_lock() -> Outputs:
    """Read dvc.lock. Raises UserError when it is missing, empty or damaged."""
    advice = f"restore it with `git checkout {LOCK}`."
    try:
        stages = yaml.safe_load(LOCK.read_text(encoding="utf-8"))["stages"]
        return {
            out["path"]: (name, out["md5"])
            for name, stage in stages.items()
            for out in stage.get("outs", [])
        }
    except FileNotFoundError:
        raise UserError(f"{LOCK} is missing; {advice}") from None
    except (yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{LOCK} is damaged ({type(error).__name__}); {advice}") from None


def find_faults(outputs: Outputs) -> Iterator[str]:
    """Describe each damaged file with the commands, in backticks, that fix it."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    with tempfile.TemporaryDirectory() as empty:
        os.environ["DVC_SITE_CACHE_DIR"] = empty  # where DVC keeps the hashes that it remembers
        try:
            with Repo() as repo:
                # First the cache: `status` deletes some objects that are damaged.
                cache = Path(repo.cache.local.path)
                damaged = [stored for stored in sorted(cache.glob("??/*")) if _is_damaged(stored)]
                status = repo.status()
        except DvcException as error:
            raise UserError(f"`dvc status` failed: {' '.join(str(error).split())}") from None

    owners = {stored: path for path, (_, md5) in outputs.items() for stored in _objects(cache, md5)}
    for stored in damaged:
        path = owners.get(stored)
        if path is None:
            yield f"{stored} in DVC's cache is damaged (of an older run): `rm -f {stored}`"
        else:
            stage, _ = outputs[path]
            fix = f"`rm -f {stored}`, then `dvc repro --force --single-item {stage}`"
            yield f"{stored} in DVC's cache is damaged ({path}): {fix}"
    remade = {owners.get(stored) for stored in damaged}

    changed_outs, changed_deps = _changes(status)
    for path in changed_outs:
        if _is_in_git(path):
            yield f"{path} is not what dvc.lock says: `git checkout {path}`"
        elif path not in remade:
            yield f"{path} is not what dvc.lock says: `rm -r {path}`, then `dvc checkout {path}`"
    for path, stage in changed_deps.items():
        if not any(_overlap(path, output) for output in outputs):
            yield f"{path} has changed since {stage} ran: `dvc repro`"


def _changes(status: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    """Return the outputs that changed, and the dependencies that did, each with its first stage."""
    outs: list[str] = []
    deps: dict[str, str] = {}
    for stage, changes in status.items():
        for change in changes:
            if isinstance(change, dict):  # not "changed command"
                # Absent files and changed parameters have another state; they are no damage.
                outs += [p for p, s in change.get("changed outs", {}).items() if s == "modified"]
                found = [p for p, s in change.get("changed deps", {}).items() if s == "modified"]
                deps = dict.fromkeys(found, stage) | deps
    return outs, deps


def _objects(cache: Path, md5: str) -> list[Path]:
    """Return the files of the cache that hold an output; a folder has a listing and its files."""
    stored = cache / md5[:2] / md5[2:]
    if not md5.endswith(".dir") or not stored.exists():
        return [stored]
    try:
        listing = json.loads(stored.read_bytes())
    except ValueError:  # damaged
        return [stored]
    return [stored, *(cache / item["md5"][:2] / item["md5"][2:] for item in listing)]


def _overlap(a: str, b: str) -> bool:
    """Whether two paths are the same or one is in the folder of the other."""
    return a == b or a.startswith(f"{b}/") or b.startswith(f"{a}/")


def _is_in_git(path: str) -> bool:
    listing = subprocess.run(["git", "ls-files", "--", path], capture_output=True)  # noqa: S607
    return bool(listing.stdout)


def _is_damaged(stored: Path) -> bool:
    """Whether an object of the cache has another name than the MD5 of its content."""
    with open(stored, "rb") as file:
        md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return md5 != stored.parent.name + stored.name.removesuffix(".dir")
