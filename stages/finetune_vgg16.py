"""Stage `finetune_vgg16`: VGG16 from ImageNet weights, fine-tuned on MNIST."""

from pathlib import Path

import torch

from mnist.data.imagenet import load_imagenet_weights
from mnist.device import set_up
from mnist.errors import run
from mnist.models import vgg16
from mnist.params import load_params
from mnist.training.classification import Classification
from mnist.training.run import run_training

WEIGHTS = Path("data/weights/vgg16.safetensors")


def main() -> None:
    params = load_params()
    device = set_up(params)
    torch.manual_seed(params.seed)
    model = vgg16.build(params)
    if params.vgg16.weights == "imagenet":
        load_imagenet_weights(model, "vgg16", WEIGHTS)
    run_training("vgg16", model, Classification, params, device)


if __name__ == "__main__":
    run(main)
