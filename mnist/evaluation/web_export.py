"""A trained model in a form that a web page can carry: 8 bits per weight, as text.

The page's script that runs it is mnist/reporting/js/network.js.
"""

import base64
import copy
import zlib
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mnist.evaluation.out_of_distribution import fit_typical
from mnist.models.inference import PIXEL_MEAN, PIXEL_STD, predict_logits

CHECKED = 200  # test digits whose probabilities are kept, to hold the page's against

Layer = dict[str, Any]


def is_supported(model: nn.Module) -> bool:
    """Whether the page's script can run the model: the CNN, or the ViT as it is by default."""
    kind = type(model).__name__
    if kind == "ViT":
        return model.class_token is None and isinstance(model.stem, nn.Sequential)
    return kind == "CNN"


def export_weights(
    model: nn.Module, images: Tensor, validation: Tensor, labels: np.ndarray
) -> dict[str, Any]:
    """Export `model`, and what it predicts for the first of the uint8 digits (N, 28, 28).

    Args:
        validation: uint8 (M, 28, 28), by which `typical` is chosen.
        labels: (M,) their classes.

    Returns:
        `layers`, in order; `check`: the digits, and the probabilities that the model gives them
        as it is (`exact`) and with its weights rounded to 8 bits (`rounded`), as on the page; of
        the CNN also `typical`: where the features of digits lie.
    """
    rounded = copy.deepcopy(model).eval()
    for module in list(rounded.modules()):
        if isinstance(module, nn.Sequential):
            _fold_normalisation(module)
    with torch.no_grad():
        for parameter in rounded.parameters():
            if parameter.ndim > 1 and parameter.shape[0] > 1:
                steps, scale = _eight_bits(parameter)
                parameter.copy_((steps * scale).view_as(parameter))
    digits = images[:CHECKED]
    check: dict[str, Any] = {"pixels": _text(zlib.compress(digits.cpu().numpy().tobytes(), 9))}
    for name, checked in (("exact", model), ("rounded", rounded)):
        probabilities = predict_logits(checked, digits, CHECKED).softmax(dim=1)
        check[name] = [[round(x, 5) for x in row] for row in probabilities.tolist()]
    exported: dict[str, Any] = {"mean": PIXEL_MEAN, "std": PIXEL_STD}
    if type(model).__name__ == "ViT":
        exported["layers"] = _vit(rounded)
    else:
        exported["layers"] = _cnn(rounded)
        typical = fit_typical(_features(rounded, validation), labels)
        exported["typical"] = {
            "whitening": _floats(typical.whitening),
            "means": _floats(typical.means),
            "largest": typical.largest,
        }
        check["remoteness"] = typical.remoteness(_features(rounded, digits)).tolist()
    return exported | {"check": check}


def _features(model: Any, images: Tensor) -> np.ndarray:
    """Return the input of the CNN's head, float64 (N, channels)."""
    found: list[Tensor] = []
    hook = model.head.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0]))
    predict_logits(model, images, CHECKED)
    hook.remove()
    return torch.cat(found).cpu().double().numpy()


def _cnn(model: Any) -> list[Layer]:
    return [*_convolutions(model.features), {"kind": "strongest"}, _linear(model.head)]


def _vit(model: Any) -> list[Layer]:
    layers = [*_convolutions(model.stem), {"kind": "tokens"}]
    layers.append({"kind": "position", "values": _floats(model.position)})
    for block in model.blocks:
        attention = block.attention
        layers += [
            {
                "kind": "attention",
                "heads": attention.heads,
                "norm": _norm(block.attention_norm),
                "qkv": _linear(attention.qkv),
                "projection": _linear(attention.projection),
            },
            {
                "kind": "perceptron",
                "norm": _norm(block.mlp_norm),
                "first": _linear(block.mlp[0]),
                "second": _linear(block.mlp[2]),
            },
        ]
    return [*layers, _norm(model.norm), {"kind": "mean"}, _linear(model.head)]


def _convolutions(layers: nn.Sequential) -> list[Layer]:
    found: list[Layer] = []
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            shape = {"kernel": layer.kernel_size[0], "stride": layer.stride[0]}
            found.append(
                {"kind": "convolution"} | shape | {"padding": layer.padding[0]} | _of(layer)
            )
        elif isinstance(layer, nn.ReLU):
            found.append({"kind": "relu"})
        elif isinstance(layer, nn.MaxPool2d):
            found.append({"kind": "pool", "size": layer.kernel_size})
    return found


def _linear(layer: Any) -> Layer:
    return {"kind": "linear"} | _of(layer)


def _norm(layer: nn.LayerNorm) -> Layer:
    return {
        "kind": "norm",
        "eps": layer.eps,
        "weight": _floats(layer.weight),
        "bias": _floats(layer.bias),
    }


def _of(layer: Any) -> Layer:
    """Weights of a layer, a row an output: steps of -127 to 127, and how large a step is."""
    steps, scale = _eight_bits(layer.weight)
    return {
        "outputs": len(steps),
        "steps": _text(steps.to(torch.int8).cpu().numpy().tobytes()),
        "scale": _floats(scale),
        "bias": _floats(layer.bias),
    }


def _eight_bits(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round (rows, ...) to whole steps (rows, n) of a size of their own in each row, (rows, 1)."""
    rows = weight.detach().flatten(1)
    scale = rows.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / 127
    return (rows / scale).round(), scale


def _fold_normalisation(layers: nn.Sequential) -> None:
    """Put each batch normalisation into the convolution before it, where it is a factor."""
    for i in range(len(layers) - 1):
        convolution, normalisation = layers[i], layers[i + 1]
        if isinstance(convolution, nn.Conv2d) and isinstance(normalisation, nn.BatchNorm2d):
            layers[i] = fuse_conv_bn_eval(convolution, normalisation)
            layers[i + 1] = nn.Identity()


def _floats(values: Tensor | np.ndarray) -> str:
    values = values.detach().cpu().numpy() if isinstance(values, Tensor) else values
    return _text(values.astype("<f4").tobytes())


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
