"""Stage `robustness@<model>`: one model on corrupted and attacked test digits."""

import argparse
from pathlib import Path

import torch

from mnist.atomic_io import round_numbers, write_json, write_text
from mnist.data.arrays import load_arrays
from mnist.device import set_up
from mnist.errors import run
from mnist.evaluation.robustness import (
    attack_rows,
    attacks_csv,
    choose_digits,
    classify_corrupted,
    corrupted_csv,
    summarize,
)
from mnist.models import registry
from mnist.params import load_params


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="its name, as in params.yaml")
    name = parser.parse_args().model
    params = load_params()
    device = set_up(params)
    settings, limits = params.evaluate, params.evaluate.robustness
    model = registry.load(name, Path(f"models/{name}.safetensors")).to(device)
    detects = registry.task(name) == "detection"
    batch_size = settings.scenes_batch_size if detects else settings.batch_size

    images, test_labels = load_arrays(Path("data/mnist/test.npz"), device)
    labels = test_labels.cpu().numpy()
    chosen = choose_digits(limits.digits, labels, limits.seed)
    images, labels = images[torch.from_numpy(chosen).to(device)], labels[chosen]
    correct = classify_corrupted(model, images, labels, limits, batch_size)
    attacked = []
    if not detects:  # the loss of a detector is not that of a classifier
        few = limits.attacked_digits
        attacked = attack_rows(model, images[:few], labels[:few], limits, batch_size)
    write_text(f"metrics/robustness/{name}.csv", corrupted_csv(correct))
    write_json(f"metrics/corrupted/{name}.json", round_numbers(summarize(correct, limits.seed)))
    write_text(f"metrics/attacks/{name}.csv", attacks_csv(attacked))


if __name__ == "__main__":
    run(main)
