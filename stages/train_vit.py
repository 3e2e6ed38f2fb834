"""Stage `train_vit`: the Vision Transformer, trained from scratch."""

import torch

from mnist.device import set_up
from mnist.errors import run
from mnist.models import vit
from mnist.params import load_params
from mnist.training.classification import Classification
from mnist.training.compilation import compile_if_possible
from mnist.training.run import run_training


def main() -> None:
    params = load_params()
    device = set_up(params)
    torch.manual_seed(params.seed)
    model = vit.build(params)
    if params.runtime.compile:
        compile_if_possible(model, device)
    run_training("vit", model, Classification, params, device)


if __name__ == "__main__":
    run(main)
