"""Stage `finetune_alexnet`: AlexNet from ImageNet weights, fine-tuned on MNIST."""

from pathlib import Path

from mnist.errors import run
from mnist.params import load_params
from mnist.training.finetune import finetune


def main() -> None:
    params = load_params()
    finetune("alexnet", params.alexnet, params, Path("data/weights/alexnet.safetensors"))


if __name__ == "__main__":
    run(main)
