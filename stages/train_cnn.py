"""Stage `train_cnn`: the custom CNN, trained from scratch."""

import torch

from stages.models.cnn import CNN
from stages.params import load_params
from stages.system.errors import run
from stages.system.machine import set_up
from stages.training.classification import Classification
from stages.training.stage import train_and_write


def main() -> None:
    params = load_params()
    device = set_up(params.runtime)
    torch.manual_seed(params.seed)
    architecture = params.cnn.architecture()
    model = CNN(**architecture)
    train_and_write("cnn", model, architecture, Classification, params.cnn, params, device)


if __name__ == "__main__":
    run(main)
