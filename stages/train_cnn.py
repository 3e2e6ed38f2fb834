"""Stage `train_cnn`: the custom CNN, trained from scratch."""

import torch

from mnist.device import set_up
from mnist.errors import run
from mnist.models import cnn
from mnist.params import load_params
from mnist.training.classification import Classification
from mnist.training.run import run_training


def main() -> None:
    params = load_params()
    device = set_up(params)
    torch.manual_seed(params.seed)
    run_training("cnn", cnn.build(params), Classification, params, device)


if __name__ == "__main__":
    run(main)
