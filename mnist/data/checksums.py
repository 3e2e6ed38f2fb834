"""SHA-256 of MNIST's four files: what decides whether data are MNIST, whatever their source."""

import hashlib

import numpy as np

# Of the unpacked IDX files.
CHECKSUMS = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def is_mnist(test_labels: np.ndarray) -> bool:
    """Whether `test_labels`, integers (N,), are MNIST's test labels in their published order."""
    header = bytes([0, 0, 8, 1]) + len(test_labels).to_bytes(4, "big")
    content = header + test_labels.astype(np.uint8).tobytes()
    return hashlib.sha256(content).hexdigest() == CHECKSUMS["t10k-labels-idx1-ubyte"]
