"""Stage `finetune_alexnet`: AlexNet from ImageNet weights, fine-tuned on MNIST."""

from pathlib import Path

import torch

from mnist.data.imagenet import load_imagenet_weights
from mnist.device import set_up
from mnist.errors import run
from mnist.models import alexnet
from mnist.params import load_params
from mnist.training.classification import Classification
from mnist.training.run import run_training

WEIGHTS = Path("data/weights/alexnet.safetensors")


def main() -> None:
    params = load_params()
    device = set_up(params)
    torch.manual_seed(params.seed)
    model = alexnet.build(params)
    if params.alexnet.weights == "imagenet":
        load_imagenet_weights(model, "alexnet", WEIGHTS)
    run_training("alexnet", model, Classification, params, device)


if __name__ == "__main__":
    run(main)
