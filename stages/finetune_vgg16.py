"""Stage `finetune_vgg16`: VGG16 from ImageNet weights, fine-tuned on MNIST."""

from pathlib import Path

from mnist.errors import run
from mnist.params import load_params
from mnist.training.finetune import finetune


def main() -> None:
    params = load_params()
    finetune("vgg16", params.vgg16, params, Path("data/weights/vgg16.safetensors"))


if __name__ == "__main__":
    run(main)
