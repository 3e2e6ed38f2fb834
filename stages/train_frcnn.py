"""Stage `train_frcnn`: Faster R-CNN on scenes of digits, started from the CNN's weights."""

from pathlib import Path

from mnist.errors import run
from mnist.models import frcnn, weights_io
from mnist.models.cnn import CNN
from mnist.params import Params
from mnist.training.detection import Detection
from mnist.training.run import train_stage

TRAINED_CNN = Path("models/cnn.safetensors")


def build(params: Params) -> frcnn.DigitDetector:
    model = frcnn.build(params)
    trained = weights_io.load(TRAINED_CNN, CNN)
    model.start_from(trained.features, trained.head)
    return model


def main() -> None:
    train_stage("frcnn", build, Detection)


if __name__ == "__main__":
    run(main)
