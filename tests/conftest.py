"""What several tests share: the committed parameters, shrunk until a training takes seconds."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent.parent

# A busy machine is no failure, and the same examples everywhere make a failure repeatable.
# The examples of a test share their folder, each writing its own files anew.
shared: Any = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}
settings.register_profile("repeatable", derandomize=True, max_examples=50, **shared)
settings.register_profile("thorough", max_examples=10_000, **shared)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _fixed_threads() -> None:
    torch.set_num_threads(2)


@pytest.fixture
def committed() -> dict[str, Any]:
    """params.yaml as it is committed, free to be changed."""
    return yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--chaos", action="store_true", help="many faults and examples")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--chaos"):
        settings.load_profile("thorough")


@pytest.fixture
def chaos(request: pytest.FixtureRequest) -> bool:
    """Whether this is the long run, `make chaos`."""
    return request.config.getoption("--chaos")


class Faults:
    """Counts what was done to the code, and what of it the code survived."""

    def __init__(self) -> None:
        self.kinds: dict[str, list[int]] = {}

    @contextmanager
    def __call__(self, kind: str, count: int = 1) -> Iterator[None]:
        """The block does `count` faults of this kind and checks that nothing was lost."""
        counts = self.kinds.setdefault(kind, [0, 0])
        counts[0] += count
        yield
        counts[1] += count


FAULTS = Faults()


@pytest.fixture
def faults() -> Faults:
    return FAULTS


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if FAULTS.kinds:
        terminalreporter.section("faults")
        for kind, (done, survived) in sorted(FAULTS.kinds.items()):
            terminalreporter.line(f"{done:6} {survived:6}  {kind}")
        done, survived = (sum(counts) for counts in zip(*FAULTS.kinds.values(), strict=True))
        terminalreporter.line(f"{done} faults, {survived} survived, {done - survived} lost")
