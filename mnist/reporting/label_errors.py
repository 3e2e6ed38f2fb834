"""MNIST's test digits whose label is wrong or ambiguous, by the votes of five people each.

The clear cases of mnist_mturk.json, from Northcutt et al. (2021, "Pervasive Label Errors in Test
Sets"), by position in the test split.
"""

import numpy as np

CORRECTED = {
    947: 9, 1621: 6, 1901: 4, 2462: 0, 2597: 3, 3558: 0, 5937: 3, 6651: 6, 6783: 6, 9729: 6
}  # fmt: skip
AMBIGUOUS = (2130, 2654, 3520, 8527, 9679)


def correct_labels(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return MNIST's test labels (10000,) with the errors corrected, and bool (10000,): which
    labels are not ambiguous.
    """
    labels, clear = labels.copy(), np.ones(len(labels), dtype=bool)
    labels[list(CORRECTED)] = list(CORRECTED.values())
    clear[list(AMBIGUOUS)] = False
    return labels, clear
