"""Trained weights on disk: safetensors, with what is needed to build the model in its metadata."""

import json
from pathlib import Path
from typing import Any, TypeVar

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import nn

from mnist.errors import UserError
from mnist.files import new_file

Network = TypeVar("Network", bound=nn.Module)


def from_architecture(network: type[Network], architecture: dict[str, Any]) -> Network:
    """Call `network` with keyword arguments and keep them, for `save`, as `model.architecture`."""
    model = network(**architecture)
    model.architecture = architecture  # type: ignore[assignment]
    return model


def save(path: Path, model: nn.Module) -> None:
    """Write the weights, and `model.architecture`, the keyword arguments that build the model."""
    # One metadata key only: safetensors does not keep the order of several.
    metadata = {"architecture": json.dumps(model.architecture, sort_keys=True)}
    weights = {name: values.contiguous() for name, values in model.state_dict().items()}
    with new_file(path) as partial:
        partial.write_bytes(safetensors.torch.save(weights, metadata))


def load(path: Path, network: type[Network]) -> Network:
    """Build a `network` as it was trained and load its weights, ready for inference.

    Raises:
        UserError: the file is missing, damaged or of another network.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            architecture = json.loads((file.metadata() or {})["architecture"])
        model = from_architecture(network, architecture)
        model.load_state_dict(safetensors.torch.load_file(path))
    except FileNotFoundError:
        raise UserError(f"{path} is missing; `dvc repro` trains it.") from None
    except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"{path} does not hold a {network.__name__} of this code ({reason}); delete it and run "
            "`dvc repro`."
        ) from None
    return model.eval()
