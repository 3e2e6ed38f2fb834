"""dvc.yaml is true: declared dependencies are what a stage imports, the lock is what is in git."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from mnist.pipeline import models

from mnist.commands.readme import README, with_figures
from mnist.models.registry import MODELS
from mnist.reporting.seeds import read_rows
from tests.conftest import ROOT

PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
STAGES: dict[str, dict[str, Any]] = {
    name: stage.get("do", stage) for name, stage in PIPELINE["stages"].items()
}
# params.py only validates; empty package files hold nothing to depend on.
EXEMPT = {"stages/params.py"}


def imported(path: Path) -> set[Path]:
    """Modules of ours that the file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        paths = (Path(*name.split(".")).with_suffix(".py") for name in names)
        found |= {path for path in paths if path.parts[0] == "stages" and (ROOT / path).is_file()}
    return found


def closure(path: Path) -> set[str]:
    seen, waiting = set(), {path}
    while waiting:
        module = waiting.pop()
        seen.add(module)
        waiting |= imported(module) - seen
    return {str(module) for module in seen} - EXEMPT


def declared(stage: dict[str, Any]) -> set[str]:
    """Python files among the dependencies; a folder stands for every module in it."""
    files = set()
    for dep in stage["deps"]:
        path = ROOT / dep
        if dep.startswith("stages/"):
            within = path.rglob("*.py") if path.is_dir() else [path]
            files |= {str(p.relative_to(ROOT)) for p in within if p.read_text(encoding="utf-8")}
    return files


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_exactly_what_it_imports(name: str) -> None:
    assert declared(STAGES[name]) == closure(Path(f"stages/{name}.py"))


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_is_a_small_script_that_says_what_it_is_for(name: str) -> None:
    lines = (ROOT / f"stages/{name}.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 100
    assert STAGES[name]["desc"]


@pytest.mark.parametrize("name", ["fetch", "convert", "report"])
def test_a_stage_without_a_network_of_its_own_starts_without_torch(name: str) -> None:
    code = f"import sys, stages.{name}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_package_files_are_empty() -> None:
    assert not any(path.read_text() for path in (ROOT / "stages").rglob("__init__.py"))


def test_every_model_is_in_params_registry_report_and_plots(committed: dict[str, Any]) -> None:
    for name in models():
        assert name in committed
        assert name in MODELS
        tables = ("curves", "predictions", "reliability", "robustness")
        files = [
            f"{name}.json",
            f"train/{name}.json",
            *(f"{folder}/{name}.csv" for folder in tables),
        ]
        for file in files:
            assert f"metrics/{file}" in STAGES["report"]["deps"]
        for plot in PIPELINE["plots"]:
            ((_, settings),) = plot.items()
            assert [path for path in settings["y"] if Path(path).stem == name], plot


def test_what_dvc_cannot_rerun_from_cache_is_cheap() -> None:
    # An uncached `outs` entry costs a stage the run-cache: going back would train again.
    for name, stage in STAGES.items():
        uncached = any(isinstance(out, dict) for out in stage["outs"])
        assert not uncached or name in {"evaluate", "report"}, name


def test_the_lock_agrees_with_code_params_and_metrics_in_git() -> None:
    status = subprocess.run(
        ["dvc", "status", "--json"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    in_git = set(
        subprocess.run(
            ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.splitlines()
    )
    wrong = []
    for stage, changes in json.loads(status.stdout).items():
        for change in changes:
            if not isinstance(change, dict):
                wrong.append(f"{stage}: {change}")
                continue
            for path, state in next(iter(change.values())).items():
                folder = f"{path.rstrip('/')}/"
                tracked = path in in_git or any(file.startswith(folder) for file in in_git)
                # Models and arrays are not in git: a fresh clone lacks them, and the cache too.
                if tracked or state not in {"deleted", "not in cache"}:
                    wrong.append(f"{stage}: {path} {state}")
    assert not wrong, "run `dvc repro` and commit what it writes"


def test_each_stage_in_the_lock_used_what_the_one_before_it_made() -> None:
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    made = {out["path"]: out["md5"] for stage in lock.values() for out in stage.get("outs", [])}
    pairs = [
        (name, dep["path"], dep["md5"], made[dep["path"]])
        for name, stage in lock.items()
        for dep in stage.get("deps", [])
        if dep["path"] in made
    ]
    assert {path for _, path, *_ in pairs} >= {"data/raw", "models/cnn.safetensors"}
    assert not [pair[:2] for pair in pairs if pair[2] != pair[3]]


def test_the_seeds_hold_the_committed_run(committed: dict[str, Any]) -> None:
    for row in read_rows(ROOT / "metrics/seeds.csv"):
        if int(row["seed"]) == committed["seed"]:
            quality = json.loads((ROOT / f"metrics/{row['model']}.json").read_text())
            assert int(row["errors"]) == quality["errors"], "run `make seeds`"
            assert float(row["nll"]) == pytest.approx(quality["nll"], abs=1e-9)


def test_the_readme_shows_the_committed_figures() -> None:
    text = (ROOT / README).read_text(encoding="utf-8")
    assert with_figures(text, ROOT / "metrics", models(ROOT / "dvc.yaml")) == text, (
        "run `make readme`"
    )
