"""The commands of `python -m mnist`. Each module has `main(arguments)`.

One that takes arguments has `add_arguments(parser)` besides. A module's docstring is its help.
"""

import argparse
import shutil
import subprocess

from mnist.errors import UserError


def require_git() -> None:
    """Raise UserError where git knows no commit of this folder, which DVC needs."""
    command = ["git", "cat-file", "-e", "HEAD:./dvc.yaml"]
    if not shutil.which("git") or subprocess.run(command, capture_output=True).returncode:
        raise UserError(
            "DVC needs git and a commit of this folder: install git and clone the project, or run "
            "`git init`, `git add --all` and `git commit -m start` here."
        )


def model_names(text: str) -> list[str]:
    """Parse an argument such as cnn,vit; an empty one stands for all models of params.yaml."""
    from mnist.params import load_params

    known = load_params().models
    names = text.split(",") if text else known
    if not set(names) <= set(known):
        raise argparse.ArgumentTypeError(f"{text!r}: the models are {', '.join(known)}")
    return names
