"""Whether files are what dvc.lock says, by reading them again.

DVC remembers size and time of a file that it has hashed and does not look again, so it calls a file
up to date that was changed with both kept; and it takes a damaged file of its cache for good, even
over a stage's correct output. Here every byte is read, and DVC's memory is not asked.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mnist.errors import UserError


@dataclass(frozen=True)
class Fault:
    """What is wrong with a file, and the command that mends it."""

    path: str
    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.path} {self.what}: {self.mend}"


@dataclass(frozen=True)
class Entry:
    """A file or folder as a stage left it or found it."""

    stage: str
    path: str
    md5: str
    made: bool
    """by the stage; otherwise it depends on it"""


def entries(lock: Path) -> list[Entry]:
    """Read dvc.lock: what each stage made, and what it depends on that no stage made.

    Raises:
        UserError: it is missing, empty or damaged.
    """
    try:
        stages: dict[str, Any] = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"]
        found = [
            Entry(stage, item["path"], item["md5"], kind == "outs")
            for stage, parts in stages.items()
            for kind in ("outs", "deps")
            for item in parts.get(kind, [])
        ]
    except FileNotFoundError:
        raise UserError(f"{lock} is missing; `git checkout {lock}` brings it back.") from None
    except (yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"{lock} is damaged ({type(error).__name__}); `git checkout {lock}` brings it back."
        ) from None
    made = {entry.path for entry in found if entry.made}
    return [entry for entry in found if entry.made or entry.path not in made]


def md5(path: Path) -> str:
    """Hash a file, or a folder as DVC does: the list of its files with their hashes."""
    if not path.is_dir():
        with open(path, "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    files = [p for p in path.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    listing = [{"md5": md5(p), "relpath": p.relative_to(path).as_posix()} for p in files]
    listing.sort(key=lambda item: item["relpath"])
    text = json.dumps(listing, sort_keys=True).encode()
    return hashlib.md5(text, usedforsecurity=False).hexdigest() + ".dir"


def check(entry: Entry, in_git: set[str], cache: Path) -> Iterator[Fault]:
    """Compare one entry with what lies in the folder and in DVC's cache; absent is no fault.

    Args:
        in_git: the files that git tracks.
        cache: the folder of DVC's cache.
    """
    path = Path(entry.path)
    tracked = any(name == entry.path or name.startswith(f"{entry.path}/") for name in in_git)
    stored_well = True
    if entry.made and not tracked:
        for stored, expected in _objects(cache, entry.md5):
            if md5(stored) != expected.removesuffix(".dir"):
                stored_well = False
                again = f"`rm -f {stored}`, then `dvc repro --force --single-item {entry.stage}`"
                yield Fault(str(stored), f"in DVC's cache is damaged ({entry.path})", again)
    if not path.exists() or md5(path) == entry.md5:
        return
    if not entry.made:
        yield Fault(entry.path, f"has changed since {entry.stage} ran", "`dvc repro`")
    elif tracked:
        mend = f"`git checkout {entry.path}`, or `dvc repro --force {entry.stage}`"
        yield Fault(entry.path, "is not what dvc.lock says", mend)
    elif stored_well and _stored(cache, entry.md5).exists():
        mend = f"`rm -r {entry.path}`, then `dvc checkout {entry.path}`"
        yield Fault(entry.path, "is not what dvc.lock says", mend)
    else:
        mend = f"`dvc repro --force --single-item {entry.stage}`"
        yield Fault(entry.path, "is not what dvc.lock says", mend)


def _objects(cache: Path, md5_of: str) -> Iterator[tuple[Path, str]]:
    """Files of the cache that hold an output, with the hash that each should have."""
    stored = _stored(cache, md5_of)
    if not stored.exists():
        return
    yield stored, md5_of
    if md5_of.endswith(".dir"):
        try:
            listing = json.loads(stored.read_text(encoding="utf-8"))
        except ValueError:
            return  # damaged; that it is stands above
        for item in listing:
            part = _stored(cache, item["md5"])
            if part.exists():
                yield part, item["md5"]


def _stored(cache: Path, md5_of: str) -> Path:
    return cache / "files/md5" / md5_of[:2] / md5_of[2:]
