"""Options and fixtures that several tests use."""

import multiprocessing.util
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from filelock import FileLock
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


def build_once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], object]) -> Path:
    """Let `build` fill a folder, once for all workers of pytest; who changes it copies it first."""
    shared = factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    folder, finished = shared / name, shared / f"{name}.finished"
    with FileLock(shared / f"{name}.lock"):
        if not finished.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            build(folder)
            finished.touch()
    return folder


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which five small models were trained and evaluated."""
    from tests.small_pipeline import run_pipeline

    return build_once(tmp_path_factory, "pipeline", run_pipeline)


@pytest.fixture
def committed() -> dict[str, Any]:
    """params.yaml as it is committed, free to be changed."""
    return yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
