"""Stage `train_cnn`: the custom CNN, trained from scratch."""

import torch

from mnist.device import set_up
from mnist.errors import run
from mnist.models.cnn import CNN
from mnist.params import load_params
from mnist.training.classification import Classification
from mnist.training.run import train_and_write


def main() -> None:
    params = load_params()
    device = set_up(params.runtime)
    torch.manual_seed(params.seed)
    architecture = params.cnn.architecture()
    model = CNN(**architecture)
    train_and_write("cnn", model, architecture, Classification, params.cnn, params, device)


if __name__ == "__main__":
    run(main)
