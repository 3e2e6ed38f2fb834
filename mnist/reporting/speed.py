"""metrics/benchmark.json as a table, for the report and the README."""

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
    """Write a row per model, and below the machine and the time to 99 % accuracy."""
    if "machine" not in figures:
        return "Not measured yet; `make bench` does.\n"
    machine, goal = figures["machine"], figures.get("time_to_99")
    models = {k: v for k, v in figures.items() if k not in ("machine", "time_to_99")}
    text = markdown.table(COLUMNS, [row(name, of_model) for name, of_model in models.items()])
    text += (
        f"\nOn {machine['processor']}: {machine['threads']} threads, PyTorch {machine['torch']}, "
        f"float32 matrix products (sgemm) at {machine['sgemm_gflops']:.0f} GFLOP/s; medians of "
        f"{machine['rounds']} rounds.\n"
    )
    if goal:
        text += (
            f"\nTo 99.0 % on the test split, our CNN trains for {goal['cnn']:.0f} s "
            f"({goal['cnn_epochs']:g} epochs), the tutorials' CNN for {goal['plain']:.0f} s "
            f"({goal['plain_epochs']} epochs): {goal['ratio']:.1f} times as long. Ours is the "
            "shortest complete schedule that gets there, in steps of a quarter of an epoch; the "
            "shorter ones that were tried first do not count. The tutorials' is tested after each "
            "epoch.\n"
        )
    return text
