"""The Vision Transformer (Dosovitskiy et al., 2021): a transformer encoder on patches of an image.

Shapes: N images; T tokens, one per patch, plus the class token if there is one; D = dim.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from mnist.models.inference import PIXEL_MEAN, PIXEL_STD
from mnist.models.linear import Linear
from mnist.models.weights_io import from_architecture
from mnist.params import Params


def build(params: Params) -> "ViT":
    """Build the network that params.yaml describes, with random weights."""
    shape = {"patch_size", "dim", "depth", "heads", "mlp_dim", "dropout", "stem", "pool"}
    architecture = params.vit.model_dump(include=shape)
    return from_architecture(ViT, architecture | {"classes": len(params.data.classes)})


def patchify(images: Tensor, patch_size: int) -> Tensor:
    """Cut images (N, C, H, W) into squares of P pixels, row by row: (N, H/P * W/P, C*P*P)."""
    n, channels, height, width = images.shape
    rows, columns = height // patch_size, width // patch_size
    grid = images.view(n, channels, rows, patch_size, columns, patch_size)
    return grid.permute(0, 2, 4, 1, 3, 5).reshape(n, rows * columns, -1)


class ConvStem(nn.Sequential):
    """Convolutions of stride 2, until one position is left per patch (Xiao et al., 2021).

    Maps (N, 1, H, W) to tokens (N, T, D), in the order of `patchify`. Convolutions learn strokes
    sooner than one linear map of a whole patch does.
    """

    def __init__(self, patch_size: int, dim: int) -> None:
        halvings = math.ceil(math.log2(patch_size))
        widths = [1, *(dim >> (halvings - 1 - i) for i in range(halvings))]
        layers: list[nn.Module] = []
        for before, after in zip(widths, widths[1:], strict=False):
            convolution = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
        super().__init__(*layers, nn.Conv2d(widths[-1], dim, 1))

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).flatten(2).transpose(1, 2)


class LinearStem(Linear):
    """One linear map of each patch's pixels, as in the paper: (N, 1, H, W) to (N, T, D)."""

    def __init__(self, patch_size: int, dim: int) -> None:
        super().__init__(patch_size**2, dim)
        self.patch_size = patch_size

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(patchify(images, self.patch_size))


class SelfAttention(nn.Module):
    """Multi-head self-attention (Vaswani et al., 2017), (N, T, D) to (N, T, D).

    Spelt out: PyTorch's fused `scaled_dot_product_attention` is made for long sequences. For the
    16 tokens of a digit it takes half as long again on a CPU.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = Linear(dim, 3 * dim)
        self.projection = Linear(dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        n, count, _ = tokens.shape
        parts = self.qkv(tokens).view(n, count, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        queries, keys, values = parts.unbind()  # (N, heads, T, D/heads) each
        scores = queries @ keys.transpose(-2, -1) / math.sqrt(queries.shape[-1])
        mixed = scores.softmax(dim=-1) @ values
        return self.projection(mixed.transpose(1, 2).flatten(2))


class EncoderBlock(nn.Module):
    """Attention, then a two-layer perceptron; each has a LayerNorm before and a residual around.

    In training a share `dropout` of the tokens skips a branch: stochastic depth (Huang et al.,
    2016), drawn for each token. The dropout of the paper draws a number for each feature instead,
    which takes a tenth of the training time on a CPU.
    """

    def __init__(self, dim: int, heads: int, mlp_dim: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = SelfAttention(dim, heads)
        self.mlp_norm = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(Linear(dim, mlp_dim), nn.GELU(), Linear(mlp_dim, dim))
        self.dropout = nn.Dropout1d(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.dropout(self.attention(self.attention_norm(tokens)))
        return tokens + self.dropout(self.mlp(self.mlp_norm(tokens)))


class ViT(nn.Module):
    """Maps grey images (N, 1, 28, 28) in 0..1 to logits (N, classes).

    Args:
        patch_size: side of a patch in pixels; divides the image's side.
        dim: width of a token; a multiple of `heads`.
        pool: what the classifier sees, the class token or the mean of all tokens.
    """

    def __init__(
        self,
        *,
        patch_size: int,
        dim: int,
        depth: int,
        heads: int,
        mlp_dim: int,
        dropout: float,
        stem: Literal["linear", "conv"],
        pool: Literal["class", "mean"],
        classes: int,
    ) -> None:
        super().__init__()
        self.stem = (ConvStem if stem == "conv" else LinearStem)(patch_size, dim)
        self.class_token = nn.Parameter(torch.zeros(1, 1, dim)) if pool == "class" else None
        tokens = (28 // patch_size) ** 2 + (pool == "class")
        self.position = nn.Parameter(torch.randn(1, tokens, dim) * 0.02)
        self.blocks = nn.ModuleList(
            EncoderBlock(dim, heads, mlp_dim, dropout) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, classes)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.stem((images - PIXEL_MEAN) / PIXEL_STD)
        if self.class_token is not None:
            tokens = torch.cat([self.class_token.expand(len(tokens), -1, -1), tokens], dim=1)
        tokens = tokens + self.position
        for block in self.blocks:
            tokens = block(tokens)
        tokens = self.norm(tokens)
        return self.head(tokens.mean(dim=1) if self.class_token is None else tokens[:, 0])
