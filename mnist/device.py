"""The machine at hand: which device, how many threads."""

import ctypes
import os
import platform
from pathlib import Path

import torch

from mnist import portable
from mnist.errors import UserError
from mnist.params import Params


def set_up(params: Params) -> torch.device:
    """Choose the device, and its kernels: on a CPU those that repeat to the bit, on CUDA fast ones.

    Raises:
        UserError: `runtime.device` asks for what this machine does not have, or the portable
            arithmetic that params.yaml asks for is not possible.
    """
    runtime = params.runtime
    if params.portable and portable.is_supported() and not portable.is_in_effect():
        raise UserError(
            "portable arithmetic is not in effect: this CPU has no AVX2, or torch was imported "
            "before mnist; set portable: false in params.yaml, or import mnist first."
        )
    # torchrun says how many processes share this machine.
    torch.set_num_threads(max(1, runtime.threads // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))
    device = pick_device(runtime.device)
    keep_memory()
    # The same as use_deterministic_algorithms, which would import PyTorch's compiler, for seconds.
    torch.set_deterministic_debug_mode("warn" if device.type == "cpu" else "default")
    # Nothing here reads memory before writing it, so filling it first would only cost time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.set_float32_matmul_precision("high")  # TF32, as cuDNN's convolutions have it
        torch.backends.cudnn.benchmark = True  # the fastest kernel for each shape
    return device


def keep_memory() -> None:
    """Let the C library keep freed memory for the next step.

    By default glibc returns large blocks to the system, which clears every page of them when a step
    asks for memory again: up to a tenth of a step's time.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(-4, 0)  # M_MMAP_MAX: large blocks, too, are part of the heap
        libc.mallopt(-1, -1)  # M_TRIM_THRESHOLD: the heap does not shrink


def pick_device(wanted: str) -> torch.device:
    """Return the device for "auto" (CUDA, then MPS, then CPU) or the one that is named."""
    available = ["cpu"]
    if torch.backends.mps.is_available():
        available.insert(0, "mps")
    if torch.cuda.is_available():
        available[:0] = ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if wanted == "auto":
        wanted = available[0]
    if wanted == "cuda":  # under torchrun, each process its own
        wanted = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    if wanted not in available:
        raise UserError(
            f"runtime.device = {wanted!r}, but this machine has no such device; "
            f"allowed here: auto, {', '.join(available)}."
        )
    return torch.device(wanted)


def cpu_name() -> str:
    """Return the model name of the processor, such as "AMD EPYC 9354"."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration, IndexError):  # not Linux
        return platform.processor() or platform.machine()
