"""Options and fixtures that several tests use."""

import multiprocessing.util
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent.parent

# No deadline: a busy machine is no failure. The same examples everywhere make a failure repeatable.
# The examples of a test use the same folder, where each overwrites its files.
shared: Any = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}
settings.register_profile("repeatable", derandomize=True, max_examples=50, **shared)
settings.register_profile("thorough", max_examples=10_000, **shared)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _fixed_threads() -> None:
    torch.set_num_threads(1)  # two workers on two cores


@pytest.fixture(autouse=True, scope="session")
def _own_temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What libraries and child processes leave in the temporary folder goes with pytest's own."""
    multiprocessing.util.get_temp_dir()  # removed at exit, when pytest's folder is gone
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("t")))
        patch.setattr(tempfile, "tempdir", None)  # Python has read the variable already
        yield


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which five small models were trained and evaluated; copy it to change it."""
    from tests.small_pipeline import run_pipeline

    return run_pipeline(tmp_path_factory.mktemp("pipeline"))


@pytest.fixture
def committed() -> dict[str, Any]:
    """params.yaml as it is committed, free to be changed."""
    return yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
