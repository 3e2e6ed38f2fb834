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

from tests.conftest import ROOT
from tests.digits import write_data_set
from tests.pipeline.conftest import Command, command_in, ran, read_csv
from tests.training.processes import free_port

pytestmark = pytest.mark.slow


def test_models_are_trained_from_several_seeds_beside_the_workspace(
    run_all: Command, tiny_all: Path
) -> None:
    headline = (tiny_all / "metrics/test/cnn.json").read_bytes()
    seeds = (sys.executable, "-m", "mnist", "seeds")
    run_all(*seeds, "cnn=2")
    first, second = read_csv(tiny_all / "metrics/seeds.csv")
    assert (first["model"], first["seed"], second["seed"]) == ("cnn", "1", "2")
    assert float(first["accuracy"]) == json.loads(headline)["accuracy"]
    assert second["nll"] != first["nll"]
    assert second["weights_sha256"] != first["weights_sha256"]
    wrong = [row for row in read_csv(tiny_all / "metrics/seed_errors.csv") if row["seed"] == "2"]
    assert len(wrong) == int(second["errors"])
    assert (tiny_all / "metrics/test/cnn.json").read_bytes() == headline
    assert run_all("git", "diff", "--name-only").split() == [
        "metrics/seed_errors.csv",
        "metrics/seeds.csv",
    ]
    assert ran(run_all("dvc", "repro")) == ["report"]

    run_all(sys.executable, "-m", "mnist", "scaling", "--seeds", "1", "--models", "cnn")
    rows = read_csv(
        tiny_all / "metrics/scaling.csv"
    )  # 1,200 digits, of which about 200 are for validation
    few, ninth, third = rows
    assert (few["training_images"], ninth["training_images"]) == ("100", third["training_images"])
    assert {row["recipe"] for row in rows} == {first["recipe"]}
    trained = json.loads((tiny_all / "metrics/train/cnn.json").read_text())
    full, whole = trained["train_tflop"], trained["train_samples"] // 32
    for row, part in ((few, 4), (ninth, 9), (third, 3)):
        assert int(row["steps"]) == round(whole / part)
        assert float(row["train_tflop"]) == pytest.approx(
            full * int(row["steps"]) / whole, rel=1e-3
        )
    assert ran(run_all("dvc", "repro")) == ["report"]
    assert "digits.svg" in (tiny_all / "report/README.md").read_text()


def test_a_model_trained_by_torchrun_is_committed(run_all: Command, tiny_all: Path) -> None:
    before = (tiny_all / "models/vit.safetensors").read_bytes()
    torchrun = "torchrun --nproc-per-node 2 -m stages.train_vit"
    output = run_all("bash", "-c", f"PET_MASTER_PORT={free_port()} {torchrun}")
    assert output.count("epoch 2: training loss") == 1  # process 0 prints
    trained = (tiny_all / "models/vit.safetensors").read_bytes()
    assert trained != before
    run_all("bash", "-c", "dvc commit --force train_vit")
    assert set(ran(run_all("bash", "-c", "dvc repro"))) == {"evaluate@vit", "report"}
    assert (tiny_all / "models/vit.safetensors").read_bytes() == trained


def test_a_killed_dvc_ends_its_stage_and_the_next_run_continues(
    run_all: Command, tiny_all: Path
) -> None:
    params = tiny_all / "params.yaml"
    changed = yaml.safe_load(params.read_text())
    changed["vit"]["epochs"] = 8
    changed["runtime"]["checkpoint_seconds"] = 0
    params.write_text(yaml.safe_dump(changed))
    repro = ("dvc", "repro", "--force", "--single-item", "train_vit")
    run_all(*repro)
    files = ["models/vit.safetensors", "metrics/train/vit.json", "metrics/curves/vit.csv"]
    unbroken = [(tiny_all / name).read_bytes() for name in files]

    curve, deadline = tiny_all / files[2], time.monotonic() + 120
    curve.unlink()
    # Debian's /bin/sh stays between DVC and the stage.
    dvc = subprocess.Popen(
        repro,
        cwd=tiny_all,
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
    assert not (tiny_all / files[0]).exists()
    output = run_all(*repro)
    assert re.search(r"continuing from step \d+ of 248", output)
    assert [(tiny_all / name).read_bytes() for name in files] == unbroken
    assert not list(tiny_all.glob("checkpoints/*.pt"))


def blocks(text: str) -> list[tuple[str, str]]:
    """The instructions and code blocks of docs/adding-a-model.md, in order."""
    return re.findall(r"^(In `[^\n]*):\n+```\w*\n(.*?)^```", text, re.M | re.S)


def test_a_model_is_added_as_the_documentation_says(run_all: Command, tiny_all: Path) -> None:
    for instruction, code in blocks((ROOT / "docs/adding-a-model.md").read_text()):
        path = tiny_all / re.findall("`([^`]+)`", instruction)[0]
        if "new file" in instruction:
            path.write_text(code)
        elif "append" in instruction:
            path.write_text(path.read_text() + code)
        else:
            anchor = re.findall("`([^`]+)`", instruction)[1]
            text = path.read_text()
            assert text.count(f"{anchor}\n") == 1, instruction
            path.write_text(text.replace(f"{anchor}\n", f"{anchor}\n{code}"))
    expected = {"train_lenet", "evaluate@lenet", "report"}
    assert set(ran(run_all("dvc", "repro"))) == expected
    assert json.loads((tiny_all / "metrics/test/lenet.json").read_text())["accuracy"] > 0.5
    assert "| lenet |" in (tiny_all / "report/README.md").read_text()


def test_another_data_set_is_reported_as_what_it_is(
    run_all: Command, tiny_all: Path, tmp_path: Path
) -> None:
    clone = tmp_path / "clothes"
    run_all("git", "clone", "--quiet", str(tiny_all), str(clone))
    names = ["top", "trouser", "jumper", "dress", "coat", "sandal", "shirt", "shoe", "bag", "boot"]
    params = yaml.safe_load((clone / "params.yaml").read_text())
    params["models"] = ["cnn"]
    params["data"] |= {"name": "Clothes", "classes": names, "checksums": False}
    params["cnn"]["epochs"] = 1
    (clone / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    write_data_set(clone / "data/own", train=1000, test=300)
    in_clone = command_in(clone)
    in_clone("dvc", "repro", "evaluate@cnn")
    in_clone(sys.executable, "-m", "stages.report")
    text = (clone / "report/README.md").read_text() + (clone / "report/index.html").read_text()
    assert "CNN on Clothes" in text
    for name in names:
        assert name in text, name
    for word in ("MNIST(?!-C)", "the lab", "handwrit", "<canvas"):
        assert not re.search(rf"{word}\b", text), word
