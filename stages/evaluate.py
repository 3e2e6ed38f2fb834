"""Stage `evaluate@<model>`: one model on the test split, the same for every model."""

import argparse
import hashlib
from pathlib import Path
from typing import Any

from mnist.atomic_io import round_numbers, sha256, write_json, write_text
from mnist.data.arrays import load_arrays
from mnist.data.checksums import is_mnist
from mnist.device import set_up
from mnist.errors import run
from mnist.evaluation import examples
from mnist.evaluation.calibration import fit_temperature, reliability_csv
from mnist.evaluation.cost import count_flops, count_parameters
from mnist.evaluation.evaluate import HEADLINE, evaluate
from mnist.evaluation.page_weights import export_weights
from mnist.evaluation.predictions import predict
from mnist.evaluation.uci_digits import uci_accuracy
from mnist.evaluation.unlike import least_confidence
from mnist.models import registry
from mnist.params import load_params


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="its name, as in params.yaml")
    name = parser.parse_args().model
    params = load_params()
    settings, device = params.evaluate, set_up(params)
    path = Path(f"models/{name}.safetensors")
    model = registry.load(name, path).to(device)
    detects = registry.task(name) == "detection"
    batch_size = settings.scenes_batch_size if detects else settings.batch_size

    # Temperature and limit are chosen on the validation split, like everything else.
    validation, targets = load_arrays(Path("data/mnist/validation.npz"), device)
    validation_labels = targets.cpu().numpy()
    logits = predict(model, validation, batch_size).logits
    temperature = fit_temperature(logits, validation_labels)
    least = least_confidence(logits, temperature)

    images, targets = load_arrays(Path("data/mnist/test.npz"), device)
    labels = targets.cpu().numpy()
    predictions = predict(model, images, batch_size)
    metrics, bins = evaluate(predictions, labels, temperature, settings.calibration_bins)
    metrics |= {"temperature": temperature, "least_confidence": least}
    metrics["parameters"] = count_parameters(model)
    metrics["flops"] = count_flops(model, images[:1])
    metrics["file_bytes"] = path.stat().st_size

    md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    shown: dict[str, Any] = {"weights_sha256": sha256(path), "weights_md5": md5}
    shown |= examples.describe(model, images, labels, predictions, settings)
    if detects:
        from mnist.evaluation import detection  # seconds, which classifiers need not wait

        limits = params.frcnn.scenes
        found, scenes = detection.measure(model, images, targets, limits, settings)
        metrics |= found | {"missed": int((predictions.predicted == -1).sum())}
        shown["scenes"] = scenes
    if is_mnist(labels):
        metrics["uci_digits"] = uci_accuracy(model, batch_size, device)
        if name == "cnn":
            shown["page"] = export_weights(model, images)

    metrics = round_numbers(metrics)
    headline = {key: metrics.pop(key) for key in HEADLINE if key in metrics}
    write_json(f"metrics/test/{name}.json", headline)
    write_json(f"metrics/details/{name}.json", metrics)
    write_text(f"metrics/predictions/{name}.csv", examples.predictions_csv(labels, predictions))
    write_text(f"metrics/reliability/{name}.csv", reliability_csv(bins))
    write_json(f"metrics/examples/{name}.json", shown)


if __name__ == "__main__":
    run(main)
