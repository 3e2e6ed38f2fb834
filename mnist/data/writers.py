"""Who wrote MNIST's digits: one integer per digit, in the order of the IDX files.

From QMNIST (Yadav & Bottou, 2019), which traced MNIST's digits back to NIST's forms. The file
`writers.npz` is derived from its labels (github.com/facebookresearch/qmnist, BSD 3-clause licence,
copyright Facebook, Inc. and its affiliates). No writer wrote digits of both splits.
"""

from pathlib import Path

import numpy as np

WRITERS = Path(__file__).with_suffix(".npz")
# Writers below this number were employees of the census bureau, the others students.
FIRST_STUDENT = 2100


def load_writers(split: str) -> np.ndarray:
    """Return who wrote the digits of the split "train" or "test", uint16 (N,)."""
    with np.load(WRITERS) as writers:
        return writers[split]
