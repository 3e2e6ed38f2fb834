"""What users do with the pipeline: experiments, seeds, commands, a model or data of their own."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from mnist.atomic_io import sha256
from tests.conftest import ROOT
from tests.digits import write_data_set
from tests.pipeline.conftest import Command, command_in, ran, read_csv
from tests.training.processes import free_port


def test_models_are_trained_from_several_seeds_beside_the_workspace(
    run: Command, tiny: Path
) -> None:
    headline = (tiny / "metrics/test/cnn.json").read_bytes()
    seeds = (sys.executable, "-m", "mnist", "seeds")
    run(*seeds, "cnn=2")
    first, second = read_csv(tiny / "metrics/seeds.csv")
    assert (first["model"], first["seed"], second["seed"]) == ("cnn", "1", "2")
    assert float(first["accuracy"]) == json.loads(headline)["accuracy"]
    assert second["nll"] != first["nll"]
    assert second["weights_sha256"] != first["weights_sha256"]
    wrong = [row for row in read_csv(tiny / "metrics/seed_errors.csv") if row["seed"] == "2"]
    assert len(wrong) == int(second["errors"])
    assert (tiny / "metrics/test/cnn.json").read_bytes() == headline
    assert run("git", "diff", "--name-only").split() == [
        "metrics/seed_errors.csv",
        "metrics/seeds.csv",
    ]
    before = (tiny / "metrics/seeds.csv").read_bytes()
    assert ran(run(*seeds, "cnn=2")) == []  # both are there, with the same recipe
    assert (tiny / "metrics/seeds.csv").read_bytes() == before
    assert ran(run("dvc", "repro")) == ["report"]
    assert "Traceback" not in run(*seeds, "cnn", fails=True)


def test_the_benchmark_and_the_timing_write_what_the_report_reads(run: Command, tiny: Path) -> None:
    short = ("--rounds", "1", "--seconds", "0.05", "--models", "cnn")
    run(sys.executable, "-m", "mnist", "bench", *short)
    figures = json.loads((tiny / "metrics/benchmark.json").read_text())
    assert figures.keys() == {"cnn", "machine"}
    assert all(value > 0 for value in figures["cnn"].values())
    run(sys.executable, "-m", "mnist", "timing")
    timing = json.loads((tiny / "metrics/timing.json").read_text())
    assert {"vgg16", "alexnet"} <= timing.keys()  # the others were trained otherwise in between
    for name, figures in timing.items():
        assert figures["weights_sha256"] == sha256(tiny / f"models/{name}.safetensors")
    assert ran(run("dvc", "repro")) == ["report"]


def test_the_same_seed_gives_the_same_files(run: Command, tiny: Path) -> None:
    """Train, evaluate and attack the ViT again, and write the report again."""
    before = (tiny / "models/vit.safetensors").read_bytes()
    stages = ["train_vit", "evaluate@vit", "robustness@vit", "report"]
    assert ran(run("dvc", "repro", "--force", "--single-item", *stages)) == stages
    assert (tiny / "models/vit.safetensors").read_bytes() == before
    assert run("git", "status", "--porcelain") == ""


def test_a_model_trained_by_torchrun_is_committed(run: Command, tiny: Path) -> None:
    before = (tiny / "models/vit.safetensors").read_bytes()
    torchrun = "torchrun --nproc-per-node 2 -m stages.train_vit"
    output = run("bash", "-c", f"PET_MASTER_PORT={free_port()} {torchrun}")
    assert output.count("epoch 2: training loss") == 1  # process 0 prints
    assert json.loads((tiny / "models/vit.timing.json").read_text())["world_size"] == 2
    trained = (tiny / "models/vit.safetensors").read_bytes()
    assert trained != before
    run("bash", "-c", "dvc commit --force train_vit")
    assert set(ran(run("bash", "-c", "dvc repro"))) == {"evaluate@vit", "robustness@vit", "report"}
    assert (tiny / "models/vit.safetensors").read_bytes() == trained


@pytest.mark.faults
def test_a_killed_dvc_ends_its_stage_and_the_next_run_continues(run: Command, tiny: Path) -> None:
    params = tiny / "params.yaml"
    changed = yaml.safe_load(params.read_text())
    changed["vit"]["epochs"] = 8
    changed["runtime"]["checkpoint_seconds"] = 0
    params.write_text(yaml.safe_dump(changed))
    repro = ("dvc", "repro", "--force", "--single-item", "train_vit")
    run(*repro)
    files = ["models/vit.safetensors", "metrics/train/vit.json", "metrics/curves/vit.csv"]
    unbroken = [(tiny / name).read_bytes() for name in files]

    curve, deadline = tiny / files[2], time.monotonic() + 120
    curve.unlink()
    # Debian's /bin/sh stays between DVC and the stage.
    dvc = subprocess.Popen(
        repro,
        cwd=tiny,
        env=os.environ | {"SHELL": "/bin/sh"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not curve.exists() or len(read_csv(curve)) < 2:  # rows appear while it trains
        assert dvc.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    dvc.kill()
    dvc.wait()
    assert not (tiny / files[0]).exists()
    output = run(*repro)
    assert re.search(r"continuing from step \d+ of 248", output)
    assert [(tiny / name).read_bytes() for name in files] == unbroken
    assert not list(tiny.glob("checkpoints/*.pt"))


def blocks(text: str) -> list[tuple[str, str]]:
    """The instructions and code blocks of docs/adding-a-model.md, in order."""
    return re.findall(r"^(In `[^\n]*):\n+```\w*\n(.*?)^```", text, re.M | re.S)


def test_a_model_is_added_as_the_documentation_says(run: Command, tiny: Path) -> None:
    for instruction, code in blocks((ROOT / "docs/adding-a-model.md").read_text()):
        path = tiny / re.findall("`([^`]+)`", instruction)[0]
        if "new file" in instruction:
            path.write_text(code)
        elif "append" in instruction:
            path.write_text(path.read_text() + code)
        else:
            anchor = re.findall("`([^`]+)`", instruction)[1]
            text = path.read_text()
            assert text.count(f"{anchor}\n") == 1, instruction
            path.write_text(text.replace(f"{anchor}\n", f"{anchor}\n{code}"))
    expected = {"train_lenet", "evaluate@lenet", "robustness@lenet", "report"}
    assert set(ran(run("dvc", "repro"))) == expected
    assert json.loads((tiny / "metrics/test/lenet.json").read_text())["accuracy"] > 0.5
    assert "LeNet" in (tiny / "report/README.md").read_text()


def test_another_data_set_is_reported_as_what_it_is(
    run: Command, tiny: Path, tmp_path: Path
) -> None:
    clone = tmp_path / "clothes"
    run("git", "clone", "--quiet", str(tiny), str(clone))
    names = ["top", "trouser", "jumper", "dress", "coat", "sandal", "shirt", "shoe", "bag", "boot"]
    params = yaml.safe_load((clone / "params.yaml").read_text())
    params["models"] = ["cnn"]
    params["data"] |= {"name": "Clothes", "classes": names, "checksums": False}
    params["cnn"]["epochs"] = 1
    (clone / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    write_data_set(clone / "data/own", train=1000, test=300)
    in_clone = command_in(clone)
    in_clone("dvc", "repro", "evaluate@cnn", "robustness@cnn")
    in_clone(sys.executable, "-m", "stages.report")
    text = (clone / "report/README.md").read_text() + (clone / "report/index.html").read_text()
    assert "Clothes model comparison" in text
    confusion = (clone / "report/figures/confusion.svg").read_text()
    for name in names:
        assert name in confusion, name
    for word in ("MNIST", "the lab", "handwrit", "<canvas"):
        assert not re.search(rf"{word}\b", text), word
