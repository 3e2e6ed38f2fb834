"""Stage `train_frcnn`: Faster R-CNN on scenes of digits, started from the CNN's weights."""

from pathlib import Path

from mnist.errors import run
from mnist.models import cnn, frcnn, weights_io
from mnist.params import Params
from mnist.training.detection import Detection
from mnist.training.run import train_stage

CNN = Path("models/cnn.safetensors")


def build(params: Params) -> frcnn.DigitDetector:
    model = frcnn.build(params)
    trained_cnn = cnn.build(params)
    weights_io.load_weights(CNN, trained_cnn)
    model.start_from(trained_cnn.features, trained_cnn.head)
    return model


def main() -> None:
    train_stage("frcnn", build, Detection)


if __name__ == "__main__":
    run(main)
