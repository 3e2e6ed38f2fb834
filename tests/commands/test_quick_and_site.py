"""`python -m mnist quick` and `site`: what they need of the repository, and what they leave."""

import argparse
import subprocess
from pathlib import Path

import pytest
import yaml

from mnist.commands import experiment, quick, site
from mnist.errors import UserError
from mnist.params import load_params
from tests.conftest import ROOT


def git(*command: str) -> None:
    subprocess.run(["git", *command], check=True)


def test_the_settings_of_quick_are_possible_and_change_every_training(tmp_path: Path) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    for key, value in quick.SETTINGS.items():
        *sections, last = key.split(".")
        section = params
        for name in sections:
            section = section[name]
        assert last in section, key
        assert section[last] != value, key
        section[last] = value
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    models = load_params(tmp_path / "params.yaml").models
    assert {f"{name}.epochs" for name in models} <= quick.SETTINGS.keys()


def test_quick_keeps_what_data_or_a_cnn_of_ones_own_needs() -> None:
    params = load_params(ROOT / "params.yaml")
    assert quick.settings_for(params) == quick.SETTINGS
    data = params.data.model_copy(update={"checksums": False})
    cnn = params.cnn.model_copy(update={"widths": [16, 32, 64]})
    params = params.model_copy(update={"data": data, "cnn": cnn})
    left_out = {"data.training_size", "cnn.widths"}
    assert quick.SETTINGS.keys() - quick.settings_for(params) == left_out


def test_quick_says_how_long_each_stage_takes() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    models = load_params(ROOT / "params.yaml").models
    each = [
        [f"{name}@{m}" for m in models] if "do" in of else [name] for name, of in stages.items()
    ]
    assert list(quick.SECONDS) == sum(each, [])


def test_quick_says_before_each_stage_how_long_it_takes_on_this_machine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first ran twice as long as expected, so the next will; one that is cached takes none."""
    monkeypatch.setattr(quick, "SECONDS", {"fetch": 10, "convert": 5, "train_cnn": 20})
    times = iter([0.0, 3.0, 23.0])
    monkeypatch.setattr(quick.time, "monotonic", lambda: next(times, 23.0))
    lines = [f"{what}\n" for what in ("Running stage 'fetch':", "Stage 'convert' is cached")]
    quick.show_with_seconds([*lines, "Running stage 'train_cnn':\n", "> python\n"])
    assert capsys.readouterr().out == (
        "\nAbout 35 seconds to go, of which 10 are for:\nRunning stage 'fetch':\n"
        "Stage 'convert' is cached\n"
        "\nAbout 40 seconds to go, of which 40 are for:\nRunning stage 'train_cnn':\n> python\n"
    )


def test_no_stage_depends_on_a_file_in_an_output_folder() -> None:
    """Else `dvc exp run --temp` stops, the second time: "failed to load directory".

    Where DVC restores a stage from its run-cache, it looks for the files of a folder in dvc.lock's
    version of it, which a fresh clone does not have.
    """
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].values()
    outs = {out for stage in stages for out in stage.get("outs", []) if isinstance(out, str)}
    deps = {dep for stage in stages for dep in stage.get("do", stage)["deps"]}
    assert not {dep for dep in deps for out in outs if dep.startswith(f"{out}/")}


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("empty", "clone the project, or run `git init`"),
        ("shallow", "git fetch --unshallow"),
        ("grün", "rename it to plain letters"),
    ],
)
def test_where_dvc_cannot_run_experiments_a_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, message: str
) -> None:
    full, folder = tmp_path / "full", tmp_path / where
    if where == "empty":
        folder.mkdir()
    else:
        git("init", "--quiet", str(full))
        (full / "dvc.yaml").touch()
        git("-C", str(full), "add", "--all")
        for text in ("one", "two"):
            user = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
            git("-C", str(full), *user, "commit", "--quiet", "--allow-empty", "--message", text)
        depth = ["--depth", "1"] if where == "shallow" else []
        git("clone", "--quiet", *depth, f"file://{full}", str(folder))
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match=message):
        experiment.run_experiment("quick", {})
    if where == "empty":
        with pytest.raises(UserError, match=message):
            site.main(argparse.Namespace())
        assert not Path("public").exists()


@pytest.mark.parametrize("checksums", [True, False])
def test_quick_takes_other_data_of_any_size(
    monkeypatch: pytest.MonkeyPatch, checksums: bool
) -> None:
    params = load_params(ROOT / "params.yaml")
    data = params.data.model_copy(update={"checksums": checksums})
    monkeypatch.setattr(quick, "load_params", lambda: params.model_copy(update={"data": data}))

    def run_experiment(name: str, settings: dict[str, object], **_: object) -> str:
        assert ("data.training_size" in settings) == checksums
        raise KeyboardInterrupt

    monkeypatch.setattr(quick, "run_experiment", run_experiment)
    with pytest.raises(KeyboardInterrupt):
        quick.main(argparse.Namespace())
