"""Adversarial attacks: changes of at most eps per pixel that make a known model err.

An attack that fails proves nothing: a better one may succeed. So the accuracy under an attack is an
upper bound of the robust accuracy, the share of digits that no such change can break.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Loss = Callable[[Tensor, Tensor], Tensor]
"""of logits (N, classes) and true classes (N,); an attack raises it"""


def fgsm(model: nn.Module, images: Tensor, labels: Tensor, eps: Sequence[float]) -> list[Tensor]:
    """Fast gradient sign method (Goodfellow et al., 2015): one step that raises the loss.

    Args:
        model: a classifier in inference mode; its weights and their gradients stay as they are.
        images: float (N, 1, H, W) in 0..1.
        labels: int64 (N,), the true classes.
        eps: largest changes of a pixel, 0..1.

    Returns:
        The changed images, in 0..1, of each eps.
    """
    sign, _ = _gradient_sign(model, images, labels, F.cross_entropy)
    return [(images + e * sign).clamp(0, 1) for e in eps]


def pgd(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    eps: float,
    steps: int,
    start: Tensor | None = None,
    loss: Loss = F.cross_entropy,
) -> Tensor:
    """Projected gradient descent (Madry et al., 2018): `steps` small steps, kept within eps.

    A step is 2.5 eps / `steps`, so that all steps together can cross the allowed range. They start
    from the images themselves, or from `start`, images within eps of them. An image stays as it is
    as soon as the model errs. Other arguments, and the result, are those of `fgsm`.
    """
    changed = (images if start is None else start).clone()
    left = torch.arange(len(images), device=images.device)
    for _ in range(steps):
        sign, correct = _gradient_sign(model, changed[left], labels[left], loss)
        left, sign = left[correct], sign[correct]
        if len(left) == 0:
            break
        moved = changed[left] + 2.5 * eps / steps * sign
        moved = images[left] + (moved - images[left]).clamp(-eps, eps)
        changed[left] = moved.clamp(0, 1)
    return changed


def pgd_margin(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    eps: float,
    steps: int,
    restarts: int,
    generator: torch.Generator,
) -> Tensor:
    """PGD on the margin, from random starts within eps (Madry et al., 2018).

    The cross-entropy of a confident model is flat, and its gradient may vanish. The margin of
    Carlini & Wagner (2017) is not. An image that one start has broken is not attacked again. Other
    arguments, and the result, are those of `pgd`.

    Args:
        restarts: how many random starts are tried.
        generator: a CPU's; draws the starts.
    """
    attacked = images.clone()
    left = torch.arange(len(images), device=images.device)
    for _ in range(restarts):
        noise = eps * (2 * torch.rand(images.shape, generator=generator) - 1).to(images.device)
        start = (images[left] + noise[left]).clamp(0, 1)
        attacked[left] = pgd(model, images[left], labels[left], eps, steps, start, margin)
        with torch.no_grad():
            left = left[model(attacked[left]).argmax(dim=1) == labels[left]]
        if len(left) == 0:
            break
    return attacked


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the sum over images of: the largest logit of a wrong class minus the true class's."""
    true = logits.gather(1, labels[:, None])
    wrong = logits.scatter(1, labels[:, None], -torch.inf).amax(dim=1, keepdim=True)
    return (wrong - true).sum()


def _gradient_sign(
    model: nn.Module, images: Tensor, labels: Tensor, loss: Loss
) -> tuple[Tensor, Tensor]:
    """Return the direction in which the loss grows, -1, 0 or 1 per pixel; and who is correct."""
    images = images.detach().requires_grad_(True)
    logits = model(images)
    (gradient,) = torch.autograd.grad(loss(logits, labels), images)
    return gradient.sign(), logits.argmax(dim=1) == labels
