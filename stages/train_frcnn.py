"""Stage `train_frcnn`: Faster R-CNN, trained on scenes of digits."""

from pathlib import Path

import torch

from mnist.device import set_up
from mnist.errors import run
from mnist.models import cnn, frcnn, weights_io
from mnist.params import load_params
from mnist.training.detection import Detection
from mnist.training.run import run_training

CNN = Path("models/cnn.safetensors")


def main() -> None:
    params = load_params()
    device = set_up(params)
    torch.manual_seed(params.seed)
    model = frcnn.build(params)
    if params.frcnn.backbone == "cnn":
        trained_cnn = cnn.build(params)
        weights_io.load_weights(CNN, trained_cnn)
        model.start_from(trained_cnn.features, trained_cnn.head)
    run_training("frcnn", model, Detection, params, device)


if __name__ == "__main__":
    run(main)
