"""Stage `finetune_alexnet`: AlexNet from ImageNet weights, fine-tuned on MNIST."""

from pathlib import Path

from mnist.data.imagenet import load_imagenet_weights
from mnist.errors import run
from mnist.models import alexnet
from mnist.models.fine_tuned import FineTunedNetwork
from mnist.params import Params
from mnist.training.classification import Classification
from mnist.training.run import train_stage


def build(params: Params) -> FineTunedNetwork:
    model = alexnet.build(params)
    if params.alexnet.weights == "imagenet":
        load_imagenet_weights(model, "alexnet", Path("data/weights/alexnet.safetensors"))
    return model


def main() -> None:
    train_stage("alexnet", build, Classification)


if __name__ == "__main__":
    run(main)
