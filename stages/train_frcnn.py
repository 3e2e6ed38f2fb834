"""Stage `train_frcnn`: Faster R-CNN, trained on scenes of digits."""

from pathlib import Path

import torch

from stages.models import files
from stages.models.cnn import CNN
from stages.models.faster_rcnn import DigitDetector
from stages.params import load_params
from stages.system.errors import run
from stages.system.machine import set_up
from stages.training.detection import Detection
from stages.training.stage import train_and_write

BACKBONE = Path("models/cnn.safetensors")


def main() -> None:
    params = load_params()
    device = set_up(params.runtime)
    torch.manual_seed(params.seed)  # of the first weights, and of torchvision's choice of proposals
    layers = files.read_architecture(BACKBONE)
    architecture = {"backbone": layers} | params.frcnn.architecture()
    model = DigitDetector(**architecture)
    if params.frcnn.backbone == "cnn":
        cnn = CNN(**layers)
        files.load_weights(BACKBONE, cnn)
        model.start_from(cnn)
    train_and_write("frcnn", model, architecture, Detection, params.frcnn, params, device)


if __name__ == "__main__":
    run(main)
