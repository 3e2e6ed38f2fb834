"""Train and compare small versions of all five models, in minutes.

The stages of dvc.yaml run on MNIST with the settings below, as the DVC experiment `quick`, in a
folder of its own. No file in git changes, nor do the models at hand. The report comes to quick/.
"""

import argparse
import json
import re
import shutil
import time
from collections.abc import Iterable

from mnist.commands.experiment import git, run_experiment
from mnist.files import new_folder
from mnist.params import Params, load_params

# What replaces values of params.yaml: about a fiftieth of the work, in batches and sizes from
# which the models learn fastest at first, chosen by the validation split.
SETTINGS = {
    "data.validation_size": 500,
    "data.training_size": 24000,
    "cnn.widths": [32, 48, 64, 96],
    "cnn.epochs": 1,
    "cnn.batch_size": 64,
    "cnn.lr": 0.1,
    "frcnn.epochs": 0.08,
    "frcnn.scenes.side": 40,
    "frcnn.scenes.digits_max": 2,
    "frcnn.proposals": 20,
    "vgg16.input_size": 16,
    "vgg16.epochs": 0.13,
    "vgg16.batch_size": 32,
    "vgg16.augmentation.rotate": 0,
    "vgg16.augmentation.scale": 0,
    "vgg16.augmentation.shear": 0,
    "vgg16.augmentation.translate": 0,
    "alexnet.input_size": 64,
    "alexnet.epochs": 0.25,
    "alexnet.batch_size": 32,
    "vit.depth": 2,
    "vit.epochs": 0.75,
    "vit.batch_size": 64,
    "vit.lr": 0.003,
    "evaluate.scenes": 100,
    "evaluate.corrupted_digits": 50,
}
# About how long each stage takes on two CPU cores.
SECONDS = {
    "fetch": 3, "convert": 6, "fetch_weights": 12, "train_cnn": 14, "train_frcnn": 22,
    "finetune_vgg16": 25, "finetune_alexnet": 16, "train_vit": 15, "evaluate@cnn": 7,
    "evaluate@frcnn": 20, "evaluate@vgg16": 20, "evaluate@alexnet": 12, "evaluate@vit": 8,
    "report": 5,
}  # fmt: skip


def main(_: argparse.Namespace) -> None:
    reference = run_experiment("quick", settings_for(load_params()), show=show_with_seconds)
    with new_folder("quick") as folder:
        archive = folder / "report.zip"
        git("archive", "--output", str(archive), reference, "report")
        shutil.unpack_archive(archive, folder)
        archive.unlink()
    print("\nAccuracy on the test digits:")
    for model in load_params().models:
        metrics = json.loads(git("show", f"{reference}:./metrics/test/{model}.json"))
        print(f"  {model:8} {metrics['accuracy']:.2%}")
    print("\nThe report: quick/report/index.html. What to do next: docs/dvc.md")


def settings_for(params: Params) -> dict[str, object]:
    """Return SETTINGS without those that data or a CNN of one's own may not fit."""
    settings: dict[str, object] = {**SETTINGS}
    if not params.data.checksums:  # other data may have fewer images
        del settings["data.training_size"]
    if len(params.cnn.widths) != 4:  # SETTINGS has the widths of four layers
        del settings["cnn.widths"]
    return settings


def show_with_seconds(lines: Iterable[str]) -> None:
    """Print DVC's `lines`; before each stage, about how long it and all that are left take here.

    That is SECONDS, times how much longer than SECONDS the stages before took.
    """
    left, begin, done = dict(SECONDS), time.monotonic(), 0
    for line in lines:
        found = re.match(r"(Running )?stage '(.+?)'", line, re.IGNORECASE)
        running, stage = found.groups() if found else (None, "")
        if running and stage in left:
            if not done:  # DVC itself took the time until here
                begin = time.monotonic()
            pace = (time.monotonic() - begin) / done if done else 1
            total = pace * sum(left.values())
            print(f"\nAbout {total:.0f} seconds to go, of which {pace * left[stage]:.0f} are for:")
            done += left[stage]
        left.pop(stage, 0)  # a stage that did not change is done as well
        print(line, end="", flush=True)
