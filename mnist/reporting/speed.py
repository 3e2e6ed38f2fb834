"""metrics/benchmark.json as a table, for docs/performance.md."""

from collections.abc import Mapping
from typing import Any

from mnist.reporting import markdown
from mnist.reporting.style import style

COLUMNS = (
    "Model",
    "Training, images/s",
    "Fraction of sgemm",
    "Speed-up over the baseline",
    "Latency, batch of 1",
    "Time per image, batch of 256",
)


def row(name: str, figures: Mapping[str, Any]) -> tuple[str, ...]:
    """Write what was measured of one model."""
    return (
        style(name).title,
        f"{figures['train_images_per_second']:,.0f}",
        f"{figures['share_of_sgemm']:.0%}",
        f"{figures['speedup_vs_plain']:.1f} times",
        f"{1000 / figures['infer_images_per_second_b1']:.3g} ms",
        f"{1000 / figures['infer_images_per_second_b256']:.3g} ms",
    )


def benchmark_markdown(figures: Mapping[str, Any]) -> str:
    """Write a row per model, and the machine below."""
    if "machine" not in figures:
        return "Not measured yet; `make bench` does.\n"
    machine = figures["machine"]
    models = {name: of_model for name, of_model in figures.items() if name != "machine"}
    text = markdown.table(COLUMNS, [row(name, of_model) for name, of_model in models.items()])
    text += (
        f"\nOn {machine['processor']}: {machine['threads']} threads, PyTorch {machine['torch']}, "
        f"float32 matrix products (sgemm) at {machine['sgemm_gflops']:.0f} GFLOP/s; medians of "
        f"{machine['rounds']} rounds.\n"
    )
    return text
