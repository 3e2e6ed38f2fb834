"""`predict` names classes and probabilities, for people and as JSON, for each readable picture."""

import argparse
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from mnist.atomic_io import write_json
from mnist.commands import predict
from mnist.models import registry, weights_io
from mnist.params import Params
from mnist.recognition import recognize
from tests.conftest import ROOT
from tests.recognition.test_pictures import png, smooth

LIMITS = {"temperature": 1, "least_confidence": 0, "ink": [0, 1], "longest_outline": 160}
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    predict.add_arguments(parser)
    return parser.parse_args(arguments)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, committed: dict[str, Any]) -> Path:
    """The current folder, with a CNN and a detector of random weights, and a picture."""
    monkeypatch.chdir(tmp_path)
    committed["data"]["classes"] = NAMES
    Path("params.yaml").write_text(yaml.safe_dump(committed))
    params = Params.model_validate(committed)
    for name in ("cnn", "frcnn"):
        torch.manual_seed(0)
        weights_io.save(Path(f"models/{name}.safetensors"), registry.build(name, params))
    Path("two.png").write_bytes(png(1 - np.concatenate([smooth(4), smooth(7)], axis=1)).getvalue())
    return tmp_path


def test_models_are_separated_by_commas() -> None:
    arguments = parse("--models", "cnn,vit", "picture.jpg")
    assert arguments.models == ["cnn", "vit"]
    assert arguments.pictures == ["picture.jpg"]
    everything = yaml.safe_load((ROOT / "params.yaml").read_text())["models"]
    assert parse("picture.jpg").models == everything


@pytest.mark.parametrize("names", ["rnn", "cnn,rnn", "cnn,", "cnn vit"])
def test_an_unknown_model_is_an_error(names: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        parse("--models", names, "picture.jpg")
    assert stop.value.code == 2
    wrong = names.split(",")[-1]
    message = f"there is no model {wrong!r} in params.yaml; known are cnn, frcnn"
    assert message in capsys.readouterr().err


def test_a_drawing_needs_a_known_format(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("picture.jpg", "--show", "seen.txt")
    assert "seen.txt must end in .png" in capsys.readouterr().err


def test_the_table_shows_names_of_classes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predict.main(parse("--models", "cnn,frcnn", "two.png", "--json"))
    (expected,) = json.loads(capsys.readouterr().out)
    first, second = expected["classifiers"]["cnn"]
    predict.main(parse("--models", "cnn,frcnn", "two.png", "--show", "seen.png"))
    head, cnn, frcnn = capsys.readouterr().out.splitlines()
    assert head == "two.png: 2 digits, from left to right"
    assert cnn.split() == [
        "CNN",
        NAMES[first["digit"]],
        NAMES[second["digit"]],
        f"{max(first['probabilities']):.1%}",
        f"{max(second['probabilities']):.1%}",
    ]
    assert frcnn.split() == ["Faster", "R-CNN", "nothing"]  # with random weights
    assert (folder / "seen.png").stat().st_size > 5000


def test_what_cannot_be_read_is_named_and_does_not_stop_the_others(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("scans/more").mkdir(parents=True)
    Path("scans/a.png").write_bytes(png(np.ones((50, 50))).getvalue())
    Path("two.png").rename("scans/b.PNG")  # as cameras write it
    Path("scans/notes.txt").write_text("not a picture")
    arguments = ("--models", "cnn", "scans", "nowhere.png", "scans/more")
    reasons = [
        "scans/a.png is blank: nothing in it stands out from the background.",
        "nowhere.png is missing; check the path.",
        "scans/more holds no picture (subfolders are not searched).",
    ]

    with pytest.raises(SystemExit) as stop:
        predict.main(parse(*arguments))
    assert stop.value.code == predict.UNREADABLE == 2
    output = capsys.readouterr()
    lines = output.out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "scans/a.png: not read",
        "scans/b.PNG: 2 digits, from left to right",
        "nowhere.png: not read",
        "scans/more: not read",
    ]
    head, *named = output.err.splitlines()
    assert head == "predict: 3 of 4 not read:"
    assert [line.strip() for line in named] == reasons

    with pytest.raises(SystemExit) as stop:
        predict.main(parse(*arguments, "--json"))
    assert stop.value.code == predict.UNREADABLE
    results = json.loads(capsys.readouterr().out)
    assert [result.get("error") for result in results] == [reasons[0], None, *reasons[1:]]
    assert len(results[1]["classifiers"]["cnn"]) == 2


def test_a_picture_may_come_from_standard_input(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = io.BytesIO(Path("two.png").read_bytes())
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=content))
    predict.main(parse("--models", "cnn", "-"))
    assert "2 digits, from left to right" in capsys.readouterr().out


def test_what_is_unlike_a_digit_is_marked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    Path("noise.png").write_bytes(png(random.random((28, 28))).getvalue())
    write_json("metrics/details/cnn.json", LIMITS)
    arguments = ("--models", "cnn", "two.png", "noise.png")
    predict.main(parse(*arguments, "--json"))
    two, noise = json.loads(capsys.readouterr().out)
    assert [digit["unlike"] for digit in two["classifiers"]["cnn"]] == [False, False]
    assert [digit["unlike"] for digit in noise["classifiers"]["cnn"]] == [True]

    predict.main(parse(*arguments))
    two_head, two_line, noise_head, noise_line, warning = capsys.readouterr().out.splitlines()
    assert "?" not in two_line
    assert f"{NAMES[noise['classifiers']['cnn'][0]['digit']]}?" in noise_line.split()
    assert warning.startswith("  warning: ? marks")

    write_json("metrics/details/cnn.json", {"temperature": 1})  # of an older version
    predict.main(parse(*arguments))
    assert "?" not in capsys.readouterr().out


def test_the_documented_json_is_what_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs/predict.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    monkeypatch.setattr(recognize, "SCORE_THRESHOLD", 0.0)  # the detector's weights are random
    for name in ("cnn", "frcnn"):
        write_json(f"metrics/details/{name}.json", LIMITS)
    with pytest.raises(SystemExit):
        predict.main(parse("--models", "cnn,frcnn", "two.png", "nowhere.png", "--json"))
    written = json.loads(capsys.readouterr().out)
    assert kinds(written) == kinds(json.loads(example))


def kinds(value: Any, path: str = "") -> set[str]:
    """Where in nested JSON there is a value of which type; all items of a list count as one."""
    if isinstance(value, dict):
        return set().union(*(kinds(item, f"{path}.{key}") for key, item in value.items()))
    if isinstance(value, list):
        return set().union(*(kinds(item, f"{path}[]") for item in value))
    return {f"{path}: {type(value).__name__}"}


def test_each_model_is_loaded_once_and_nothing_slow_without_need(folder: Path) -> None:
    Path("scans").mkdir()
    for i in range(10):
        Path(f"scans/{i}.png").write_bytes(Path("two.png").read_bytes())
    code = (
        "import sys\n"
        "from mnist.__main__ import main\n"
        "from mnist.models import registry\n"
        "loaded, load = [], registry.load\n"
        "registry.load = lambda name, path: loaded.append(name) or load(name, path)\n"
        "main(['predict', '--models', 'cnn', 'scans'])\n"
        "slow = {'matplotlib', 'sklearn', 'torch._inductor', 'torchvision'} & set(sys.modules)\n"
        "print(loaded, slow)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    *table, last = run.stdout.splitlines()
    assert len(table) == 20
    assert last == "['cnn'] set()"
