"""metrics/benchmark.json as a table, for docs/performance.md."""

from collections.abc import Mapping
from typing import Any

from mnist.reporting import markdown
from mnist.reporting.style import style

COLUMNS = (
    "Model",
    "Training, images/s",
    "Training, GFLOP/s",
    "Speed-up over the baseline",
    "Latency, batch of 1",
    "Time per image, batch of 256",
)


def row(name: str, figures: Mapping[str, Any]) -> tuple[str, ...]:
    """Write what was measured of one model."""
    rate, speedup = figures["train_images_per_second"], figures.get("speedup")
    return (
        style(name).title,
        f"{rate:,.0f}",
        f"{rate * figures['gflop_per_image']:.0f}",
        f"{speedup:.1f} times" if speedup else "-",
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
        f"\nOn {machine['processor']}: {machine['threads']} threads, PyTorch {machine['torch']}; "
        f"medians of {machine['rounds']} rounds.\n"
    )
    return text
