"""Random numbers by counter: what a step draws is a function of the seed and the step alone.

So what a step draws does not depend on what was drawn before it, and a training that is resumed
needs no state of any generator.
"""

import hashlib

import torch


def derive_seed(*parts: int | str) -> int:
    """Hash (seed, purpose, step, ...) to a seed of its own, 0 to 2**32 - 1.

    PyTorch's generator on the CPU uses the low 32 bits of a seed only. `seed + step` would give
    seed 1 in step 2 the numbers of seed 2 in step 1; a hash keeps all of them apart.
    """
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:4], "little")


def generator_for(*parts: int | str) -> torch.Generator:
    """Return a generator on the CPU that starts from `derive_seed(*parts)`."""
    return torch.Generator().manual_seed(derive_seed(*parts))
