"""dvc.yaml is true: a stage declares all code that it imports; dvc.lock is what is in git."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from mnist.models.registry import MODELS
from mnist.params import load_params
from tests.conftest import ROOT

PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
STAGES: dict[str, dict[str, Any]] = {
    name: stage.get("do", stage) for name, stage in PIPELINE["stages"].items()
}
NAMES = load_params(ROOT / "params.yaml").models
# These cannot change a figure: they validate, report errors, write files, or only name modules.
EXEMPT = {
    "mnist/files.py",
    "mnist/errors.py",
    "mnist/models/registry.py",
    "mnist/params.py",
}


def imported(path: Path) -> set[Path]:
    """Modules of this project that the file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        paths = (Path(*name.split(".")).with_suffix(".py") for name in names)
        found |= {p for p in paths if p.parts[0] in ("mnist", "stages") and (ROOT / p).is_file()}
    return found


def import_closure(*paths: str) -> set[str]:
    seen, waiting = set(), {Path(path) for path in paths}
    while waiting:
        module = waiting.pop()
        seen.add(module)
        waiting |= imported(module) - seen
    return {str(module) for module in seen} - EXEMPT


def declared(stage: dict[str, Any], model: str = "") -> set[str]:
    """Python files among the dependencies; a folder stands for every module in it."""
    files = set()
    for dep in stage["deps"]:
        path = ROOT / dep.replace("${item}", model)
        within = path.rglob("*.py") if path.is_dir() else [path]
        files |= {str(p.relative_to(ROOT)) for p in within if p.suffix == ".py"}
    return files


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_declares_what_it_imports(name: str) -> None:
    for model in NAMES if "foreach" in PIPELINE["stages"][name] else [""]:
        modules = [f"mnist/models/{model}.py"] if model else []
        needed = import_closure(f"stages/{name}.py", *modules)
        assert needed <= declared(STAGES[name], model), model
        unneeded = {d for d in STAGES[name]["deps"] if d.endswith(".py") and "$" not in d} - needed
        unneeded.discard("mnist/portable.py")  # the package imports it
        # All models share the dependencies of `evaluate`.
        assert not unneeded or model, unneeded


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_tracks_the_params_it_reads(name: str) -> None:
    """What the stage's own script names of params.yaml, and what every training depends on."""
    script = (ROOT / f"stages/{name}.py").read_text(encoding="utf-8")
    keys = STAGES[name].get("params", [])
    tracked = {key.split(".")[0] for key in keys}
    sections = {"evaluate", "report", *NAMES}
    assert sections.intersection(re.findall(r"\bparams\.(\w+)", script)) - {"frcnn"} <= tracked
    read = re.findall(r"(?<![\w.])data\.(\w+)", script)  # of `data = load_params().data`
    assert {f"data.{key}" for key in read} <= {*keys}
    if name.startswith(("train", "finetune")):
        model = name.split("_")[1]
        assert tracked >= {model, "data", "portable", "precision", "seed"}
    if name == "evaluate":
        assert "portable" in tracked


@pytest.mark.parametrize("name", ["fetch", "convert", "report"])
def test_a_stage_that_runs_no_network_starts_without_torch(name: str) -> None:
    code = f"import sys, stages.{name}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_every_model_is_in_params_registry_artifacts_and_the_plot(
    committed: dict[str, Any],
) -> None:
    ((_, plot),) = PIPELINE["plots"][0].items()
    assert plot["y"] == {f"metrics/curves/{name}.csv": "val_accuracy" for name in NAMES}
    artifacts = {name: artifact["path"] for name, artifact in PIPELINE["artifacts"].items()}
    assert artifacts == {name: f"models/{name}.safetensors" for name in NAMES}
    assert set(NAMES) == MODELS.keys()
    for name in NAMES:
        assert name in committed
        assert (ROOT / f"mnist/models/{name}.py").exists()  # evaluate depends on this file


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_the_data_and_models_it_reads(name: str) -> None:
    """The files under data/ and models/ that its script names, and those of every training."""
    script = (ROOT / f"stages/{name}.py").read_text(encoding="utf-8")
    files = set(re.findall(r'"((?:data|models)/[\w./{}]+\.\w+)"', script))
    if name.startswith(("train", "finetune")):
        files |= {"data/mnist/train.npz", "data/mnist/validation.npz"}
    stage = STAGES[name]
    assert {file.replace("{name}", "${item}") for file in files} <= {*stage["deps"]}


def test_no_hyperparameter_makes_the_report_again() -> None:
    assert {*STAGES["report"]["params"]} == {"models", "data.name", "data.classes", "report"}


def test_the_report_depends_on_all_metrics_in_git_and_on_nothing_that_it_writes() -> None:
    in_git = subprocess.run(
        ["git", "ls-files", "metrics"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    needed = {"/".join(Path(file).parts[:2]) for file in in_git} - {"metrics/comparison.json"}
    assert needed == {dep for dep in STAGES["report"]["deps"] if dep.startswith("metrics/")}


def test_what_dvc_cannot_restore_from_its_run_cache_is_cheap() -> None:
    # An uncached `outs` entry costs a stage the run-cache: going back would train again.
    for name, stage in STAGES.items():
        uncached = any(isinstance(out, dict) for out in stage.get("outs", []))
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
