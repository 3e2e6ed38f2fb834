"""What an evaluation keeps of single digits: every prediction, and the worst errors with pixels."""

import base64

import numpy as np
import torch

from mnist.models.inference import to_input
from mnist.models.vit import ViT


def predictions_csv(labels: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray) -> str:
    """One row a digit: true class, predicted class, and the probability of each class.

    Args:
        labels, predicted: (N,) classes; probabilities: (N, classes), rounded to 4 decimals.
    """
    classes = range(probabilities.shape[1])
    lines = ["actual,predicted," + ",".join(f"p{digit}" for digit in classes)]
    for actual, answer, row in zip(labels, predicted, probabilities, strict=True):
        lines.append(f"{actual},{answer}," + ",".join(f"{p:.4f}" for p in row))
    return "\n".join(lines) + "\n"


def to_base64(image: np.ndarray) -> str:
    """The bytes of a uint8 image, row by row, as text."""
    return base64.b64encode(image.tobytes()).decode()


def misclassified(
    images: np.ndarray,
    labels: np.ndarray,
    predicted: np.ndarray,
    probabilities: np.ndarray,
    most: int,
) -> list[dict[str, object]]:
    """Describe up to `most` errors, those made with the greatest confidence first.

    Args:
        images: uint8 (N, 28, 28); they are kept as base64 of their 784 bytes.
    """
    confidence = probabilities.max(axis=1)
    wrong = np.flatnonzero(labels != predicted)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")][:most]
    return [
        {
            "index": int(i),
            "actual": int(labels[i]),
            "predicted": int(predicted[i]),
            "probability": round(float(confidence[i]), 4),
            "pixels": to_base64(images[i]),
        }
        for i in wrong
    ]


@torch.no_grad()
def attention_examples(
    model: ViT, images: torch.Tensor, labels: np.ndarray, predicted: np.ndarray
) -> list[dict[str, object]]:
    """Say where the Vision Transformer looked: the first right answer of each digit, ten errors.

    Args:
        images: uint8 (N, 28, 28).

    Returns:
        As `misclassified`, with the share of each patch, row by row, in `attention`.
    """
    right, wrong = np.flatnonzero(labels == predicted), np.flatnonzero(labels != predicted)
    _, first = np.unique(labels[right], return_index=True)
    chosen = np.concatenate([right[first], wrong[:10]]).tolist()
    shares = model.rollout(to_input(images[chosen])).cpu().numpy()
    return [
        {
            "index": i,
            "actual": int(labels[i]),
            "predicted": int(predicted[i]),
            "pixels": to_base64(images[i].cpu().numpy()),
            "attention": [round(float(share), 4) for share in row],
        }
        for i, row in zip(chosen, shares, strict=True)
    ]
