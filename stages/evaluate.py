"""Stage `evaluate@<model>`: one model on the test split, the same for every model."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import softmax
from torch import nn

from stages.data.arrays import load_arrays
from stages.data.scenes import make_scenes
from stages.evaluation.calibration import expected_calibration_error, fit_temperature
from stages.evaluation.cost import count_flops, count_parameters
from stages.evaluation.detection import detect, mean_average_precision, scene_examples
from stages.evaluation.records import attention_examples, misclassified, predictions_csv
from stages.evaluation.scores import probability_quality, quality
from stages.models.faster_rcnn import DigitDetector, classify_digits
from stages.models.inference import predict_logits, to_input
from stages.models.registry import load
from stages.models.vit import ViT
from stages.params import Evaluate, load_params
from stages.system.errors import run
from stages.system.files import sha256, write_json, write_text
from stages.system.machine import set_up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="its name, as in params.yaml")
    name = parser.parse_args().model
    params = load_params()
    device = set_up(params.runtime)
    path = Path(f"models/{name}.safetensors")
    model = load(name, path).to(device)

    images, test_labels = load_arrays(Path("data/mnist/test.npz"), device)
    validation = load_arrays(Path("data/mnist/validation.npz"), device)
    logits, predicted = _answers(model, images, params.evaluate)
    temperature = fit_temperature(
        _answers(model, validation[0], params.evaluate)[0], validation[1].cpu().numpy()
    )
    labels = test_labels.cpu().numpy()
    probabilities = softmax(logits, axis=1)

    figures: dict[str, Any] = quality(labels, predicted) | probability_quality(
        labels, probabilities
    )
    bins = params.evaluate.calibration_bins
    for key, p in {"": probabilities, "_calibrated": softmax(logits / temperature, axis=1)}.items():
        figures[f"ece{key}"] = expected_calibration_error(predicted == labels, p.max(axis=1), bins)
    figures["temperature"] = temperature
    figures["parameters"] = count_parameters(model)
    classify = model.classify if isinstance(model, DigitDetector) else model
    figures["flops"] = count_flops(classify, to_input(images[:1]))
    figures["file_bytes"] = path.stat().st_size

    write_text(f"metrics/predictions/{name}.csv", predictions_csv(labels, predicted, probabilities))
    most = params.evaluate.examples
    examples: dict[str, object] = {
        "weights_sha256": sha256(path),
        "misclassified": misclassified(
            images.cpu().numpy(), labels, predicted, probabilities, most
        ),
    }
    if isinstance(model, ViT):
        examples["attention"] = attention_examples(model, images, labels, predicted)
    if isinstance(model, DigitDetector):
        figures["missed"] = int((predicted == -1).sum())
        limits, seed = params.frcnn.scenes, params.evaluate.scenes_seed
        generator = torch.Generator().manual_seed(seed)
        number = params.evaluate.scenes
        scenes = make_scenes(images.cpu(), test_labels.cpu(), limits, generator, number=number)
        found = detect(model, scenes.images.to(device), params.evaluate.scenes_batch_size)
        figures["detection"] = mean_average_precision(found, scenes)
        examples["scenes"] = scene_examples(found, scenes)
    write_json(f"metrics/{name}.json", figures)
    write_json(f"metrics/examples/{name}.json", examples)


def _answers(
    model: nn.Module, images: torch.Tensor, settings: Evaluate
) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, 10) and predicted digits (N,), -1 where a detector found none."""
    if isinstance(model, DigitDetector):
        logits, found = classify_digits(model, images, settings.scenes_batch_size)
        predicted = logits.argmax(dim=1).where(found, -1)
    else:
        logits = predict_logits(model, images, settings.batch_size)
        predicted = logits.argmax(dim=1)
    return logits.cpu().double().numpy(), predicted.cpu().numpy()


if __name__ == "__main__":
    run(main)
