"""The Vision Transformer: each part does what the paper describes, and the whole learns."""

from typing import Any

import pytest
import torch
from torch import nn

from mnist.models.vit import EncoderBlock, SelfAttention, ViT, patchify
from tests.small_models import overfits, small_model, small_params

SMALL: dict[str, Any] = {"dim": 32, "depth": 2, "heads": 4, "mlp_dim": 64, "dropout": 0.0}


def build(seed: int = 0, **changes: Any) -> ViT:
    return small_model("vit", small_params(vit=SMALL | changes), seed).eval()


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


def test_dropout_applies_to_both_branches_of_a_block() -> None:
    tokens = torch.randn(3, 16, 32)
    block = EncoderBlock(dim=32, heads=4, mlp_dim=64, dropout=1.0)
    assert torch.equal(block.train()(tokens), tokens)  # only the residual connections are left
    assert not torch.equal(block.eval()(tokens), tokens)


def test_without_positions_the_patches_are_a_bag() -> None:
    model = build(stem="linear")
    images = torch.rand(4, 1, 28, 28)
    squares = patchify(images, 7).view(4, 4, 4, 7, 7)  # (N, rows, columns, P, P)
    moved = squares.flip(1, 2).permute(0, 1, 3, 2, 4).reshape(4, 1, 28, 28)
    assert not torch.allclose(model(images), model(moved), atol=1e-4)
    nn.init.zeros_(model.position)
    torch.testing.assert_close(model(images), model(moved), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("pool", ["class", "mean"])
def test_attention_that_is_uniform_gives_every_patch_the_same_contribution(pool: str) -> None:
    model = build(pool=pool)
    for block in model.blocks:
        assert isinstance(block, EncoderBlock)
        nn.init.zeros_(block.attention.qkv.weight)
    uniform = model.rollout(torch.rand(5, 1, 28, 28))
    torch.testing.assert_close(uniform, torch.full((5, 16), 1 / 16))


def test_a_patch_that_all_others_attend_to_contributes_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = build(depth=1)
    attention = torch.zeros(1, 4, 16, 16)
    attention[..., 3] = 1  # of every token to token 3
    monkeypatch.setattr(SelfAttention, "weights", lambda *_: attention)
    (contributions,) = model.rollout(torch.rand(1, 1, 28, 28))
    # Half of each token is itself, by the residual connection.
    expected = torch.full((16,), 0.5 / 16)
    expected[3] += 0.5
    torch.testing.assert_close(contributions, expected)


@pytest.mark.parametrize("changes", [{}, {"stem": "linear", "pool": "class"}])
def test_it_overfits_32_images(changes: dict[str, Any]) -> None:
    assert overfits(lambda seed: build(seed, **changes), lr=0.01, steps=100)
