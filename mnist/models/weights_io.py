"""Trained weights on disk: safetensors, with what is needed to build the model in its metadata."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_model, save_model
from torch import nn

from mnist.atomic_io import new_file
from mnist.errors import UserError


def save(path: Path, model: nn.Module, architecture: dict[str, Any]) -> None:
    """Write the weights; `architecture` are the keyword arguments that build the model.

    Raises:
        UserError: the disk does not take them.
    """
    # One metadata key only: safetensors does not keep the order of several.
    metadata = {"architecture": json.dumps(architecture, sort_keys=True)}
    try:
        with new_file(path) as partial:
            save_model(model, str(partial), metadata)
    except SafetensorError as error:  # what safetensors makes of a full disk
        raise UserError(f"{path} cannot be written ({error}); free some disk space.") from None


def read_architecture(path: Path) -> dict[str, Any]:
    """Read what `save` was given. Raises UserError when the file is missing or damaged."""
    try:
        with safe_open(str(path), framework="pt") as file:
            return json.loads((file.metadata() or {})["architecture"])
    except FileNotFoundError:
        raise UserError(f"{path} is missing; run `dvc repro`, which trains it.") from None
    except (SafetensorError, KeyError, ValueError) as error:
        raise UserError(
            f"{path} holds no model of ours ({error}); delete it and run `dvc repro`."
        ) from None


def load_weights(path: Path, model: nn.Module) -> None:
    """Fill `model` in place. Raises UserError when the file does not fit it."""
    try:
        load_model(model, str(path))
    except (SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path} does not fit the model in the code ({reason}); retrain it with `dvc repro`."
        ) from None
