"""Stage `train_vit`: the Vision Transformer, trained from scratch."""

import torch

from mnist.device import set_up
from mnist.errors import run
from mnist.models.vit import ViT
from mnist.params import load_params
from mnist.training.classification import Classification
from mnist.training.compilation import compile_if_possible
from mnist.training.run import train_and_write


def main() -> None:
    params = load_params()
    device = set_up(params.runtime)
    torch.manual_seed(params.seed)
    architecture = params.vit.architecture()
    model = ViT(**architecture)
    if params.runtime.compile:
        compile_if_possible(model, device)
    train_and_write("vit", model, architecture, Classification, params.vit, params, device)


if __name__ == "__main__":
    run(main)
