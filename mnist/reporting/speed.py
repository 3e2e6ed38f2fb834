"""metrics/benchmark.json as a table, for the report and the README."""

from collections.abc import Mapping
from typing import Any

from mnist.reporting.results import TITLES
from mnist.reporting.table import as_markdown

COLUMNS = (
    "Model",
    "Training, images/s",
    "Share of sgemm",
    "Against the plain recipe",
    "One digit alone",
    "One digit of 256",
)


def row(title: str, figures: Mapping[str, Any]) -> tuple[str, ...]:
    """Write down what was measured of one model."""
    return (
        title,
        f"{figures['train_images_per_second']:,.0f}",
        f"{figures['share_of_sgemm']:.0%}",
        f"{figures['speedup_vs_plain']:.1f} times as fast",
        f"{1000 / figures['infer_images_per_second_b1']:.3g} ms",
        f"{1000 / figures['infer_images_per_second_b256']:.3g} ms",
    )


def benchmark(figures: Mapping[str, Any]) -> str:
    """Write Markdown: a row a model, and below on what machine and how long 99 % takes."""
    if "machine" not in figures:
        return "Not measured yet; `make bench` does.\n"
    machine, goal = figures["machine"], figures.get("time_to_99")
    models = {k: v for k, v in figures.items() if k not in ("machine", "time_to_99")}
    rows = [row(TITLES.get(name, name), of_model) for name, of_model in models.items()]
    text = as_markdown(COLUMNS, rows)
    text += (
        f"\nOn {machine['processor']}: {machine['threads']} threads, PyTorch {machine['torch']}, "
        f"float32 matrix products (sgemm) at {machine['sgemm_gflops']:.0f} GFLOP/s; medians of "
        f"{machine['rounds']} rounds.\n"
    )
    if goal:
        text += (
            f"\n99.0 % of the test digits: our CNN after {goal['cnn']:.0f} s of training "
            f"({goal['cnn_epochs']:g} epochs), the tutorials' after {goal['plain']:.0f} s "
            f"({goal['plain_epochs']} epochs): {goal['ratio']:.1f} times sooner. Ours "
            "is the shortest whole cycle that gets there, in steps of a quarter of an epoch; the "
            "shorter ones tried before do not count. The tutorials' is tested after each epoch.\n"
        )
    return text
