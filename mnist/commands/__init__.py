"""The commands of `python -m mnist`. Each module has `main(arguments)`.

One that takes arguments has `add_arguments(parser)` besides. A module's docstring is its help. What
takes long to import is imported inside `main`.
"""

import argparse
import subprocess

from mnist.errors import UserError


def require_git() -> None:
    """Check that git knows this folder, as DVC and its experiments need it to.

    Raises:
        UserError: there is no repository, or no commit with this project.
    """
    command = ["git", "cat-file", "-e", "HEAD:./dvc.yaml"]
    try:
        message = subprocess.run(command, capture_output=True, text=True).stderr
    except FileNotFoundError:
        raise UserError("git is not installed; DVC needs it.") from None
    if message:
        raise UserError(
            f"DVC needs git, which says of this folder: {message.splitlines()[0].rstrip('.')}. "
            "Clone the project, or run `git init`, `git add --all` and `git commit -m start` here."
        )


def add_models_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--models cnn,vit`, parsed into a list of names; by default all of params.yaml."""
    parser.add_argument(
        "--models",
        type=_model_list,
        default="",
        metavar="NAME,NAME",
        help="models, separated by commas (default: all in params.yaml)",
    )


def _model_list(text: str) -> list[str]:
    from mnist.params import load_params

    known = load_params().models
    names = text.split(",") if text else known
    for name in names:
        if name not in known:
            raise argparse.ArgumentTypeError(
                f"there is no model {name!r} in params.yaml; known are {', '.join(known)}"
            )
    return names
