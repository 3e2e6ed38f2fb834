"""The Vision Transformer: each part does what the paper says, and the whole learns."""

import copy
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from mnist.models.inference import predict_logits
from mnist.models.vit import EncoderBlock, SelfAttention, ViT, patchify
from mnist.training.compilation import compile_if_possible
from tests.digits import as_tensors
from tests.overfit import loss_after_overfitting

SMALL: dict[str, Any] = {
    "patch_size": 7,
    "dim": 32,
    "depth": 2,
    "heads": 4,
    "mlp_dim": 64,
    "dropout": 0.0,
    "stem": "conv",
    "pool": "mean",
}
VARIANTS = [
    {},
    {"stem": "linear"},
    {"pool": "class"},
    {"stem": "linear", "pool": "class", "patch_size": 4},
    {"patch_size": 4},
    {"patch_size": 14},
]


def build(**changes: Any) -> ViT:
    torch.manual_seed(0)
    return ViT(**SMALL | changes).eval()


def test_patchify_is_the_explicit_loop() -> None:
    images = torch.rand(3, 2, 28, 28)
    patches = patchify(images, 7)
    assert patches.shape == (3, 16, 2 * 49)
    for row in range(4):
        for column in range(4):
            square = images[:, :, 7 * row : 7 * row + 7, 7 * column : 7 * column + 7]
            assert torch.equal(patches[:, 4 * row + column], square.flatten(1))


@pytest.mark.parametrize("changes", VARIANTS)
def test_every_variant_has_a_token_a_patch(changes: dict[str, Any]) -> None:
    model = build(**changes)
    side = 28 // (SMALL | changes)["patch_size"]
    tokens = side**2 + (model.class_token is not None)
    assert model.embed(torch.zeros(2, 1, 28, 28)).shape == (2, tokens, 32)
    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    assert model.rollout(torch.zeros(2, 1, 28, 28)).shape == (2, side**2)


@pytest.mark.parametrize("changes", VARIANTS)
def test_order_in_the_batch_does_not_matter(changes: dict[str, Any]) -> None:
    # A well-known example fed batch-first tensors to a sequence-first attention: images attended
    # to each other, nothing failed, and the model stayed at chance.
    model = build(**changes)
    images, _ = as_tensors(slice(20))
    order = torch.randperm(20)
    shuffled = predict_logits(model, images[order], batch_size=7)
    torch.testing.assert_close(shuffled, predict_logits(model, images, 20)[order])


def test_attention_rows_sum_to_one_and_are_what_the_kernel_uses() -> None:
    torch.manual_seed(0)
    attention = SelfAttention(dim=32, heads=4)
    tokens = torch.randn(3, 16, 32)
    weights = attention.weights(tokens)
    assert weights.shape == (3, 4, 16, 16)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(3, 4, 16))
    mixed = weights @ attention.split(tokens)[2]
    expected = attention.projection(mixed.transpose(1, 2).flatten(2))
    torch.testing.assert_close(attention(tokens), expected)


def test_without_positions_the_patches_are_a_bag() -> None:
    model = build(stem="linear")
    images = torch.rand(4, 1, 28, 28)
    squares = patchify(images, 7).view(4, 4, 4, 7, 7)  # (N, rows, columns, P, P)
    moved = squares.flip(1, 2).permute(0, 1, 3, 2, 4).reshape(4, 1, 28, 28)
    assert not torch.allclose(model(images), model(moved), atol=1e-4)
    nn.init.zeros_(model.position)
    torch.testing.assert_close(model(images), model(moved), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("pool", ["class", "mean"])
def test_rollout_is_a_share_of_every_patch(pool: str) -> None:
    model = build(pool=pool)
    shares = model.rollout(torch.rand(5, 1, 28, 28))
    assert shares.min() > 0
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(5))
    # Attention that is even everywhere sees every patch alike.
    for block in model.blocks:
        assert isinstance(block, EncoderBlock)
        nn.init.zeros_(block.attention.qkv.weight)
    even = model.rollout(torch.rand(5, 1, 28, 28))
    torch.testing.assert_close(even, torch.full((5, 16), 1 / 16))


@pytest.mark.parametrize("changes", [{}, {"stem": "linear", "pool": "class"}])
def test_it_overfits_32_images(changes: dict[str, Any]) -> None:
    assert loss_after_overfitting(build(**changes), lr=3e-3, steps=120, enough=0.02) < 0.02


def test_without_a_compiler_it_goes_on_uncompiled(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_compiler(*_: object, **__: object) -> None:
        raise RuntimeError("no C++ compiler found\nand more")

    model = build()
    fail = partial(setattr, model, "_compiled_call_impl", no_compiler)
    monkeypatch.setattr(model, "compile", fail)
    before = copy.deepcopy(model.state_dict())
    compile_if_possible(model, torch.device("cpu"))
    assert "going on without (no C++ compiler found)" in capsys.readouterr().err
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
