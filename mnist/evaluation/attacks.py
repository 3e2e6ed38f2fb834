"""Adversarial attacks: changes of at most eps per pixel that raise the loss of a known model."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def fgsm(model: nn.Module, images: Tensor, labels: Tensor, eps: float) -> Tensor:
    """Fast gradient sign method (Goodfellow et al., 2015): one step that raises the loss.

    Args:
        model: a classifier in inference mode; its weights and their gradients stay as they are.
        images: float (N, 1, H, W) in 0..1.
        labels: int64 (N,), the true classes.
        eps: largest change of a pixel, 0..1.

    Returns:
        The changed images, in 0..1.
    """
    return (images + eps * _gradient_sign(model, images, labels)).clamp(0, 1)


def pgd(model: nn.Module, images: Tensor, labels: Tensor, eps: float, steps: int) -> Tensor:
    """Projected gradient descent (Madry et al., 2018): `steps` small steps, kept within eps.

    A step is 2.5 eps / `steps`, so that all steps together can cross the allowed range. Unlike in
    the paper, the first step starts from the images themselves and needs no random numbers.
    Arguments and result are those of `fgsm`.
    """
    changed = images
    for _ in range(steps):
        changed = changed + 2.5 * eps / steps * _gradient_sign(model, changed, labels)
        changed = images + (changed - images).clamp(-eps, eps)
        changed = changed.clamp(0, 1)
    return changed


def _gradient_sign(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return -1, 0 or 1 per pixel: the direction in which the cross-entropy grows."""
    images = images.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), labels), images)
    return gradient.sign()
