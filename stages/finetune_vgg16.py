"""Stage `finetune_vgg16`: VGG16 from ImageNet weights, fine-tuned on MNIST."""

from pathlib import Path

from mnist.data.imagenet import load_imagenet_weights
from mnist.errors import run
from mnist.models import vgg16
from mnist.models.fine_tuned import FineTunedNetwork
from mnist.params import Params
from mnist.training.classification import Classification
from mnist.training.run import train_stage


def build(params: Params) -> FineTunedNetwork:
    model = vgg16.build(params)
    if params.vgg16.weights == "imagenet":
        load_imagenet_weights(model, "vgg16", Path("data/weights/vgg16.safetensors"))
    return model


def main() -> None:
    train_stage("vgg16", build, Classification)


if __name__ == "__main__":
    run(main)
