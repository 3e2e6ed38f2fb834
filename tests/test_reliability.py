"""RELIABILITY.md promises nothing that no test holds."""

import re

from tests.conftest import ROOT

TEXT = (ROOT / "RELIABILITY.md").read_text(encoding="utf-8")
TESTS = {path: path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")}


def test_the_tests_that_it_names_exist() -> None:
    defined = {
        name for code in TESTS.values() for name in re.findall(r"^def (test_\w+)", code, re.M)
    }
    named = re.findall(r"`(test_\w+)(\.\.\.)?`", TEXT)
    assert len(named) > 10
    for name, cut in named:
        assert any(found.startswith(name) if cut else found == name for found in defined), name
    for path in re.findall(r"\]\(([\w./]+)\)", TEXT):
        assert (ROOT / path).exists(), path


def test_every_promise_names_a_test() -> None:
    rows = [line for line in TEXT.split("## ")[0].splitlines() if line.startswith("| **")]
    assert len(rows) > 12
    for row in rows:
        _, promise, held_by, _, _ = row.split("|")
        assert "test_" in held_by or "pip refuses" in held_by, promise
