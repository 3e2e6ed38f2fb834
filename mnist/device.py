"""The machine that trains: which device, how many threads, how fast, how much memory."""

import os
import resource
import sys
import time

import torch

from mnist.errors import UserError
from mnist.params import Runtime


def set_up(runtime: Runtime) -> torch.device:
    """Choose the device and fix what else decides the last bits: threads and algorithms.

    Raises:
        UserError: `runtime.device` asks for what this machine does not have.
    """
    # torchrun says how many processes share this machine.
    torch.set_num_threads(max(1, runtime.threads // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Nothing here reads memory before writing it, so filling it first would only cost time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    device = pick_device(runtime.device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


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


def pick_precision(wanted: str, device: torch.device) -> torch.dtype:
    """Return the number format for "auto" (bfloat16 on a GPU that has it) or the one named."""
    if wanted == "auto":
        has_it = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        wanted = "bfloat16" if has_it else "float32"
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[wanted]


def sgemm_gflops(device: torch.device, side: int = 1024, seconds: float = 2.0) -> float:
    """Measure float32 matrix multiplication, the limit that training speed is held against.

    Returns:
        GFLOP/s of side x side products, the median over at least `seconds`: on a shared machine the
        speed swings from one second to the next.
    """
    a, b = torch.ones(2, side, side, device=device)
    rates: list[float] = []
    end = time.perf_counter() + seconds
    while len(rates) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        product = a @ b
        product[0, 0].item()  # waits for the device
        rates.append(2 * side**3 / (time.perf_counter() - start) / 1e9)
    return sorted(rates)[len(rates) // 2]


def peak_memory_mb() -> float:
    """Most resident memory that this process has had, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
