"""Stage `evaluate@<model>`: one model on the test split, the same for every model."""

import argparse
from pathlib import Path
from typing import Any

from mnist.atomic_io import sha256, write_json, write_text
from mnist.data.arrays import load_arrays
from mnist.device import set_up
from mnist.errors import run
from mnist.evaluation import detection, robustness, web_export
from mnist.evaluation.calibration import calibration, fit_temperature, reliability, reliability_csv
from mnist.evaluation.cost import count_flops, count_parameters
from mnist.evaluation.examples import attention_examples, misclassified, predictions_csv
from mnist.evaluation.metrics import classification_metrics, proper_scores
from mnist.evaluation.predictions import predict
from mnist.evaluation.uci_digits import other_handwriting
from mnist.models.frcnn import DigitDetector
from mnist.models.inference import to_input
from mnist.models.registry import load
from mnist.models.vit import ViT
from mnist.params import load_params


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="its name, as in params.yaml")
    name = parser.parse_args().model
    params = load_params()
    settings, device = params.evaluate, set_up(params.runtime)
    path = Path(f"models/{name}.safetensors")
    model = load(name, path).to(device)

    images, test_labels = load_arrays(Path("data/mnist/test.npz"), device)
    labels = test_labels.cpu().numpy()
    answers = predict(model, images, settings)
    predicted, probabilities = answers.predicted, answers.probabilities
    figures: dict[str, Any] = classification_metrics(labels, predicted)
    figures |= proper_scores(labels, probabilities)

    # The temperature is a parameter like any other: fitted without the test split.
    validation, truth = load_arrays(Path("data/mnist/validation.npz"), device)
    temperature = fit_temperature(predict(model, validation, settings).logits, truth.cpu().numpy())
    figures |= calibration(answers, labels, temperature, settings.calibration_bins)

    figures["parameters"] = count_parameters(model)
    classify = model.classify if isinstance(model, DigitDetector) else model
    figures["flops"] = count_flops(classify, to_input(images[:1]))
    figures["file_bytes"] = path.stat().st_size

    figures["other_handwriting"] = other_handwriting(model, settings, device)
    robust = robustness.measure(model, images, labels, settings)
    pixels = images.cpu().numpy()
    examples: dict[str, object] = {
        "weights_sha256": sha256(path),
        "misclassified": misclassified(pixels, labels, predicted, probabilities, settings.examples),
        "robustness": robust.examples(),
    }
    if isinstance(model, ViT):
        examples["attention"] = attention_examples(model, images, labels, predicted)
    if web_export.is_supported(model):
        examples["page"] = web_export.export_weights(model, images)
    if isinstance(model, DigitDetector):
        figures["missed"] = int((predicted == -1).sum())
        figures["detection"], examples["scenes"] = detection.measure(
            model, images, test_labels, params.frcnn.scenes, settings
        )

    bins = reliability(predicted == labels, probabilities.max(axis=1), settings.calibration_bins)
    write_json(f"metrics/{name}.json", figures)
    write_text(f"metrics/predictions/{name}.csv", predictions_csv(labels, predicted, probabilities))
    write_text(f"metrics/reliability/{name}.csv", reliability_csv(bins))
    write_text(f"metrics/robustness/{name}.csv", robust.csv())
    write_json(f"metrics/examples/{name}.json", examples)


if __name__ == "__main__":
    run(main)
