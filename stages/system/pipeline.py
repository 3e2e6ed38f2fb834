"""What dvc.yaml says that commands need too."""

from pathlib import Path

import yaml


def models(pipeline: Path = Path("dvc.yaml")) -> list[str]:
    """Read the list of models where it stands once, in dvc.yaml."""
    (variables,) = yaml.safe_load(pipeline.read_text(encoding="utf-8"))["vars"]
    return variables["comparison"]["models"]
