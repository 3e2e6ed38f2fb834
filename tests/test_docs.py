"""The documentation names only files, commands, make targets and parameters that exist."""

import json
import os
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from mnist.__main__ import COMMANDS
from tests.conftest import ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "report/README.md",
    ROOT / "data/own/README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
TARGETS = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))


def code(text: str) -> str:
    """Return the code blocks and spans of a page."""
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.S))


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def wrong_links(page: Path, text: str) -> Iterator[str]:
    for link in re.findall(r"\]\(([^)]+)\)", text):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


def is_known(key: str, params: Any) -> bool:
    """Whether a dotted key such as vit.epochs is in `params`."""
    for part in key.split("."):
        if not isinstance(params, dict) or part not in params:
            return False
        params = params[part]
    return True


def mistakes(page: Path, text: str) -> list[str]:
    commands = re.findall(r"python -m mnist (\w+)", text)
    targets = re.findall(r"(?<![\w-])make (?:[A-Z]+=\S+ )*([a-z]+)", code(text))
    modules = re.findall(r"python -m (tests[\w.]*)", text)
    keys = re.findall(r"(?:-S|--set-param) ['\"]?([\w.]+)=", text)
    return [
        *wrong_links(page, text),
        *(f"python -m mnist {command}" for command in commands if command not in COMMANDS),
        *(f"python -m {module}" for module in modules if not find_spec(module)),
        *(f"make {target}" for target in targets if target not in TARGETS),
        *(f"-S {key}" for key in keys if not is_known(key, PARAMS)),
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_only_what_exists(page: Path) -> None:
    assert mistakes(page, page.read_text(encoding="utf-8")) == []


def test_the_readme_is_one_page() -> None:
    assert (ROOT / "README.md").stat().st_size <= 6000


@pytest.mark.skipif("CI" not in os.environ, reason="a user may have other figures than committed")
def test_the_documented_experiment_starts_from_the_committed_figures() -> None:
    text = (ROOT / "docs/dvc.md").read_text(encoding="utf-8")
    rows = re.findall(r"^(metrics/\S+) +(\w+) +([\d.]+) +([\d.]+) +(-?[\d.]+)$", text, re.M)
    assert len(rows) == 2
    for file, key, before, after, change in rows:
        committed = json.loads((ROOT / file).read_text(encoding="utf-8"))[key]
        assert float(before) == pytest.approx(committed, rel=1e-4)
        assert float(change) == pytest.approx(float(after) - float(before), rel=1e-2, abs=2e-5)
