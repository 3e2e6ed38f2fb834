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


def test_attention_is_the_formula_of_the_paper() -> None:
    torch.manual_seed(0)
    attention = SelfAttention(dim=32, heads=4)
    tokens = torch.randn(3, 16, 32)
    # Of each head: 8 columns of the queries, of the keys and of the values.
    queries, keys, values = attention.qkv(tokens).view(3, 16, 3, 4, 8).unbind(2)
    weights = (torch.einsum("nqhd,nkhd->nhqk", queries, keys) / 8**0.5).softmax(dim=-1)
    mixed = torch.einsum("nhqk,nkhd->nqhd", weights, values)
    torch.testing.assert_close(attention(tokens), attention.projection(mixed.flatten(2)))


def test_dropout_applies_to_both_branches_of_a_block() -> None:
    tokens = torch.randn(3, 16, 32)
    block = EncoderBlock(dim=32, heads=4, mlp_dim=64, dropout=1.0)
    assert torch.equal(block.train()(tokens), tokens)  # only the residual connections are left
    assert not torch.equal(block.eval()(tokens), tokens)


def test_dropout_drops_whole_tokens() -> None:
    dropout = EncoderBlock(dim=32, heads=4, mlp_dim=64, dropout=0.5).train().dropout
    kept = dropout(torch.ones(20, 16, 32))
    assert set(kept[..., 0].unique().tolist()) == {0.0, 2.0}
    assert torch.equal(kept, kept[..., :1].expand(-1, -1, 32))


def test_without_positions_the_patches_are_a_bag() -> None:
    model = build(stem="linear")
    images = torch.rand(4, 1, 28, 28)
    squares = patchify(images, 7).view(4, 4, 4, 7, 7)  # (N, rows, columns, P, P)
    moved = squares.flip(1, 2).permute(0, 1, 3, 2, 4).reshape(4, 1, 28, 28)
    assert not torch.allclose(model(images), model(moved), atol=1e-4)
    nn.init.zeros_(model.position)
    torch.testing.assert_close(model(images), model(moved), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("changes", [{}, {"stem": "linear", "pool": "class"}])
def test_it_overfits_32_images(changes: dict[str, Any]) -> None:
    assert overfits(lambda seed: build(seed, **changes), lr=0.01, steps=100)
