"""The CNN computes what its parameters describe, and learns."""

import torch

from tests.small_models import overfits, small_model, small_params

LISTS = {
    "widths": [8, 16],
    "kernel_sizes": [5, 3],
    "strides": [2, 1],
    "paddings": [2, 1],
    "pools": [1, 2],
}


def test_the_head_sees_the_maximum_of_each_feature_map_of_normalised_pixels() -> None:
    model = small_model("cnn", small_params(cnn=LISTS)).eval()
    images = torch.rand(4, 1, 28, 28)
    with torch.no_grad():
        maps = model.features((images - 0.1307) / 0.3081)
        torch.testing.assert_close(model(images), model.head(maps.flatten(2).max(dim=2).values))


def test_it_overfits_32_images() -> None:
    params = small_params(cnn={"dropout": 0.0})
    assert overfits(lambda seed: small_model("cnn", params, seed), lr=0.01, steps=60)
