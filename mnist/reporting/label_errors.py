"""MNIST's test digits whose label is wrong or ambiguous, by the votes of five people each.

Of the digits of mnist_mturk.json, from Northcutt et al. (2021, "Pervasive Label Errors in Test
Sets"), those for whose published label fewer than three people voted; by position in the test
split.
"""

from typing import NamedTuple

import numpy as np


class Votes(NamedTuple):
    """What five people saw in a digit; those missing saw neither."""

    digit: int  # the other digit that they were offered
    other: int  # how many saw it
    published: int  # how many saw the published label

    def __str__(self) -> str:
        return f"{self.other} of 5 people see {self.digit}, {self.published} the published label"


# Most people saw the other digit, four times by 3 votes to 2.
CORRECTED = {
    947: Votes(9, 5, 0),
    1621: Votes(6, 3, 2),
    1901: Votes(4, 3, 2),
    2462: Votes(0, 4, 0),
    2597: Votes(3, 4, 0),
    3558: Votes(0, 4, 1),
    5937: Votes(3, 3, 1),
    6651: Votes(6, 5, 0),
    6783: Votes(6, 3, 2),
    9729: Votes(6, 3, 2),
}
# No digit had a majority.
AMBIGUOUS = {
    2130: Votes(9, 2, 2),
    2654: Votes(1, 2, 0),
    3520: Votes(4, 0, 2),
    8527: Votes(9, 2, 2),
    9679: Votes(3, 0, 2),
}


def correct_labels(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return MNIST's test labels (10000,) with the errors corrected, and bool (10000,): which
    labels are not ambiguous.
    """
    labels, clear = labels.copy(), np.ones(len(labels), dtype=bool)
    labels[list(CORRECTED)] = [votes.digit for votes in CORRECTED.values()]
    clear[list(AMBIGUOUS)] = False
    return labels, clear
