"""The commands of `python -m mnist`. Each module has `add_arguments(parser)` and `main(arguments)`.

A module's docstring is its help. What takes long to import is imported inside `main`.
"""

import argparse


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
