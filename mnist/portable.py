"""Portable arithmetic: the same bits on every x86-64 CPU with AVX2.

PyTorch, oneDNN, MKL, OpenBLAS and NumPy choose their kernels by the CPU they run on, and different
kernels round differently. The environment variables below make them choose the same kernels on an
Intel and an AMD CPU, with or without AVX-512. Each library reads its variable once, when it is
loaded, so the package `mnist` sets them before anything imports torch or NumPy.
`portable: false` in params.yaml leaves the choice to the libraries.
"""

import os
import platform
import sys
import warnings
from pathlib import Path

import yaml

SETTINGS = {
    "ATEN_CPU_CAPABILITY": "avx2",  # PyTorch's own kernels
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # convolutions
    # Matrix products. MKL promises equal bits between vendors in this mode alone.
    "MKL_CBWR": "COMPATIBLE",
    # NumPy's names for the instruction sets beyond AVX2; a CPU without them does not mind.
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "OPENBLAS_CORETYPE": "Haswell",  # NumPy's and SciPy's matrix products
    "OPENBLAS_NUM_THREADS": "1",
}


def is_wanted(params: Path = Path("params.yaml")) -> bool:
    """Read `portable` from `params`; True where the file cannot tell."""
    try:
        return yaml.safe_load(params.read_text(encoding="utf-8"))["portable"] is not False
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        return True  # `load_params` says what is wrong with the file


def is_supported() -> bool:
    """Whether the CPU is an x86-64; others have their own kernels and other bits."""
    return platform.machine() in ("x86_64", "AMD64")


def set_environment() -> None:
    """Set the variables for this process and those it starts, where they are wanted."""
    if not is_supported() or not is_wanted():
        return
    if not SETTINGS.items() <= os.environ.items() and {"numpy", "torch"} & sys.modules.keys():
        warnings.warn(
            "numpy or torch was imported before mnist, so results may differ in their last digits "
            "from one CPU to another; import mnist first.",
            stacklevel=3,
        )
    os.environ |= SETTINGS


def is_in_effect() -> bool:
    """Whether PyTorch runs the portable kernels. It says so after its first operation for sure."""
    import torch

    variables = SETTINGS.items() <= os.environ.items()
    return variables and torch.backends.cpu.get_cpu_capability() == "AVX2"
