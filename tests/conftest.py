"""What several tests share: the committed parameters, shrunk until a training takes seconds."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import settings

ROOT = Path(__file__).parent.parent

# A busy machine is no failure, and the same examples everywhere make a failure repeatable.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _fixed_threads() -> None:
    torch.set_num_threads(2)


@pytest.fixture
def committed() -> dict[str, Any]:
    """params.yaml as it is committed, free to be changed."""
    return yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
