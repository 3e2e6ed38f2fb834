"""Images changed by no more than eps a pixel, so that a model with known weights errs most."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def fgsm(model: nn.Module, images: Tensor, labels: Tensor, eps: float) -> Tensor:
    """Fast gradient sign method (Goodfellow et al., 2015): one step that raises the loss.

    Args:
        model: a classifier in inference mode.
        images: float (N, 1, H, W) in 0..1.
        labels: int64 (N,), the true digits.
        eps: largest change of a pixel, 0..1.

    Returns:
        The changed images, in 0..1.
    """
    return (images + eps * _uphill(model, images, labels)).clamp(0, 1)


def pgd(model: nn.Module, images: Tensor, labels: Tensor, eps: float, steps: int) -> Tensor:
    """Projected gradient descent (Madry et al., 2018): `steps` small steps, kept within eps.

    A step is 2.5 eps / `steps`, so that it can get from one end of the allowed to the other. Unlike
    the paper's, it starts from the images themselves and so needs no random numbers.
    """
    changed = images
    for _ in range(steps):
        changed = changed + 2.5 * eps / steps * _uphill(model, changed, labels)
        changed = images + (changed - images).clamp(-eps, eps)
        changed = changed.clamp(0, 1)
    return changed


def _uphill(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Of each pixel, -1 or 1: where to change it so that the cross-entropy grows; 0: no matter."""
    images = images.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), labels), images)
    return gradient.sign()
