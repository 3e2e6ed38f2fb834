"""The weights of the CNN in a form that a web page can carry: 8 bits per weight, as text.

The page's script that runs the network is mnist/reporting/js/network.js.
"""

import base64
import copy
import zlib
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mnist.models.inference import PIXEL_MEAN, PIXEL_STD, predict_logits

CHECKED = 200  # test digits whose probabilities are kept, to hold the page's against


def export_weights(model: nn.Module, images: Tensor) -> dict[str, Any]:
    """Export the CNN `model`, and what it predicts for the first of the uint8 digits (N, 28, 28).

    Returns:
        `layers`, in order; `mean` and `std` of the pixels; `check`: the digits, and the
        probabilities that the model gives them as it is (`exact`) and with its weights rounded to
        8 bits (`rounded`), as on the page.
    """
    rounded = copy.deepcopy(model).eval()
    layers = _round_layers(rounded)
    digits = images[:CHECKED]
    pixels = zlib.compress(digits.cpu().numpy().tobytes(), 9)
    check: dict[str, Any] = {"pixels": base64.b64encode(pixels).decode()}
    for name, checked in (("exact", model), ("rounded", rounded)):
        probabilities = predict_logits(checked, digits, CHECKED).softmax(dim=1)
        check[name] = [[round(x, 5) for x in row] for row in probabilities.tolist()]
    return {"mean": PIXEL_MEAN, "std": PIXEL_STD, "layers": layers, "check": check}


def _round_layers(model: Any) -> list[dict[str, Any]]:
    """Round the weights of all layers in place, and describe the layers."""
    layers: list[dict[str, Any]] = []
    for i, layer in enumerate(model.features):
        if isinstance(layer, nn.Conv2d):
            # A batch normalisation is a factor of the convolution before it.
            layer = model.features[i] = fuse_conv_bn_eval(layer, model.features[i + 1])
            model.features[i + 1] = nn.Identity()
            kernel, stride, padding = layer.kernel_size[0], layer.stride[0], layer.padding[0]
            shape = {"kernel": kernel, "stride": stride, "padding": padding}
            layers.append({"kind": "convolution"} | shape | _round_weights(layer))
        elif isinstance(layer, nn.ReLU):
            layers.append({"kind": "relu"})
        elif isinstance(layer, nn.MaxPool2d):
            layers.append({"kind": "pool", "size": layer.kernel_size})
    return [*layers, {"kind": "strongest"}, {"kind": "linear"} | _round_weights(model.head)]


@torch.no_grad()
def _round_weights(layer: Any) -> dict[str, Any]:
    """Round to whole steps of -127 to 127; how large a step is, differs from output to output."""
    rows = layer.weight.flatten(1)
    scale = rows.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / 127
    steps = (rows / scale).round()
    layer.weight.copy_((steps * scale).view_as(layer.weight))
    return {
        "outputs": len(steps),
        "steps": _text(steps.to(torch.int8)),
        "scale": _text(scale),
        "bias": _text(layer.bias),
    }


def _text(values: Tensor) -> str:
    return base64.b64encode(values.detach().cpu().numpy().tobytes()).decode()
