"""The headline table in the lab's own columns, as rows and as Markdown."""

from collections.abc import Sequence

from mnist.reporting.results import ModelResult

COLUMNS = ("Model", "Accuracy", "F1-score", "Training time", "Notes")


def rows(results: Sequence[ModelResult]) -> list[tuple[str, ...]]:
    """One row a model; each cell of a figure gives ours, then the lab's."""
    return [
        (
            result.title,
            _pair(f"{result.quality['accuracy']:.2%}", result.lab.accuracy, "{:.2%}"),
            _pair(f"{result.quality['f1_macro']:.2%}", result.lab.accuracy, "{:.2%}"),
            _pair(_training_time(result), result.lab.train_seconds, "{:.0f} s, GPU"),
            _notes(result),
        )
        for result in results
    ]


def markdown(results: Sequence[ModelResult]) -> str:
    return as_markdown(COLUMNS, rows(results))


def as_markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _pair(ours: str, lab: float | None, form: str) -> str:
    return f"{ours} (lab {'-' if lab is None else form.format(lab)})"


def _training_time(result: ModelResult) -> str:
    if result.timing is None:
        return "not measured"
    device, threads = result.timing["device"], result.timing["threads"]
    where = f"{threads} CPU thread{'s' * (threads > 1)}" if device == "cpu" else device.upper()
    if (processes := result.timing["world_size"]) > 1:
        where = f"{processes} processes of {where}"
    return f"{result.timing['train_seconds']:.0f} s, {where}"


def _notes(result: ModelResult) -> str:
    quality, training, lab = result.quality, result.training, result.lab
    notes = [
        f"{quality['errors']} errors",
        f"{training['epochs']:.3g} epochs" + (f" (lab {lab.epochs})" if lab.epochs else ""),
        f"{quality['parameters']:,} parameters",
        f"{quality['flops'] / 1e6:.1f} MFLOP an image",
    ]
    if "detection" in quality:
        notes.insert(1, f"{quality['missed']} of them not found")
        notes.append(f"mAP {quality['detection']['map']:.3f} in scenes of several digits")
    if "pretrained" in training:
        notes.append("from ImageNet weights" if training["pretrained"] else "from random weights")
    return ", ".join(notes) + (f"; lab: {lab.note}" if lab.note else "")
