"""A few steps of training give the same bits on every x86-64 CPU with AVX2."""

import json

import pytest

from mnist import portable
from tests.portability.__main__ import CONSTANTS, Hashes, hashes

STORED: Hashes = json.loads(CONSTANTS.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def found() -> Hashes:
    if not portable.is_wanted() or not portable.is_supported():
        pytest.skip("portable arithmetic is switched off, or this CPU is no x86-64")
    return hashes()


@pytest.mark.parametrize("name", STORED)
def test_a_fresh_process_gives_the_stored_bits(name: str, found: Hashes) -> None:
    if name not in found or found[name]["settings"] != STORED[name]["settings"]:
        pytest.skip(
            f"params.yaml has another {name}; store it: python -m tests.portability --write"
        )
    assert found[name]["weights"] == STORED[name]["weights"]
