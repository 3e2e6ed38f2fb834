"""Stage `evaluate@<model>`: one model on the test split, the same for every model."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from mnist.data.arrays import load_arrays
from mnist.data.checksums import is_mnist
from mnist.device import set_up
from mnist.errors import run
from mnist.evaluation import calibration
from mnist.evaluation.examples import describe
from mnist.evaluation.predictions import count_flops, predict, predictions_csv
from mnist.evaluation.robustness import choose_digits, classify_corrupted, robustness_csv
from mnist.files import round_numbers, sha256, write_json, write_text
from mnist.models import registry
from mnist.params import load_params

# The keys of metrics/test/<model>.json; the others go to metrics/details/<model>.json.
HEADLINE = (
    "accuracy", "f1_macro", "errors", "nll", "ece", "missed", "map", "map_50", "map_75"
)  # fmt: skip


def main() -> None:
    params = load_params()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=params.models)
    name = parser.parse_args().model
    settings, device = params.evaluate, set_up(params)
    path = Path(f"models/{name}.safetensors")
    model = registry.load(name, path).to(device)
    detects = registry.detects(name)
    batch_size = settings.scenes_batch_size if detects else settings.batch_size

    # The temperature is fitted on the validation split: what is tuned never sees the test split.
    validation, targets = load_arrays(Path("data/mnist/validation.npz"), device)
    logits = predict(model, validation, batch_size).logits
    temperature = calibration.fit_temperature(logits, targets.cpu().numpy())

    images, targets = load_arrays(Path("data/mnist/test.npz"), device)
    labels = targets.cpu().numpy()
    predictions = predict(model, images, batch_size)
    metrics, bins = calibration.score(predictions, labels, temperature, settings.calibration_bins)
    metrics["least_confidence"] = calibration.least_confidence(logits, temperature)
    metrics["parameters"] = sum(parameter.numel() for parameter in model.parameters())
    metrics["flops"] = count_flops(model, images[:1])
    metrics["file_bytes"] = path.stat().st_size

    seed = settings.corruption_seed
    chosen = choose_digits(settings.corrupted_digits, labels, seed)
    correct = classify_corrupted(model, images[chosen], labels[chosen], seed, batch_size)

    shown: dict[str, Any] = {"weights_sha256": sha256(path)}
    shown |= describe(images, labels, predictions, settings)
    shown["corrupted_digits"] = " ".join(map(str, chosen))  # their positions in the test split
    if detects:
        from mnist.evaluation import average_precision  # its imports take a classifier seconds

        metrics["missed"] = int(np.sum(predictions.predicted == -1))
        found, shown["scenes"] = average_precision.measure(
            model, images, targets, params.frcnn.scenes, settings
        )
        metrics |= found
    if name == "cnn" and is_mnist(labels):
        from mnist.evaluation.page_weights import export_weights

        shown["page"] = export_weights(model, images)  # for the canvas of the report

    metrics = round_numbers(metrics)
    headline = {key: metrics.pop(key) for key in HEADLINE if key in metrics}
    write_json(f"metrics/test/{name}.json", headline)
    write_json(f"metrics/details/{name}.json", metrics)
    write_text(f"metrics/predictions/{name}.csv", predictions_csv(labels, predictions))
    write_text(f"metrics/reliability/{name}.csv", calibration.reliability_csv(bins))
    write_text(f"metrics/robustness/{name}.csv", robustness_csv(correct))
    write_json(f"metrics/examples/{name}.json", shown)


if __name__ == "__main__":
    run(main)
