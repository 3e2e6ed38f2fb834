"""Command, no stage: train models from several seeds, by DVC experiments, into metrics/seeds.csv.

`python -m mnist.commands.seeds cnn=5 vit=3` takes seeds 1 to 5 of the CNN and 1 to 3 of the ViT. The rows
of models that are not named stay. Each run is an experiment, cnn-seed-2 say, in a folder of its
own, so the files here are not touched; what has been run before comes from DVC's cache.
"""

import argparse
import csv
import io
import subprocess
from pathlib import Path
from typing import Any

import dvc.api

from mnist.atomic_io import write_text
from mnist.errors import UserError, run
from mnist.params import load_params
from mnist.pipeline import models
from mnist.reporting.seeds import COLUMNS, read_rows

SEEDS = Path("metrics/seeds.csv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wanted", nargs="+", metavar="MODEL=COUNT")
    wanted = dict(_count_of(text) for text in parser.parse_args().wanted)
    known = models()
    rows: list[dict[str, Any]] = [row for row in read_rows(SEEDS) if row["model"] in known]
    for model, count in wanted.items():
        new = [run_experiment(model, seed) for seed in range(1, count + 1)]
        rows = [row for row in rows if row["model"] != model] + new
        rows.sort(key=lambda row: (known.index(row["model"]), int(row["seed"])))
        write_text(SEEDS, _csv(rows))


def run_experiment(model: str, seed: int) -> dict[str, Any]:
    """Train and evaluate `model` from `seed`; returns its row.

    Raises:
        UserError: DVC could not run it; what it said stands above.
    """
    name = f"{model}-seed-{seed}"
    # An experiment's name is taken until it is removed; the first time there is none.
    subprocess.run(["dvc", "exp", "remove", "--quiet", name], capture_output=True)  # noqa: S607
    command = ["dvc", "exp", "run", "--temp", "--name", name, "--set-param", f"seed={seed}"]
    for file in _own_files():
        command += ["--copy-paths", file]
    if subprocess.run([*command, f"evaluate@{model}"]).returncode:
        raise UserError(f"`{' '.join(command)} evaluate@{model}` failed; mend what it names above.")
    figures = dvc.api.metrics_show(f"metrics/{model}.json", rev=name)
    training = dvc.api.metrics_show(f"metrics/train/{model}.json", rev=name)
    figures |= {"model": model, "seed": seed, "val_accuracy": training["val_accuracy"]}
    return {column: figures[column] for column in COLUMNS}


def _own_files() -> list[str]:
    """The user's data below this folder: git does not know them, so DVC would leave them behind."""
    listing = ["git", "ls-files", "--others", "--", load_params().data.folder]
    return subprocess.run(listing, capture_output=True, text=True).stdout.splitlines()  # noqa: S607


def _count_of(text: str) -> tuple[str, int]:
    model, _, count = text.partition("=")
    if model not in models() or not count.isdecimal() or int(count) < 1:
        raise UserError(
            f"{text!r} is not MODEL=COUNT, cnn=5 say; models are {', '.join(models())}."
        )
    return model, int(count)


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


if __name__ == "__main__":
    run(main)
