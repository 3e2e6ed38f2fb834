"""Stage `train_frcnn`: Faster R-CNN, trained on scenes of digits."""

from pathlib import Path

import torch

from mnist.device import set_up
from mnist.errors import run
from mnist.models import weights_io
from mnist.models.cnn import CNN
from mnist.models.frcnn import DigitDetector
from mnist.params import load_params
from mnist.training.detection import Detection
from mnist.training.run import train_and_write

BACKBONE = Path("models/cnn.safetensors")


def main() -> None:
    params = load_params()
    device = set_up(params.runtime)
    torch.manual_seed(params.seed)  # of the first weights, and of torchvision's choice of proposals
    layers = weights_io.read_architecture(BACKBONE)
    architecture = {"backbone": layers} | params.frcnn.architecture()
    model = DigitDetector(**architecture)
    if params.frcnn.backbone == "cnn":
        cnn = CNN(**layers)
        weights_io.load_weights(BACKBONE, cnn)
        model.load_backbone(cnn)
    train_and_write("frcnn", model, architecture, Detection, params.frcnn, params, device)


if __name__ == "__main__":
    run(main)
